"""The settings of the tests, and the receivers of `crowd`."""

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as _INSTALLED_APPS

INSTALLED_APPS = [*_INSTALLED_APPS, "tests.events.crowd.CrowdConfig"]
