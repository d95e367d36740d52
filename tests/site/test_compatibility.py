import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "docs/compatibility.py"
SCHEMA = json.loads((ROOT / "docs/openapi.json").read_text())
BOOKS = "/api/v1/books"


def compared(tmp_path: Path, new: Any) -> tuple[int, list[str]]:
    (tmp_path / "new.json").write_text(json.dumps(new))
    ran = subprocess.run(
        [sys.executable, SCRIPT, ROOT / "docs/openapi.json", tmp_path / "new.json"], capture_output=True, text=True
    )
    return ran.returncode, ran.stderr.splitlines()


@pytest.fixture
def new():
    return copy.deepcopy(SCHEMA)


def component(new, name):
    return new["components"]["schemas"][name]


def test_the_same_breaks_nobody(tmp_path, new):
    assert compared(tmp_path, new) == (0, [])


def test_what_is_added_breaks_nobody(tmp_path, new):
    new["paths"]["/api/v1/authors"] = new["paths"][BOOKS]
    component(new, "BookOut")["properties"]["subtitle"] = {"type": "string"}
    component(new, "BookOut")["required"].append("subtitle")
    component(new, "BookIn")["properties"]["subtitle"] = {"type": "string"}
    component(new, "BookOut")["properties"]["status"]["enum"].append("announced")
    component(new, "BookIn")["properties"]["title"] = {"anyOf": [{"type": "string"}, {"type": "null"}]}

    assert compared(tmp_path, new) == (0, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda new: new["paths"].pop(BOOKS), f"GET {BOOKS} is gone"),
        (lambda new: new["paths"][BOOKS].pop("post"), f"POST {BOOKS} is gone"),
        (lambda new: new["paths"][BOOKS]["get"]["parameters"].pop(), f"GET {BOOKS}: parameter"),
        (
            lambda new: new["paths"][BOOKS]["get"]["parameters"][0].update(required=True),
            "is required",
        ),
        (
            lambda new: new["paths"][BOOKS]["get"].update(operationId="books"),
            f"GET {BOOKS}: list_books is called books",
        ),
        (
            lambda new: new["paths"][BOOKS]["post"]["responses"].pop("201"),
            f"POST {BOOKS}: status 201 is gone",
        ),
        (
            lambda new: component(new, "BookOut")["properties"].pop("isbn"),
            f"POST {BOOKS}: 201.isbn is gone",
        ),
        (
            lambda new: component(new, "BookOut")["required"].remove("title"),
            f"POST {BOOKS}: 201.title may be missing",
        ),
        (
            lambda new: component(new, "BookOut")["properties"]["status"]["enum"].remove("withdrawn"),
            f"POST {BOOKS}: 201.status: value withdrawn is gone",
        ),
        (
            lambda new: component(new, "BookOut")["properties"].update(available={"type": "string"}),
            f"POST {BOOKS}: 201.available: was integer, is string",
        ),
        (
            lambda new: component(new, "BookOut")["properties"].update(
                title={"anyOf": [{"type": "string"}, {"type": "null"}]}
            ),
            f"POST {BOOKS}: 201.title: may be null now",
        ),
        (
            lambda new: component(new, "BookIn")["required"].append("description"),
            f"POST {BOOKS}: body.description is required",
        ),
        (
            lambda new: component(new, "BookIn")["properties"].pop("isbn"),
            f"POST {BOOKS}: body.isbn is gone",
        ),
        (
            lambda new: component(new, "LineIn")["properties"].update(isbn={"type": "string"}),
            "POST /api/v1/orders: body.lines[].isbn: may not be null any more",
        ),
    ],
)
def test_what_a_program_relied_on_is_missed(tmp_path, new, change, said):
    change(new)

    status, lines = compared(tmp_path, new)

    assert status == 1
    assert any(said in line for line in lines), lines
