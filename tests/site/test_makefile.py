import shutil
import stat
import subprocess

import pytest

from tests.conftest import ROOT


@pytest.fixture
def checkout(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def test_the_secret_key_is_for_the_owner_only_and_stays(checkout):
    subprocess.run(["make", "--silent", "var/secret_key"], cwd=checkout, check=True)
    file = checkout / "var" / "secret_key"
    key = file.read_text()

    subprocess.run(["make", "--silent", "--always-make", "var/secret_key"], cwd=checkout, check=True)

    assert len(key.strip()) == 86
    assert file.read_text() == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["secret_key"]


def test_two_that_start_at_once_share_one_secret_key(checkout):
    makes = [subprocess.Popen(["make", "--silent", "var/secret_key"], cwd=checkout) for _ in range(4)]

    assert [make.wait(60) for make in makes] == [0, 0, 0, 0]
    assert [path.name for path in (checkout / "var").iterdir()] == ["secret_key"]


def test_of_two_that_start_at_once_one_waits_for_the_other(checkout):
    (checkout / "var").mkdir(exist_ok=True)
    alone = "--eval=alone: ; @$(ALONE) sh -c 'test ! -e busy && touch busy && sleep 0.2 && rm busy'"

    makes = [subprocess.Popen(["make", "--silent", alone, "alone"], cwd=checkout) for _ in range(3)]

    assert [make.wait(60) for make in makes] == [0, 0, 0]


def test_no_pin_names_a_host_or_a_path():
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text()

        assert "://" not in text
        assert "--index-url" not in text
        assert "--find-links" not in text
        assert "--hash=sha256:" in text
