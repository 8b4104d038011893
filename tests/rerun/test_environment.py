"""A child of the rerun finds our code and not the live run's Ray."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from monitor.rerun.environment import RERUN_VARIABLE, child_environment, package_root


def test_nothing_that_leads_to_the_live_cluster_is_inherited() -> None:
    live = {
        "RAY_ADDRESS": "10.0.0.1:6379",
        "RAY_AUTH_TOKEN": "secret",
        "VERL_FILE_LOGGER_PATH": "/run/log",
        "HOME": "/h",
    }
    kept = child_environment(live, "/state/reruns/x")
    assert not [name for name in kept if name.startswith(("RAY_", "VERL_"))]
    assert (kept["HOME"], kept[RERUN_VARIABLE]) == ("/h", "/state/reruns/x")


def test_a_package_of_our_name_on_the_callers_path_does_not_shadow_ours(tmp_path: Path) -> None:
    (tmp_path / "quant").mkdir()
    (tmp_path / "quant" / "__init__.py").write_text("")
    environment = child_environment({**os.environ, "PYTHONPATH": str(tmp_path)}, "x")
    code = "import quant; print(quant.__file__)"
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run([sys.executable, "-c", code], cwd=work, env=environment, capture_output=True, text=True)
    assert done.stdout.startswith(str(package_root())), done.stderr
