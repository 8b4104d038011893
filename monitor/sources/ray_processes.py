"""Ray's own processes on this machine: raylet, gcs_server and dashboard, by their command lines.

Only /proc is read, so no Ray client is needed and nothing is registered anywhere. Does not decide which cluster is
meant: that is `ray_discovery`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.sources.sockets import LISTEN, tcp_sockets


@dataclass(frozen=True)
class RayProcess:
    """One system process of a Ray node."""

    pid: int
    uid: int
    kind: str
    """`raylet`, `gcs` or `dashboard`."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Its `--name=value` arguments, names with `-` for `_`."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Empty where another user's."""
    listening: tuple[int, ...] = ()


def list_ray_processes() -> tuple[RayProcess, ...]:
    """Ray's system processes that this user can see, of any user."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            process = _read(int(name))
            if process is not None:
                found.append(process)
    return tuple(found)


def kind_of(arguments: Iterable[str]) -> str | None:
    """Which of Ray's system processes has this command line, None for any other process."""
    words = list(arguments)
    first = os.path.basename(words[0]) if words else ""
    if first == "raylet":
        return "raylet"
    if first == "gcs_server":
        return "gcs"
    if any(word.endswith("ray/dashboard/dashboard.py") for word in words[:4]):
        return "dashboard"
    return None


def parse_flags(arguments: Iterable[str]) -> dict[str, str]:
    """`--a_b=c` as {"a-b": "c"}; `--webui` is looked up inside the raylet's worker command, where Ray puts it."""
    flags: dict[str, str] = {}
    for word in arguments:
        if word.startswith("--") and "=" in word:
            name, _, value = word[2:].partition("=")
            flags[name.replace("_", "-")] = value
    for word in flags.get("python-worker-command", "").split():
        if word.startswith("--webui="):
            flags["webui"] = word.partition("=")[2]
    return flags


def _read(pid: int) -> RayProcess | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            arguments = [part.decode("utf-8", "replace") for part in file.read().split(b"\0") if part]
        kind = kind_of(arguments)
        if kind is None:
            return None
        uid = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return None
    own = uid == os.getuid()
    environ = process_environ(pid) if own else {}
    listening = tuple(sorted(socket.local_port for socket in tcp_sockets(pid) if socket.state == LISTEN)) if own else ()
    return RayProcess(pid, uid, kind, parse_flags(arguments), environ, listening)


def process_environ(pid: int) -> dict[str, str]:
    """The environment a process was started with; empty where it can't be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            parts = file.read().split(b"\0")
    except OSError:
        return {}
    pairs = (part.decode("utf-8", "surrogateescape").partition("=") for part in parts if b"=" in part)
    return {name: value for name, _, value in pairs}
