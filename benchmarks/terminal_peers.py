"""Other terminal programs for `terminal_cost`: nvitop, htop, wandb's LEET, and a bare Textual app.

nvitop and wandb come by pip into an environment of their own; htop is taken where the machine has it; nvitop reads the
stub of NVIDIA's library that the tests build. What can't be had is a sentence that says why, and no figure.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("nvitop==1.7.2", "wandb")
INSTALL_SECONDS = 600
BARE = "from textual.app import App\nfrom textual.widgets import Static\n" + (
    "class Bare(App):\n    def compose(self):\n        yield Static('how far')\nBare().run()"
)
RUN_OFFLINE = """
import sys, time, wandb
run = wandb.init(mode="offline", dir=sys.argv[1], project="peers")
print("RUN", run.dir, flush=True)
for step in range(10**6):
    run.log({f"metric_{n}": (step * (n + 3)) % 17 for n in range(6)})
    time.sleep(1.0)
"""


@dataclass
class Peer:
    """A program to measure: its command, what shows that its screen is there, and what ends its helpers."""

    name: str
    command: list[str]
    shows: str
    environment: dict[str, str] = field(default_factory=dict)
    end: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Missing:
    """A program that can't be had, and why."""

    name: str
    why: str


def peers(folder: Path) -> list[Peer | Missing]:
    """All of them; `folder` holds their environment and files, and may be kept for another time."""
    folder.mkdir(parents=True, exist_ok=True)
    return [bare(), nvitop(folder), htop(), leet(folder)]


def bare() -> Peer:
    """A Textual app with one word in it: what the library alone costs."""
    return Peer("bare Textual app", [sys.executable, "-c", BARE], "how far")


def htop() -> Peer | Missing:
    """Whatever htop the machine has."""
    found = shutil.which("htop")
    return Peer("htop", [found], "Load average") if found else Missing("htop", "it isn't on this machine")


def nvitop(folder: Path) -> Peer | Missing:
    """On eight GPUs of the stub."""
    why = installed(folder) or stub(folder)
    if why:
        return Missing("nvitop", why)
    orders = {"LD_LIBRARY_PATH": str(folder), "NVML_STUB_ORDERS": str(folder)}
    # What the stub lacks it logs to its terminal, over its own screen.
    quiet = f"exec {shlex.quote(str(folder / 'venv' / 'bin' / 'nvitop'))} --monitor auto 2>/dev/null"
    return Peer("nvitop", ["sh", "-c", quiet], "for help", orders)


def leet(folder: Path) -> Peer | Missing:
    """On a run that logs six metrics a second, offline."""
    name = "wandb beta leet"
    why = installed(folder)
    if why:
        return Missing(name, why)
    binaries = folder / "venv" / "bin"
    settings = {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    writer = subprocess.Popen(
        [str(binaries / "python"), "-c", RUN_OFFLINE, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **settings},
    )
    assert writer.stdout is not None
    said = next((line for line in writer.stdout if line.startswith("RUN ")), "")
    if not said:
        writer.kill()
        return Missing(name, "wandb began no offline run")

    def end() -> None:
        writer.terminate()
        writer.wait()

    run = Path(said.split()[1]).parent
    return Peer(name, [str(binaries / "wandb"), "beta", "leet", str(run)], "metric_", settings, end)


def installed(folder: Path) -> str:
    """Makes the environment with the peers where it isn't there. Empty where it went well, else what pip said."""
    environment = folder / "venv"
    if (environment / "bin" / "nvitop").exists() and (environment / "bin" / "wandb").exists():
        return ""
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    command = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def stub(folder: Path) -> str:
    """Builds the stub of NVIDIA's library with eight GPUs. Empty where it went well, else why not."""
    if shutil.which("gcc") is None:
        return "the stub of NVIDIA's library needs gcc"
    source = ROOT / "tests" / "sources" / "nvml_stub.c"
    words = ["gcc", "-shared", "-fPIC", "-DCARDS=8", "-o", str(folder / "libnvidia-ml.so.1"), str(source)]
    done = subprocess.run(words, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
