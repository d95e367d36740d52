"""Imports at the desk: a feed is handed in, looked through, and taken over once somebody has said yes.

Short ones are worked at in the request, long ones by whoever runs a relay. Both do the same, step by step: each step
writes what it did and how far it is in one transaction, under a token that only the latest worker has.
"""

from __future__ import annotations

from catalog.imports.asking import NotNow, Wishes, apply, cancel, hand_in
from catalog.imports.working import tidy, work_on, work_shortly

__all__ = ["NotNow", "Wishes", "apply", "cancel", "hand_in", "tidy", "work_on", "work_shortly"]
