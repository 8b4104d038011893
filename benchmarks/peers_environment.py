"""An environment of its own for other people's quantizers, beside this one's torch: `.venv-peers`.

It sees this environment's packages by a path file, so torch is not installed twice and no peer can change it: what a
peer would need in another version is an install that fails, and is told as one.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-peers"
PEERS = (
    "compressed-tensors==0.20.0",
    "torchao==0.18.0",
    "amd-quark==0.13",
    "nvidia-modelopt==0.47.0",
    "qwantize==0.1.1",
    "gfloat==0.5.2",
)


def python() -> Path:
    """The environment's interpreter, made where it isn't there."""
    interpreter = ENVIRONMENT / "bin" / "python"
    if not interpreter.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        path_file = ENVIRONMENT / "lib" / version / "site-packages" / "laststep.pth"
        path_file.write_text(f"{sysconfig.get_paths()['purelib']}\n{ROOT}\n")
    return interpreter


def install(requirement: str) -> str:
    """Installs one peer with what it needs. Empty where it went well, else the last line that pip said."""
    command = [str(python()), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "-c", str(ROOT / "constraints.txt"), requirement], capture_output=True, text=True, timeout=600
    )
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
