"""The safeguards that `make mutations` takes away are where it looks for them."""

import pytest

from tests.mutations import MUTATIONS, ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.partition(":")[0])
def test_each_can_be_taken_away(mutation):
    assert [(ROOT / edit.path).read_text().count(edit.old) for edit in mutation.edits] == [1] * len(mutation.edits)
    assert all((ROOT / test).exists() for test in mutation.tests)
