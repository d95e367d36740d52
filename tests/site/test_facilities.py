"""The plugin `tests.plugins.facilities`, in a run of its own on a machine that seems to have no Chromium."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.heavy("sqlite")


def run_without_chromium(tmp_path, **environment):
    (tmp_path / "bin").mkdir()
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/site/test_browser.py", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path / "bin"), **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )


def test_browser_tests_say_that_they_were_not_run(tmp_path):
    ran = run_without_chromium(tmp_path, CI="")

    assert ran.returncode == 0
    assert "There is no Chromium here: the tests that need it were not run." in ran.stdout
    assert "1 skipped" in ran.stdout.splitlines()[-1]


def test_a_ci_run_without_a_browser_fails(tmp_path):
    ran = run_without_chromium(tmp_path, CI="true")

    assert ran.returncode == 4
    assert "CI=true, but there is no Chromium here." in ran.stderr
