"""Tests against real vLLM on the CPU: `make test-vllm`. Without vLLM nothing here is collected.

Every engine runs in a child process that plays one scenario through and leaves what it saw as JSON: starting one takes
longer than all else, so a scenario serves many tests.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("vllm") is None:
    collect_ignore_glob = ["test_*.py"]

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1500
SETTINGS = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@pytest.fixture(scope="session")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tiny models of the same shape, `first` and `second`."""
    from examples.tiny_model import make

    folder = tmp_path_factory.mktemp("laboratory")
    for seed, name in enumerate(("first", "second")):
        make(folder / name, seed=seed)
    return folder


def run_child(words: list[str], laboratory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A child with vLLM's settings, its cache in the laboratory."""
    environment = {**os.environ, **SETTINGS, "VLLM_CACHE_ROOT": str(laboratory / "cache"), **settings}
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture(scope="session")
def play(laboratory: Path) -> Callable[[str], dict[str, Any]]:
    """What a scenario saw; each is played once a session."""
    seen: dict[str, dict[str, Any]] = {}

    def once(name: str) -> dict[str, Any]:
        if name not in seen:
            target = laboratory / f"{name}.json"
            child = run_child(["-m", "tests.real.scenarios", name, str(laboratory), str(target)], laboratory)
            assert child.returncode == 0, child.stdout[-2000:] + child.stderr[-6000:]
            seen[name] = json.loads(target.read_text())
        return seen[name]

    return once
