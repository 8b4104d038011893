"""State of processes: running, stopped, gone; children; sockets that lead outside."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from monitor.sources.proc import open_devices
from monitor.sources.processes import GPU_DEVICES, process_state, process_states
from monitor.sources.run_processes import RunProcess
from monitor.sources.sockets import ESTABLISHED, LISTEN, SocketTables, tcp_sockets
from tests.sources.hung_ray import wait_until

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def _process(pid: int) -> RunProcess:
    return RunProcess(pid, "rollout", f"server (pid {pid})", "actor", "worker", "node")


def test_a_stopped_process_is_in_state_t_and_one_that_is_gone_in_x() -> None:
    child = subprocess.Popen(SLEEP)
    try:
        os.kill(child.pid, signal.SIGSTOP)
        wait_until(lambda: process_state(_process(child.pid), []).state == "T")
    finally:
        child.kill()
        child.wait()
    gone = process_state(_process(child.pid), [])
    assert (gone.state, gone.role, gone.label, gone.actor_id) == ("X", "rollout", f"server (pid {child.pid})", "actor")


def test_a_process_is_told_with_its_start_its_memory_and_its_children() -> None:
    child = subprocess.Popen(SLEEP)
    try:
        me = process_state(_process(os.getpid()), [])
    finally:
        child.kill()
        child.wait()
    assert child.pid in me.children
    assert me.rss_bytes > 1 << 20 and me.cpu_seconds > 0
    assert time.time() - 86400 * 30 < me.started_at <= time.time() + 2
    assert "python" in me.command


def test_a_socket_inside_the_cluster_is_not_outside_and_another_is() -> None:
    code = "import socket, sys, time\ns = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\ntime.sleep(600)"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        child = subprocess.Popen([sys.executable, "-c", code, str(port)])
        try:
            connection, _ = server.accept()
            with connection:
                alone = process_state(_process(child.pid), [])
                assert alone.outside_connections == (f"127.0.0.1:{port}",)
                together = process_states([_process(child.pid)], [os.getpid()])[0]
                assert together.outside_connections == ()
        finally:
            child.kill()
            child.wait()


def test_sockets_of_a_process_are_read_with_their_state() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("::1", port)):
            states = {(s.local_ip, s.local_port, s.state) for s in tcp_sockets(os.getpid())}
            assert ("::1", port, LISTEN) in states
            assert any(s.remote_port == port and s.state == ESTABLISHED for s in tcp_sockets(os.getpid()))
    assert tcp_sockets(2**22 - 3) == ()
    assert Path("/proc/self/net/tcp").exists()


def test_the_tables_of_one_look_are_read_once() -> None:
    tables = SocketTables()
    with socket.create_server(("127.0.0.1", 0)) as first:
        assert first.getsockname()[1] in {s.local_port for s in tables.of(os.getpid())}
        with socket.create_server(("127.0.0.1", 0)) as second:
            assert second.getsockname()[1] not in {s.local_port for s in tables.of(os.getpid())}
            assert second.getsockname()[1] in {s.local_port for s in tcp_sockets(os.getpid())}


def test_devices_that_a_process_holds_open_are_known_by_their_files() -> None:
    child = subprocess.Popen(SLEEP, stdin=subprocess.DEVNULL)
    try:
        assert "/dev/null" in open_devices(child.pid)
        assert process_state(_process(child.pid), []).gpu_open is False
        assert "/dev/nvidia0".startswith(GPU_DEVICES) and not "/dev/null".startswith(GPU_DEVICES)
    finally:
        child.kill()
        child.wait()
