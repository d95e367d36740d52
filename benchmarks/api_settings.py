"""The shop as it is, its keys without a limit."""

from bookshelf_site.settings import *  # noqa: F403

API_RATE_LIMIT = "100000000/m"
