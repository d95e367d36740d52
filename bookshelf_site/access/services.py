"""What can be asked of the API keys."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import Group, User
from django.utils import timezone

from bookshelf_site.access.models import NAME_LENGTH, ApiKey, KeptAnswer
from bookshelf_site.errors import InvalidValue
from bookshelf_site.events import unit_of_work


@unit_of_work
def create_api_key(*, name: str, group: Group, expires_in: timedelta | None = None) -> tuple[ApiKey, str]:
    """Make a service account in the group, and a key for it; returns the key's row and its secret, shown once.

    Raises InvalidValue for a name that no list could show.
    """
    name = name.strip()
    if not (1 <= len(name) <= NAME_LENGTH and name.isprintable()):
        raise InvalidValue("name", f"say in 1 to {NAME_LENGTH} characters what the key is for")
    key, secret = ApiKey.drawn()
    account = User(username=f"service-{key.prefix}", first_name=name[:150])
    account.set_unusable_password()
    account.save()
    account.groups.add(group)
    key.name, key.account = name, account
    key.expires_at = timezone.now() + expires_in if expires_in else None
    key.save()
    return key, secret


@unit_of_work
def rotate_api_key(*, key_id: int, overlap: timedelta = timedelta(0)) -> tuple[ApiKey, str]:
    """Make a successor with the same account, name and end; the old key opens for the overlap, then no more.

    Returns the successor's row and its secret, shown once. Raises InvalidValue for a key that opens nothing any more.
    """
    old = ApiKey.objects.locked().get(pk=key_id)
    if old.state != ApiKey.State.LIVE:
        raise InvalidValue("key", f"this key is {old.state.label.lower()}: make a new one")
    key, secret = ApiKey.drawn()
    key.name, key.account, key.expires_at = old.name, old.account, old.expires_at
    key.save()
    old.end_within(overlap)
    old.save()
    return key, secret


@unit_of_work
def revoke_api_key(*, key_id: int) -> ApiKey:
    """Shut the key out at once."""
    key = ApiKey.objects.locked().get(pk=key_id)
    key.revoke()
    key.save()
    return key


@unit_of_work
def draw_requests(*, key_id: int, limit: int | None, window: int) -> int | None:
    """A block of the window's requests, 0 if all are handed out, None if there is no limit.

    Once an hour it notes that the key is in use, and forgets what it has made longer ago than it may be asked again.
    """
    key = ApiKey.objects.locked().get(pk=key_id)
    drawn = None if limit is None else key.draw(limit=limit, window=window)
    if key.note_use():
        KeptAnswer.objects.filter(key=key).expired().delete()
    key.save(update_fields=["window", "handed_out", "last_used_at"])
    return drawn
