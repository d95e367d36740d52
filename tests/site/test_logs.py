import io
import json
import logging

import pytest
import structlog

from bookshelf_site import logs

TOKEN = "J5k2-w_9xT4bq8Zr1cVnM0sDfGhQ3yLpE7uXaBoKiWc"


def written(log_format, write):
    """What one log call writes, by the very configuration that the site uses."""
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    formatter = logs.configuration(log_format)["formatters"]["lines"]
    handler.setFormatter(
        logs.MaskingFormatter(processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"])
    )
    logger = logging.getLogger("tests.logs")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    write(logger)
    return output.getvalue()


@pytest.mark.parametrize("log_format", ["console", "json"])
@pytest.mark.parametrize(
    "write",
    [
        lambda logger: logger.info("GET /o/%s/ 200", TOKEN),
        lambda logger: structlog.stdlib.get_logger("tests.logs").info("request", path=f"/o/{TOKEN}/"),
        lambda logger: structlog.stdlib.get_logger("tests.logs").info("mail", url=f"https://shop.example/o/{TOKEN}"),
        lambda logger: logger.error("failed", exc_info=LookupError(f"/o/{TOKEN}/")),
    ],
)
def test_no_line_shows_the_token_of_an_order(log_format, write):
    line = written(log_format, write)

    assert TOKEN not in line
    assert "/o/" in line


def test_json_lines_are_json_with_the_requests_id():
    with structlog.contextvars.bound_contextvars(request_id="r-1"):
        line = written("json", lambda logger: logger.warning("stock ran %s", "low"))

    parsed = json.loads(line)
    parsed.pop("timestamp")
    assert parsed == {"event": "stock ran low", "level": "warning", "logger": "tests.logs", "request_id": "r-1"}
