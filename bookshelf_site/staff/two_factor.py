"""Two-factor login: a code of an app on the phone (TOTP, RFC 6238) beside the password; optional, by user."""

from __future__ import annotations

import math
import re
from base64 import b32encode
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from bookshelf_site.events import unit_of_work
from bookshelf_site.staff.errors import NothingToConfirm, TooManyCodes, WrongCode

BACKUP_CODES: Final = 10
OF_THE_APP: Final = re.compile("[0-9]{6}")


def is_on(user: User) -> bool:
    return bool(TOTPDevice.objects.devices_for_user(user, confirmed=True).exists())


def on_since(user: User) -> datetime | None:
    device = TOTPDevice.objects.devices_for_user(user, confirmed=True).first()
    return device.created_at if device else None


def backup_codes_left(user: User) -> int:
    return int(StaticToken.objects.filter(device__user=user).count())


def begun(user: User) -> TOTPDevice | None:
    """The app that is to be confirmed by a first code."""
    device: TOTPDevice | None = TOTPDevice.objects.devices_for_user(user, confirmed=False).first()
    return device


def secret_of(device: TOTPDevice) -> str:
    """As a person types it into an app that can't read the picture."""
    secret = b32encode(device.bin_key).decode()
    return " ".join(secret[place : place + 4] for place in range(0, len(secret), 4))


@unit_of_work
def begin(user: User) -> TOTPDevice:
    """A new secret, which counts for nothing before it is confirmed. Raises NothingToConfirm if it is on."""
    _lock(user)
    if is_on(user):
        raise NothingToConfirm
    TOTPDevice.objects.filter(user=user).delete()
    device: TOTPDevice = TOTPDevice.objects.create(user=user, name="app", confirmed=False)
    return device


def confirm(user: User, code: str) -> list[str]:
    """Turn it on by a first code; the backup codes, which are shown this once.

    Raises NothingToConfirm, WrongCode, TooManyCodes.
    """
    _verify(TOTPDevice.objects.filter(user=user, confirmed=False), code)
    with unit_of_work:
        _lock(user)
        device = begun(user)
        if device is None or is_on(user):
            raise NothingToConfirm
        device.confirmed = True
        device.save()
        _log(user, user, "Turned two-factor login on.")
        return _new_backup_codes(user)


def verify(user: User, code: str) -> None:
    """Take a code of the app or a backup code, which is used up by that. Raises WrongCode, TooManyCodes."""
    compact = _compact(code)
    devices = TOTPDevice if OF_THE_APP.fullmatch(compact) else StaticDevice
    _verify(devices.objects.filter(user=user, confirmed=True), compact)


def renew_backup_codes(user: User, code: str) -> list[str]:
    """New ones; the old ones are good for nothing any more. Raises WrongCode, TooManyCodes."""
    verify(user, code)
    with unit_of_work:
        _lock(user)
        if not is_on(user):
            raise NothingToConfirm
        _log(user, user, "Renewed the backup codes.")
        return _new_backup_codes(user)


def turn_off(user: User, code: str) -> None:
    """Raises WrongCode, TooManyCodes; the caller has asked for the password too."""
    verify(user, code)
    remove(user, by=user)


@unit_of_work
def remove(user: User, *, by: User) -> None:
    """Let a user in by the password alone again, because the phone is lost, or on the user's own wish."""
    _lock(user)
    TOTPDevice.objects.filter(user=user).delete()
    StaticDevice.objects.filter(user=user).delete()
    _log(user, by, "Turned two-factor login off.")


def _verify(devices: Any, code: str) -> None:
    with transaction.atomic():  # a wrong code is counted, so what refuses it is raised behind the commit
        # two at once with one code: locked, so that the second finds it used
        device = devices.select_for_update(no_key=True).first()
        if device is None:
            raise WrongCode
        is_allowed, why = device.verify_is_allowed()
        fits = is_allowed and device.verify_token(_compact(code))
    if not is_allowed:
        raise TooManyCodes(seconds=max(1, math.ceil((why["locked_until"] - timezone.now()).total_seconds())))
    if not fits:
        raise WrongCode


def _compact(code: str) -> str:
    return re.sub(r"[\s-]", "", code).lower()


def _lock(user: User) -> None:
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _new_backup_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="backup codes")
    codes = [StaticToken.random_token() for _ in range(BACKUP_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return [f"{code[:4]}-{code[4:]}" for code in codes]


def _log(user: User, by: User, what: str) -> None:
    users: Iterable[User] = [user]
    LogEntry.objects.log_actions(by.pk, users, CHANGE, what, single_object=True)
