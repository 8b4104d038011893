"""A folder of our packages' names in the working directory is told, not silently imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.demo.own_code import ShadowedPackage, require_own, source_folder
from monitor.ray_head import RayHead


def test_our_own_packages_pass() -> None:
    require_own(source_folder())


def test_packages_from_elsewhere_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ShadowedPackage, match="`quant` is imported from"):
        require_own(tmp_path, ("quant",))


@pytest.mark.parametrize("name", ["quant", "trainer_hooks"])
def test_the_driver_refuses_a_shadowing_folder_in_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    call = [sys.executable, "-m", "monitor.demo.driver", f"--out={tmp_path / 'out'}", "--address=127.0.0.1:1"]
    environment = {**os.environ, "PYTHONPATH": str(source_folder())}
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"`{name}` is imported from {tmp_path / name}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.real
def test_a_ray_worker_refuses_a_folder_that_shadows_ours_in_it_alone(tmp_path: Path) -> None:
    (tmp_path / "quant").mkdir()
    (tmp_path / "quant" / "__init__.py").write_text("")
    with RayHead.start(num_cpus=1) as head:
        own = {"RAY_ADDRESS": head.address, "PYTHONPATH": str(source_folder())}
        call = [sys.executable, str(source_folder() / "tests" / "demo" / "shadowed_worker.py")]
        environment = {**os.environ, **head.environment(), **own}
        done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert f"`quant` is imported from {tmp_path / 'quant'}" in done.stdout, done.stderr
