"""The shop's own settings for tests and the processes that they start: no collectstatic, no slow passwords."""

import os

from bookshelf_site.settings import *  # noqa: F403
from bookshelf_site.settings import DATABASES as _DATABASES
from bookshelf_site.settings import STORAGES as _STORAGES

STORAGES = _STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
# Off unless a test says otherwise: where a window ends in the middle of a test, a request more would write.
API_RATE_LIMIT = os.environ.get("API_RATE_LIMIT", "")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if _DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Processes die in the tests, but never the machine: no commit has to wait for the disk.
    _DATABASES["default"]["OPTIONS"]["init_command"] += "; PRAGMA synchronous=OFF"
