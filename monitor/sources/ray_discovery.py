"""Which Ray is meant: the caller's environment, then Ray's own processes of the same uid; the token likewise.

No Ray client, no driver: command lines and environments under /proc only. Another user's Ray is named and refused.
A Ray on another machine is taken from its address alone. Does not ask whether it answers: that is `ray_api`.
"""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from monitor.model.reading import SourceError
from monitor.sources.ray_processes import RayProcess, list_ray_processes

LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0"})
DEFAULT_DASHBOARD_PORT = 8265
ListProcesses = Callable[[], Iterable[RayProcess]]


class NoRay(SourceError):
    """No Ray that could be meant."""

    HELP_TEXT = "start your training, or `laststep demo`; a Ray elsewhere is found by RAY_ADDRESS or `--ray ADDRESS`"


class ForeignRay(SourceError):
    """Ray runs here, but another user owns it."""

    HELP_TEXT = "run laststep as that user: processes of another user can't be read"


class SeveralRays(SourceError):
    """More than one Ray of this user."""

    HELP_TEXT = "say which one: `--ray HOST:PORT`, or RAY_ADDRESS"


class NoDashboard(SourceError):
    """Ray runs without its HTTP API."""

    HELP_TEXT = (
        "`pip install 'ray[default]'` where the head runs, and start it with its dashboard "
        "(`ray start --head --include-dashboard=true`, or no `include_dashboard=False` in `ray.init`)"
    )


@dataclass(frozen=True)
class RayCluster:
    """A Ray cluster as seen from this machine."""

    gcs_address: str
    dashboard_url: str
    """Empty where no dashboard serves HTTP."""
    session_dir: Path | None
    token: str | None = field(default=None, repr=False)
    raylet_pid: int | None = None
    node_id: str | None = None
    token_from: str = ""
    """Where the token was read, never the token."""
    system_pids: tuple[int, ...] = ()
    """raylet, gcs_server and dashboard on this machine."""


def find_clusters(
    list_processes: ListProcesses = list_ray_processes, environ: Mapping[str, str] | None = None
) -> tuple[RayCluster, ...]:
    """Every Ray cluster of this user that has processes on this machine, by GCS address."""
    caller = os.environ if environ is None else environ
    own = [process for process in list_processes() if process.uid == os.getuid()]
    groups: dict[str, list[RayProcess]] = {}
    for process in own:
        address = _gcs_address(process)
        if address:
            groups.setdefault(address, []).append(process)
    return tuple(_cluster(address, group, caller) for address, group in sorted(groups.items()))


def find_cluster(
    address: str | None = None,
    list_processes: ListProcesses = list_ray_processes,
    environ: Mapping[str, str] | None = None,
) -> RayCluster:
    """The one cluster that is meant. Raises `NoRay`, `ForeignRay`, `SeveralRays`, `NoDashboard`."""
    caller = os.environ if environ is None else environ
    processes = tuple(list_processes())
    clusters = find_clusters(lambda: processes, caller)
    foreign = [process for process in processes if process.uid != os.getuid()]
    asked = address or caller.get("RAY_ADDRESS", "")
    if asked and asked not in ("auto", "local"):
        chosen = _by_address(asked, clusters, foreign, caller, "the address given" if address else "RAY_ADDRESS")
    elif len(clusters) > 1:
        names = ", ".join(f"{cluster.gcs_address} (raylet pid {cluster.raylet_pid})" for cluster in clusters)
        raise SeveralRays(f"{len(clusters)} Ray clusters of yours run on this machine: {names}")
    elif clusters:
        chosen = clusters[0]
    elif foreign:
        raise _foreign(foreign[0])
    else:
        raise NoRay("no Ray runs on this machine")
    if not chosen.dashboard_url:
        raise NoDashboard(f"the Ray at {chosen.gcs_address} runs without its HTTP API, so its calls can't be read")
    return chosen


def _by_address(
    asked: str, clusters: Iterable[RayCluster], foreign: list[RayProcess], caller: Mapping[str, str], origin: str
) -> RayCluster:
    host, port, is_http = _split(asked)
    for cluster in clusters:
        known = cluster.dashboard_url if is_http else cluster.gcs_address
        known_host, known_port, _ = _split(known) if known else ("", None, False)
        same_port = port is None or port == known_port
        if same_port and (host == known_host or (_is_local(host) and _is_local(known_host))):
            return cluster
    for process in foreign:
        if (_gcs_address(process) or "").endswith(f":{port}") and _is_local(host):
            raise _foreign(process)
    if _is_local(host) and not is_http:
        raise NoRay(f"no Ray of yours runs at {asked} ({origin})")
    server = asked if is_http else caller.get("RAY_API_SERVER_ADDRESS") or f"http://{host}:{DEFAULT_DASHBOARD_PORT}"
    token, origin_of_token = _token(caller, {})
    return RayCluster(f"{host}:{port}" if port else host, server.rstrip("/"), None, token, token_from=origin_of_token)


def _split(address: str) -> tuple[str, int | None, bool]:
    scheme, separator, rest = address.partition("://")
    parts = urlsplit(f"//{rest if separator else address}")
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname or address, port, scheme in ("http", "https") and bool(separator)


def _is_local(host: str) -> bool:
    if host in LOCAL_HOSTS:
        return True
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _foreign(process: RayProcess) -> ForeignRay:
    try:
        owner = pwd.getpwuid(process.uid).pw_name
    except KeyError:
        owner = f"uid {process.uid}"
    return ForeignRay(f"the Ray on this machine ({process.kind}, pid {process.pid}) belongs to {owner}, not to you")


def _gcs_address(process: RayProcess) -> str | None:
    flags = process.flags
    if flags.get("gcs-address"):
        return flags["gcs-address"]
    port = flags.get("gcs-server-port")
    return f"{flags.get('node-ip-address', '127.0.0.1')}:{port}" if port and port != "0" else None


def _cluster(address: str, group: list[RayProcess], caller: Mapping[str, str]) -> RayCluster:
    by_kind = {process.kind: process for process in group}
    raylet = by_kind.get("raylet")
    flags: dict[str, str] = {}
    environ: dict[str, str] = {}
    for process in group:
        flags.update(process.flags)
        environ.update(process.environ)
    token, origin = _token(caller, environ)
    session = flags.get("session-dir")
    return RayCluster(
        address,
        _dashboard_url(by_kind, address),
        Path(session) if session else None,
        token,
        raylet.pid if raylet else None,
        flags.get("node-id"),
        origin,
        tuple(process.pid for process in group),
    )


def _dashboard_url(by_kind: Mapping[str, RayProcess], address: str) -> str:
    """Where the dashboard listens: its own flags and sockets here, the raylet's word for it on a worker node."""
    dashboard = by_kind.get("dashboard")
    if dashboard is not None:
        if "minimal" in dashboard.flags or not dashboard.flags.get("port", "").isdigit():
            return ""
        first = int(dashboard.flags["port"])
        last = first + int(dashboard.flags.get("port-retries", "0") or 0)
        port = next((port for port in dashboard.listening if first <= port <= last), None)
        host = dashboard.flags.get("host", "127.0.0.1")
        host = "127.0.0.1" if host in ("0.0.0.0", "localhost", "::") else host
        return f"http://{host}:{port}" if port else ""
    if "gcs" in by_kind or "raylet" not in by_kind:
        return ""
    web = by_kind["raylet"].flags.get("webui", "")
    host, port, _ = _split(web) if web else ("", None, False)
    if not port:
        return ""
    head = _split(address)[0]
    return f"http://{head if host in LOCAL_HOSTS else host}:{port}"


def _token(caller: Mapping[str, str], cluster: Mapping[str, str]) -> tuple[str | None, str]:
    """The token, and where it was read: the caller's variables, the cluster's own, then ~/.ray/auth_token."""
    for environ, whose in ((caller, "your environment"), (cluster, "Ray's own environment")):
        if environ.get("RAY_AUTH_TOKEN"):
            return environ["RAY_AUTH_TOKEN"].strip(), f"RAY_AUTH_TOKEN in {whose}"
        path = environ.get("RAY_AUTH_TOKEN_PATH")
        if path:
            return _token_file(Path(path), f"{path} (RAY_AUTH_TOKEN_PATH in {whose})")
    home = cluster.get("HOME") or caller.get("HOME") or os.path.expanduser("~")
    path = os.path.join(home, ".ray", "auth_token")
    return _token_file(Path(path), path) if os.path.exists(path) else (None, "")


def _token_file(path: Path, origin: str) -> tuple[str | None, str]:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip() or None, origin
    except (OSError, UnicodeDecodeError) as error:
        return None, f"{origin}, which can't be read: {getattr(error, 'strerror', None) or error}"
