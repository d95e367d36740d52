"""The shop's own settings for tests and the processes that they start: no collectstatic, no slow passwords."""

import os

from bookshelf_site.settings import *  # noqa: F403
from bookshelf_site.settings import STORAGES as _STORAGES

STORAGES = _STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
# Off unless a test says otherwise: where a window ends in the middle of a test, a request more would write.
API_RATE_LIMIT = os.environ.get("API_RATE_LIMIT", "")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
