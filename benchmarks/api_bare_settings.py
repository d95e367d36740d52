"""The shop's own settings for two bare endpoints, with no more middleware than needed."""

from bookshelf_site.settings import *  # noqa: F403

# Says how long an answer is, without which a connection isn't kept.
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "benchmarks.api_bare"
