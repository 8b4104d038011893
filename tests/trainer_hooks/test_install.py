"""The ways in: what workers get, what a job's own settings keep, and that nothing can be broken by it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainer_hooks.conftest import REPOSITORY
from trainer_hooks import install

Reader = Callable[..., list[dict[str, Any]]]


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of its own."""
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), **environment}
    return subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, timeout=120)


def test_runtime_env_gets_the_hook_the_folder_and_the_path(own_folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/some/where")
    made = install.into_ray()
    assert made["worker_process_setup_hook"] == "trainer_hooks.install.ray_worker"
    assert made["env_vars"]["LASTSTEP_DIR"] == str(own_folders / "run")
    assert made["env_vars"]["PYTHONPATH"].split(":") == ["/some/where", str(REPOSITORY)]


def test_runtime_env_of_the_job_is_kept_and_not_changed() -> None:
    given = {"pip": ["x"], "env_vars": {"A": "1", "PYTHONPATH": "/theirs"}, "worker_process_setup_hook": "their.hook"}
    made = install.into_ray(given)
    assert given["env_vars"] == {"A": "1", "PYTHONPATH": "/theirs"}
    assert made["pip"] == ["x"] and made["env_vars"]["A"] == "1"
    assert made["env_vars"]["PYTHONPATH"].startswith("/theirs:")
    assert made["env_vars"]["LASTSTEP_NEXT_SETUP_HOOK"] == "their.hook"


def test_runtime_env_with_a_function_for_a_hook_is_left_alone() -> None:
    given = {"worker_process_setup_hook": print}
    assert install.into_ray(given) == given


def test_asking_twice_changes_nothing_more() -> None:
    assert install.into_ray(install.into_ray()) == install.into_ray()


def test_laststep_0_keeps_the_hooks_out(monkeypatch: pytest.MonkeyPatch, written: Reader) -> None:
    monkeypatch.setenv("LASTSTEP", "0")
    assert install.into_ray({"pip": []}) == {"pip": []} and install.driver() is False
    assert written() == []


def test_worker_runs_the_job_s_own_hook_after_ours(tmp_path: Path, written: Reader) -> None:
    (tmp_path / "theirs.py").write_text("def hook(): print('their hook ran')\n")
    done = run(
        "import trainer_hooks.install as i; i.ray_worker()",
        PYTHONPATH=f"{REPOSITORY}:{tmp_path}",
        LASTSTEP_NEXT_SETUP_HOOK="theirs.hook",
    )
    assert (done.returncode, done.stdout) == (0, "their hook ran\n")
    assert [line["kind"] for line in written()] == ["process"]


def test_error_of_the_job_s_own_hook_stays_visible_to_ray(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text("def hook(): raise ValueError('theirs')\n")
    done = run(
        "import trainer_hooks.install as i; i.ray_worker()",
        PYTHONPATH=f"{REPOSITORY}:{tmp_path}",
        LASTSTEP_NEXT_SETUP_HOOK="theirs.hook",
    )
    assert done.returncode == 1 and "ValueError: theirs" in done.stderr


@pytest.mark.parametrize("folder", ["/proc/nothing/here", "/dev/null/x", "relative\nname"])
def test_folder_that_can_not_be_used_disturbs_nothing(folder: str, tmp_path: Path) -> None:
    code = "import trainer_hooks.install as i; i.driver(); i.ray_worker(); print('on')"
    done = run(f"import os; os.chdir({str(tmp_path)!r}); {code}", LASTSTEP_DIR=folder)
    assert (done.returncode, done.stdout, done.stderr) == (0, "on\n", "")


def test_hooks_import_neither_ray_nor_asyncio_nor_anything_heavy() -> None:
    code = (
        "import sys; import trainer_hooks.install as i; i.driver()\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in "
        "('ray', 'asyncio', 'torch', 'numpy', 'monitor', 'quant', 'psutil', 'subprocess', 'typing_extensions')))"
    )
    assert run(code).stdout == "[]\n"
