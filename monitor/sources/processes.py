"""State of the run's processes: kernel state, CPU time, memory, children, and sockets that lead outside the cluster.

Read on suspicion only, a few milliseconds a process. Threads, tasks and loops are `inspection`'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace

from monitor.model.descriptors import Descriptors
from monitor.model.snapshot import ProcessState
from monitor.sources import proc
from monitor.sources.run_processes import RunProcess
from monitor.sources.sockets import ESTABLISHED, SocketTables, TcpSocket, socket_inodes

GPU_DEVICES = ("/dev/nvidia", "/dev/kfd", "/dev/dri/render")
"""Device files of NVIDIA's and AMD's drivers."""
GONE = "X"
HIDDEN = "what it has open may not be looked at, and no hook of its own tells"


def process_state(process: RunProcess, cluster_pids: Iterable[int]) -> ProcessState:
    """State of one process; `X` where it is gone."""
    return process_states([process], cluster_pids)[0]


def process_states(
    processes: Iterable[RunProcess], cluster_pids: Iterable[int], told: Mapping[int, Descriptors] | None = None
) -> tuple[ProcessState, ...]:
    """States of several processes; the sockets of the whole cluster are read once.

    `told`: what processes say of their own descriptors, which counts where nobody else may look.
    """
    listed = list(processes)
    pids = frozenset(cluster_pids) | {process.pid for process in listed}
    hidden = {pid for pid in pids if proc.hides_descriptors(pid)}
    own = {pid: found for pid, found in (told or {}).items() if pid in hidden}
    # All descriptors before the tables, so that no socket is newer than the table that it is looked up in.
    inodes = {pid: own[pid].sockets if pid in own else socket_inodes(pid) for pid in pids}
    tables = SocketTables()
    sockets = {pid: tables.with_inodes(pid, found) for pid, found in inodes.items()}
    inside = {(socket.local_ip, socket.local_port) for found in sockets.values() for socket in found}
    inside_ports = {socket.local_port for found in sockets.values() for socket in found if _is_wildcard(socket)}
    table, boot_time = proc.parents(), _boot_time()
    # Ray's own daemons under a driver that started them are no children of its work.
    daemons = frozenset(pid for pid in pids if proc.command_name(pid) in ("raylet", "gcs_server"))
    found_states = []
    for process in listed:
        state = _state(process, boot_time)
        if state.state != GONE:
            outside = {
                f"{socket.remote_ip}:{socket.remote_port}"
                for socket in sockets.get(process.pid, ())
                if socket.state == ESTABLISHED and not _is_inside(socket, inside, inside_ports)
            }
            children = proc.descendants(process.pid, table, daemons - {process.pid})
            state = replace(state, children=children, outside_connections=tuple(sorted(outside)))
        if process.pid in own:
            state = replace(state, gpu_open=any(path.startswith(GPU_DEVICES) for path in own[process.pid].devices))
        elif process.pid in hidden:
            state = replace(state, descriptors_unknown=HIDDEN)
        found_states.append(state)
    return tuple(found_states)


def _state(process: RunProcess, boot_time: float) -> ProcessState:
    """What it says of itself alone."""
    known = ProcessState(
        process.pid,
        0.0,
        "",
        process.role,
        process.label,
        GONE,
        actor_id=process.actor_id,
        worker_id=process.worker_id,
        node_id=process.node_id,
    )
    fields = proc.stat_fields(process.pid)
    if len(fields) < 22:
        return known
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    return replace(
        known,
        started_at=boot_time + int(fields[19]) / tick,
        command=proc.title(process.pid),
        state=fields[0],
        cpu_seconds=(int(fields[11]) + int(fields[12])) / tick,
        rss_bytes=int(fields[21]) * page,
        gpu_open=any(device.startswith(GPU_DEVICES) for device in proc.open_devices(process.pid)),
        signal_handlers=proc.signal_handlers(process.pid),
    )


def _is_wildcard(socket: TcpSocket) -> bool:
    return socket.local_ip in ("0.0.0.0", "::")


def _is_inside(socket: TcpSocket, inside: set[tuple[str, int]], wildcard_ports: set[int]) -> bool:
    """The peer's end is a socket of the cluster here. A wildcard listener stands for any address of this machine."""
    peer = (socket.remote_ip, socket.remote_port)
    return peer in inside or (socket.remote_port in wildcard_ports and socket.remote_ip == socket.local_ip)


def _boot_time() -> float:
    with open("/proc/stat", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("btime "):
                return float(line.split()[1])
    return 0.0
