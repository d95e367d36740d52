"""Doors call services: no door writes a row by itself."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

WRITES = {
    "save",
    "create",
    "update",
    "delete",
    "get_or_create",
    "update_or_create",
    "bulk_create",
    "bulk_update",
    "asave",
    "acreate",
    "aupdate",
    "adelete",
    "abulk_create",
    "abulk_update",
}
DOORS = ["api", "admin", "views"]


def doors() -> list[Path]:
    """Each api.py, admin.py and views.py, and what packages of these names hold."""
    code = [path for app in ("bookshelf_site", "catalog", "orders", "inventory") for path in (ROOT / app).rglob("*.py")]
    return [path for path in code if path.stem in DOORS or set(path.parent.relative_to(ROOT).parts) & set(DOORS)]


def writes(source: str) -> list[str]:
    """What the code calls by the name of a write; a decorator, such as `@router.delete`, writes nothing."""
    tree = ast.parse(source)
    decorators = {
        id(decorator)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for decorator in node.decorator_list
    }
    return [
        f"{node.lineno}: {ast.unparse(node.func)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in WRITES
        and id(node) not in decorators
    ]


def test_the_doors_are_found():
    found = {str(path.relative_to(ROOT)) for path in doors()}

    assert {"catalog/admin/books.py", "orders/views/status.py", "orders/admin/__init__.py"} <= found
    assert {"bookshelf_site/webhooks/api.py", "catalog/api/__init__.py"} <= found


@pytest.mark.parametrize("door", doors(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_door_writes_nothing_by_itself(door):
    assert writes(door.read_text()) == []


@pytest.mark.parametrize("code", ["book.save()", "Book.objects.create(title='x')", "x.filter(a=1).update(b=2)"])
def test_a_write_would_be_noticed(code):
    assert len(writes(f"def view(request):\n    {code}")) == 1


def test_a_route_is_not_taken_for_a_write():
    assert writes("@router.delete('/webhooks')\ndef remove(request):\n    services.remove()") == []
