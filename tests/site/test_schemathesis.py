"""The whole schema against the whole API: what schemathesis makes up, alone and along the links of the answers."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import load_all_checks
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from bookshelf_site.api import api as the_api
from tests.effort import IS_THOROUGH

pytestmark = pytest.mark.heavy("sqlite")

SETTINGS = settings(
    max_examples=8 if IS_THOROUGH else 3,
    stateful_step_count=8 if IS_THOROUGH else 6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
BEYOND_ANY_SCHEMA = re.compile(
    "isbn|path/book_id"  # its check digit
    "|cursor"  # can't be made up
    "|title|customer_name|reason|street|city|postal_code|country"  # a character that shows
    "|customer|address|customer_email"
    "|[0-9]+|book_id|received|counted"  # a line or row names its book in one way, and a book once
    "|type|event_types"  # an event that there is
    "|url|sort|updated_since"
)

UUID_ALONE = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

load_all_checks()
schema = schemathesis.openapi.from_dict(json.loads(json.dumps(the_api.get_openapi_schema(), default=str)))
schema.app = WSGIHandler()
schema.config.checks.positive_data_acceptance.expected_statuses += ["412", "422"]
OPERATIONS: list[Any] = [cast("Any", found).ok() for found in schema.get_all_operations()]


@pytest.fixture
def key(api) -> Iterator[dict[str, str]]:
    """For requests that come as from a server: Django would close the connection of the test after each."""
    if connection.vendor == "postgresql":
        # the test is one transaction, which stands idle while the first requests are made up
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield {"Authorization": api.defaults["HTTP_AUTHORIZATION"]}
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def refused_for_what_no_schema_says(context, response, case):
    """What the schema allows is refused for a rule alone that no schema can say."""
    if case.meta.generation.mode.is_positive and response.status_code == 422:
        for mistake in response.json().get("errors", []):
            place = (
                mistake["pointer"] if mistake["pointer"].startswith("path/") else mistake["pointer"].rsplit("/", 1)[-1]
            )
            # to JSON schema 2.0 is a whole number
            assert mistake["code"] == "int_type" or BEYOND_ANY_SCHEMA.fullmatch(place), (case.body, mistake)


def each_row_for_itself(context, response, case):
    """Of many rows that are sent together a wrong one is refused by its result, and the answer is 200."""
    if case.meta.generation.mode.is_negative and response.status_code == 200:
        assert any(result["status"] == "refused" for result in response.json()["results"]), case.body


def answer(case, key):
    is_bulk = case.operation.path.endswith("/bulk")
    case.call_and_validate(
        headers=key,
        additional_checks=[refused_for_what_no_schema_says, *([each_row_for_itself] if is_bulk else [])],
        excluded_checks=[negative_data_rejection] if is_bulk else [],
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_as_the_schema_says(key, operation):
    @SETTINGS
    @given(st.one_of(*[operation.as_strategy(generation_mode=mode) for mode in GenerationMode]))
    def check(case):
        answer(case, key)

    check()


def test_what_is_made_links_to_what_can_be_done_with_it():
    made = the_api.get_openapi_schema()["paths"]["/api/v1/orders"]["post"]["responses"]["201"]

    assert made["links"]["ship_order"] == {
        "operationId": "ship_order",
        "parameters": {"order_id": "$response.body#/id"},
    }
    assert {"get_order", "correct_contact", "get_timeline"} <= made["links"].keys()
    assert not {"cancel_line", "get_book"} & made["links"].keys()


def test_every_answer_along_the_links_is_as_the_schema_says(key):
    class Program(schema.as_state_machine()):  # type: ignore[misc]  # made at run time
        def get_call_kwargs(self, case):
            return {"headers": key}

        def validate_response(self, response, case, **kwargs):
            if case.method == "PUT" and UUID_ALONE.fullmatch(str(case.path_parameters["book_id"])):
                # in a link of its own making it puts a book's id where the ISBN belongs
                assert response.status_code == 405
                return
            case.validate_response(response, headers=key, additional_checks=[refused_for_what_no_schema_says])

    run_state_machine_as_test(Program, settings=SETTINGS)
