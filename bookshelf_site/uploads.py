"""How much may be sent in one request: feeds of books into the back office, little everywhere else."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

MEGABYTE: Final = 2**20
LARGEST: Final = {
    "/admin/catalog/feedimport/add/": 210 * MEGABYTE,  # a feed of 200 MB, and its form
    "/admin/inventory/stockitem/stocktake/list/": 4 * MEGABYTE,
}
LARGEST_ELSEWHERE: Final = MEGABYTE


class LimitedUpload(FileUploadHandler):
    """Refuses a form with files by what it says of its own length, before any of it is read or kept."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],  # noqa: N803  # Django's signature
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        path = META.get("PATH_INFO", "")
        if content_length > LARGEST.get(path, LARGEST_ELSEWHERE):
            raise RequestDataTooBig(f"{content_length:,} bytes for {path}")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """For the handlers after this one, which keep what is small in memory and the rest in a file."""
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
