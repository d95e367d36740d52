"""The order's public number: short enough for the telephone, and it grants nothing."""

from __future__ import annotations

import re
import secrets

from stdnum import luhn

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter that looks or sounds like a digit."""

RANDOM_CHARACTERS = 8
LENGTH = RANDOM_CHARACTERS + 1
_MISREADINGS = str.maketrans({"I": "1", "L": "1", "O": "0"})
_SEPARATORS = re.compile(r"[\s#\-\u2010-\u2015\u2212]")


def new_number() -> str:
    """Eight random characters and a check character (Luhn mod 32)."""
    # 256 is a multiple of 32: each character is as likely as any other
    stem = "".join(ALPHABET[byte % len(ALPHABET)] for byte in secrets.token_bytes(RANDOM_CHARACTERS))
    return stem + luhn.calc_check_digit(stem, ALPHABET)


def normalise_number(text: str) -> str | None:
    """The number as it is stored, from how a person typed it; None if it can't be one."""
    number = _SEPARATORS.sub("", text).upper().translate(_MISREADINGS)
    if len(number) != LENGTH or not set(number) <= set(ALPHABET) or not luhn.is_valid(number, ALPHABET):
        return None
    return number
