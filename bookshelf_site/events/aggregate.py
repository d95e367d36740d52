"""Aggregate: a model whose methods decide and raise events, and whose save writes both in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, ClassVar, NoReturn, Self, TypeVar, cast
from uuid import UUID

from django.db import models, transaction
from django.db.models import Model
from django.db.models.signals import post_save, pre_save

from bookshelf_site.events import statements, unit_of_work
from bookshelf_site.events.compiled import Compiled
from bookshelf_site.events.domain_event import DomainEvent
from bookshelf_site.events.outbox import emit
from bookshelf_site.events.statements import Write


class Aggregate(Model):
    """After a rollback load the instance again: what it raised went with the transaction, its fields did not."""

    _raised: ClassVar[tuple[DomainEvent, ...]] = ()

    class Meta:
        abstract = True

    def __getstate__(self) -> dict[str, Any]:
        """A copy or a pickle raised nothing."""
        state = super().__getstate__()
        state.pop("_raised", None)
        return state

    def save(self, *args: Any, beside: Sequence[Model] = (), **kwargs: Any) -> None:
        """As Django's. A new row, or some fields of one, are written by a statement that is compiled once.

        With it are written what it has raised, and new rows of one other model that belong to it, `beside`.
        """
        with unit_of_work:
            write = None if args else self._write(kwargs)
            if write is None:
                super().save(*args, **kwargs)
            emit(*self.take_raised(), beside=[write or Write(()), Write(beside)])

    def _write(self, options: dict[str, Any]) -> Write | None:
        """How this row is to be written, unless Django has to."""
        names = options.get("update_fields")
        if options.keys() - {"update_fields"} or self._meta.auto_field or _has_listeners(type(self)):
            return None
        if names and not self._state.adding:
            return Write([self], tuple(names))
        return Write([self]) if names is None and self._state.adding else None

    @classmethod
    def lock(cls, key: UUID | str) -> Self:
        """The row, locked until the transaction ends; its key may be text, as in Django's own. Raises DoesNotExist."""
        for row in cls.lock_all([cls._meta.pk.to_python(key)]):
            return row
        raise cls.DoesNotExist(f"no {cls._meta.verbose_name} is {key}")

    @classmethod
    def lock_all(cls, keys: Iterable[UUID]) -> list[Self]:
        """Those of the rows that there are, locked by ascending key until the transaction ends."""
        return cast("list[Self]", _locking(cls)(keys))

    @classmethod
    def by_key(cls, keys: Iterable[UUID]) -> dict[UUID, Self]:
        """Those of the rows that there are, as they are now."""
        return {row.pk: cast("Self", row) for row in _reading(cls)(keys)}

    def raise_event(self, event: DomainEvent) -> None:
        """Say what has happened to this row; `save` writes it."""
        self.__dict__["_raised"] = (*self._raised, event)

    @property
    def raised_events(self) -> tuple[DomainEvent, ...]:
        """What was raised and not yet saved."""
        return self._raised

    def take_raised(self) -> list[DomainEvent]:
        """What was raised, now that the row is saved and so has its id, in the stream of this row."""
        raised = self.__dict__.pop("_raised", ())
        stream = f"{self._meta.label_lower}:{self.pk}"
        return [replace(event, stream=stream) for event in raised]


@cache
def _locking(model: type[Aggregate]) -> Compiled[Aggregate]:
    return Compiled(lambda keys: AggregateQuerySet(model).locked().filter(pk__in=keys).order_by("pk"))


@cache
def _reading(model: type[Aggregate]) -> Compiled[Aggregate]:
    return Compiled(lambda keys: AggregateQuerySet(model).filter(pk__in=keys))


def _has_listeners(model: type[Model]) -> bool:
    """Does somebody hear Django's own signals of this model? Then Django sends them."""
    return pre_save.has_listeners(model) or post_save.has_listeners(model)


A = TypeVar("A", bound=Aggregate)


class AggregateQuerySet(models.QuerySet[A]):
    """Rows of an aggregate; what they raised is emitted by the bulk writes too.

    `update()` and `delete()` would pass the events by, and are refused with a TypeError.
    """

    def locked(self) -> Self:
        """The rows, locked until the transaction ends. Raises RuntimeError outside one: it would lock nothing."""
        if not transaction.get_connection(self.db).in_atomic_block:
            raise RuntimeError("a row is locked inside a unit of work only")
        return self.select_for_update(no_key=True, of=("self",))

    def bulk_create(self, objs: Iterable[A], *args: Any, **kwargs: Any) -> list[A]:
        """As Django's. Raises ValueError if a row that may not be written has raised an event."""
        aggregates = list(objs)
        ignores_conflicts = kwargs.get("ignore_conflicts") or any(args[1:2])
        if ignores_conflicts and any(aggregate.raised_events for aggregate in aggregates):
            raise ValueError("with ignore_conflicts nobody knows which rows are new, so none of them can raise events")
        with unit_of_work:
            created = super().bulk_create(aggregates, *args, **kwargs)
            _emit_raised(aggregates)
        return created

    def bulk_update(self, objs: Iterable[A], fields: Iterable[str], batch_size: int | None = None) -> int:
        """As Django's for plain values and locked rows, in a tenth of its time: no CASE for each row and field."""
        aggregates = list(objs)
        with unit_of_work:
            statements.update(aggregates, fields)
            _emit_raised(aggregates)
        return len(aggregates)

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("update() passes the events by: lock the rows, call their methods and save them")

    def delete(self) -> NoReturn:
        raise TypeError("delete() passes the events by: give the aggregate a method that ends it, and save it")

    update.alters_data = True  # type: ignore[attr-defined]  # Django's marks: no template calls them,
    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]  # and no manager has this one


def _emit_raised(aggregates: Sequence[Aggregate]) -> None:
    emit(*(event for aggregate in aggregates for event in aggregate.take_raised()))
