"""Hangs are proved without the permission to read anyone's memory: by the hooks, Ray's State API and /proc alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.diagnose.test_real_hangs import ACTORS, CULPRITS, REPOSITORY

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        os.environ.get("LASTSTEP_BLIND_HANGS") != "1",
        reason="four hangs on a Ray without permissions, a minute on a quiet machine: asked for only",
    ),
]

MODES = sorted(set(CULPRITS) - {"engine-stopped"})
"""A stopped process is told by /proc, which everybody may read."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the script says of every class. Root reads everything, so CAP_SYS_PTRACE is taken from it first."""
    words = [sys.executable, "-m", "tests.diagnose.blind_hangs", str(tmp_path_factory.mktemp("blind"))]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root needs setpriv to be without CAP_SYS_PTRACE")
        words = [setpriv, "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", *words]
    done = subprocess.run([*words, *MODES], cwd=REPOSITORY, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("mode", MODES)
def test_a_hang_is_proved_with_culprit_and_line_though_no_memory_may_be_read(told: Any, mode: str) -> None:
    assert told[mode]["permitted"] == [], "something could be read after all: the test shows nothing"
    assert "py-spy" not in told[mode]["threads_from"] and "hooks" in told[mode]["threads_from"]
    verdict = told[mode]["verdict"]
    assert [finding["hang_class"] for finding in verdict["findings"]] == [mode], verdict
    (finding,) = verdict["findings"]
    assert finding["culprit"]["actor"] == "rollout_server_0"
    assert finding["file"].endswith(ACTORS)
    assert Path(finding["file"]).read_text().splitlines()[finding["line"] - 1].strip() == CULPRITS[mode]
    assert finding["chain"][0]["waiter"].startswith("driver (pid")
