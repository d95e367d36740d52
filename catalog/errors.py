"""What the catalogue refuses."""

from __future__ import annotations

from uuid import UUID

from bookshelf_site.errors import DomainError, FieldError


class DuplicateIsbn(DomainError):
    """The book {isbn} is already in the catalogue, as {existing_id}."""

    code = "duplicate"
    status = 409

    def __init__(self, *, isbn: str, existing_id: UUID) -> None:
        super().__init__(isbn, existing_id)
        self.isbn = isbn
        self.existing_id = existing_id

    @property
    def errors(self) -> list[FieldError]:
        return [FieldError(field="isbn", code="duplicate", detail=f"the book {self.existing_id} has this ISBN")]

    @property
    def extra(self) -> dict[str, object]:
        return {"existing_id": str(self.existing_id)}
