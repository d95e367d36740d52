"""One line per happening on standard error, by structlog; no line ever shows the token of an order's page."""

import logging
import logging.config
import re
from typing import Any, Final

import structlog
from structlog.typing import Processor

# The token in /o/<token>/ opens a customer's order to whoever reads it.
TOKEN_IN_PATH: Final = re.compile(r"/o/[^/\s\"'<>?#\\]+")
KEY: Final = re.compile(r"\b(bs_[0-9a-f]{8}_|whsec_)[A-Za-z0-9_+/=-]+")
"""An API key or a webhook's secret, wherever somebody has put it by mistake."""

_shared: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def masked(line: str) -> str:
    return KEY.sub(r"\1…", TOKEN_IN_PATH.sub("/o/…", line))


class MaskingFormatter(structlog.stdlib.ProcessorFormatter):
    """Masks the finished line, so that a token in a message, a field or a traceback is caught in one place."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def _renderers(log_format: str) -> list[Processor]:
    first: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if log_format == "json":
        return [*first, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Plain: the pretty tracebacks show local variables, and with them customers and keys.
    plain = structlog.dev.plain_traceback
    return [*first, structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]


def configuration(log_format: str) -> dict[str, Any]:
    """The dictionary for `logging.config`, in the shape of Django's LOGGING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": MaskingFormatter,
                "foreign_pre_chain": _shared,
                "processors": _renderers(log_format),
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # Each brings handlers of its own, which would print the line a second time, unmasked.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            # Every request has its line anyway; only what failed here needs one more.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "gunicorn.error": {"handlers": [], "propagate": True},
            # It says at each start that it can't draw pixels; the desk's barcodes are drawn as SVG.
            "pyBarcode": {"level": "WARNING"},
        },
    }


def configure(logging_configuration: dict[str, Any]) -> None:
    """Called by Django when it sets up, and by the web server before it has."""
    logging.config.dictConfig(logging_configuration)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
