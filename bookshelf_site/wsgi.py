"""The application that a web server loads, with the embedded relay beside it."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bookshelf_site.settings")
application = get_wsgi_application()

# Only now may models be imported.
from django.conf import settings

from bookshelf_site.events import embedded

# The web server loads this module after it has forked: a thread made before would not be there.
if settings.EVENTS_ENGINE == "inline":
    embedded.start()
elif settings.EVENTS_ENGINE == "celery":
    from bookshelf_site.events import celery_engine  # noqa: F401  # now, so that no request waits for the import

stop_relay = embedded.stop
