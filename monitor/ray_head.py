"""A Ray head of our own, as our child: for the demo, for tests and for reruns, never for a person's live cluster.

Covers free ports (two heads on one machine otherwise fight for the agent's), a short temporary folder, a token of its
own, and an end that leaves nothing behind. Does not connect to it: drivers do, with `RayHead.environment()`.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from monitor.model.errors import LaststepError

if TYPE_CHECKING:
    import psutil

HOST = "127.0.0.1"
TEMP_DIR_CHARACTERS = 45
"""A longer temporary folder makes Ray's unix socket paths exceed the kernel's 108 characters."""

READY_SECONDS = 90.0
END_SECONDS = 15.0
ATTEMPTS = 4
OBJECT_STORE_BYTES = 100 * 2**20

MARK = "LASTSTEP_RAY_HEAD"
"""Environment variable of every process of one head (its value: the temporary folder), and of no driver or watch."""

_PORTS = range(20000, 32000)
"""Below the kernel's ephemeral range, so that no outgoing connection takes a port between choice and use."""

_DIE_WITH_PARENT = (
    "import ctypes,os,sys; os.nice({}); ctypes.CDLL(None).prctl(1, {}); os.execv(sys.argv[1], sys.argv[1:])"
)
"""Asks the kernel for a signal when the parent dies (PR_SET_PDEATHSIG = 1; kept over exec), then is the command."""


def dying_with_parent(command: Iterable[str], number: int = signal.SIGTERM, *, niceness: int = 0) -> list[str]:
    """The command as a child that gets this signal when its parent dies; its first word is a path."""
    return [sys.executable, "-c", _DIE_WITH_PARENT.format(niceness, int(number)), *command]


class RayHeadFailed(LaststepError):
    """Our Ray head did not come up."""

    HELP_TEXT = "see the lines above; `ray start --head --block` shows the same by hand"


@dataclass
class RayHead:
    """A head that is up. End it with `stop()`, or use it as a context manager."""

    address: str
    dashboard_url: str
    token_path: Path
    temp_dir: Path
    process: subprocess.Popen[bytes]
    _known: dict[int, float] = field(default_factory=dict, repr=False)
    """pid and start time of processes seen to be of this head: a reused pid has another start time."""

    @property
    def pid(self) -> int:
        """The process whose end ends the head."""
        return self.process.pid

    @classmethod
    def start(
        cls,
        directory: Path | None = None,
        *,
        num_cpus: int,
        num_gpus: int = 0,
        object_store_bytes: int = OBJECT_STORE_BYTES,
        prefix: str = "ls",
        dies_with_parent: bool = False,
        python: str = sys.executable,
    ) -> RayHead:
        """Start a head with so many logical CPUs and GPUs, its temporary folder made in `directory` (else in /tmp).

        `python`: the interpreter of the head, and so of every worker.
        """
        resources = [f"--num-cpus={num_cpus}", f"--object-store-memory={object_store_bytes}"]
        # Without the option Ray counts the machine's GPUs itself.
        resources += [f"--num-gpus={num_gpus}"] if num_gpus else []
        said = ""
        for _ in range(ATTEMPTS):
            temp_dir = _make_temp_dir(directory, prefix)
            head = cls._launch(temp_dir, resources, dies_with_parent, python)
            try:
                said = head._wait_until_ready()
            except BaseException:
                head.stop()
                raise
            if not said:
                return head
            head.stop()
            if not _is_port_clash(said):
                break
        last = said.strip().splitlines()[-1] if said.strip() else "it said nothing"
        raise RayHeadFailed(f"a Ray head of our own did not start: {last}")

    @classmethod
    def _launch(cls, temp_dir: Path, resources: list[str], dies_with_parent: bool, python: str) -> RayHead:
        token_path = temp_dir / "token"
        token_path.touch(mode=0o600)
        token_path.write_text(secrets.token_hex(32), encoding="ascii")
        port, dashboard, agent, client = _free_ports(4)
        command = [python, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
        command += [f"--port={port}", f"--dashboard-port={dashboard}", f"--dashboard-agent-listen-port={agent}"]
        command += [f"--ray-client-server-port={client}", f"--node-ip-address={HOST}", f"--dashboard-host={HOST}"]
        command += [f"--temp-dir={temp_dir}", *resources, "--disable-usage-stats", "--log-color=false"]
        if dies_with_parent:
            command = dying_with_parent(command)
        with (temp_dir / "head.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=temp_dir,
                env=_head_environment(os.environ, temp_dir, token_path),
                start_new_session=True,
            )
        return cls(f"{HOST}:{port}", f"http://{HOST}:{dashboard}", token_path, temp_dir, process)

    def environment(self) -> dict[str, str]:
        """What a driver or a reader of this head needs on top of its own environment."""
        variables = {"RAY_ADDRESS": self.address, "RAY_USAGE_STATS_ENABLED": "0", **_authentication(self.token_path)}
        if "RAY_AUTH_TOKEN" in os.environ:
            # Ray prefers this variable to the file, and the caller's is for another cluster.
            variables["RAY_AUTH_TOKEN"] = self.token_path.read_text(encoding="ascii")
        return variables

    def stop(self) -> None:
        """End the head and every process of it, then delete its temporary folder. Safe to call twice."""
        self._remember_processes()
        _end(self._known, END_SECONDS, only_stopped=True)
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._remember_processes()
        _end(self._known, END_SECONDS)
        shutil.rmtree(self.temp_dir, ignore_errors=True)

    def __enter__(self) -> RayHead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self) -> str:
        """Empty once a node is alive; else what the head said."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                return self._said() or f"it exited with {self.process.returncode}"
            if self._has_live_node():
                return ""
            time.sleep(0.1)
        return f"{self._said()}\nit was not up after {READY_SECONDS:.0f} s"

    def _has_live_node(self) -> bool:
        token = self.token_path.read_text(encoding="ascii")
        request = urllib.request.Request(
            f"{self.dashboard_url}/api/v0/nodes?limit=10", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5.0) as answer:
                nodes = json.load(answer)["data"]["result"]["result"]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return any(node.get("state") == "ALIVE" for node in nodes)

    def _said(self) -> str:
        return (self.temp_dir / "head.log").read_text(encoding="utf-8", errors="replace")

    def _remember_processes(self) -> None:
        """Note who belongs to this head: descendants, its session, its mark. Orphans keep session and mark."""
        import psutil

        mark = f"{MARK}={self.temp_dir}".encode()
        descendants: set[int] = set()
        with suppress(psutil.Error):
            descendants = {child.pid for child in psutil.Process(self.pid).children(recursive=True)}
        for process in psutil.process_iter():
            try:
                if process.pid in descendants or _in_session(process.pid, self.pid) or _has_mark(process.pid, mark):
                    self._known[process.pid] = process.create_time()
            except psutil.Error:
                continue


def _make_temp_dir(directory: Path | None, prefix: str) -> Path:
    temp_dir = Path(tempfile.mkdtemp(prefix=prefix, dir=directory or "/tmp"))
    if len(str(temp_dir)) > TEMP_DIR_CHARACTERS:
        temp_dir.rmdir()
        raise RayHeadFailed(
            f"{temp_dir} has {len(str(temp_dir))} characters, and Ray's sockets need a folder of at most "
            f"{TEMP_DIR_CHARACTERS}",
            "choose a shorter folder, such as /tmp",
        )
    return temp_dir


def _head_environment(caller: Mapping[str, str], temp_dir: Path, token_path: Path) -> dict[str, str]:
    """The caller's environment without what would tie the head to another Ray."""
    foreign = ("RAY_ADDRESS", "RAY_AUTH_TOKEN", "RAY_JOB_CONFIG_JSON_ENV_VAR", "RAY_NAMESPACE")
    kept = {key: value for key, value in caller.items() if key not in foreign}
    return {**kept, **_authentication(token_path), "RAY_USAGE_STATS_ENABLED": "0", MARK: str(temp_dir)}


def _authentication(token_path: Path) -> dict[str, str]:
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_path)}


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        port = random.choice(_PORTS)
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def _is_port_clash(said: str) -> bool:
    text = said.lower()
    return any(words in text for words in ("address already in use", "failed to bind", "port", "timed out"))


def _in_session(pid: int, session: int) -> bool:
    try:
        return os.getsid(pid) == session
    except OSError:
        return False


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _end(known: Mapping[int, float], seconds: float, *, only_stopped: bool = False) -> None:
    """Kill by pid those of `known` that live. A worker in state T would make the raylet wait for it in vain."""
    import psutil

    alive: list[psutil.Process] = []
    for pid, started in known.items():
        try:
            process = psutil.Process(pid)
            if process.create_time() == started and (not only_stopped or process.status() == psutil.STATUS_STOPPED):
                process.kill()
                alive.append(process)
        except psutil.Error:
            continue
    psutil.wait_procs(alive, timeout=seconds)
