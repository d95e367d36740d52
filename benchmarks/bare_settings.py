"""The shop's own settings for a site that does nothing but answer: one endpoint, no more middleware than needed."""

from bookshelf_site.settings import *  # noqa: F403

# Says how long an answer is, without which a connection isn't kept.
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "benchmarks.bare_urls"
