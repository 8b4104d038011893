"""A process that nobody may look into tells its own threads, awaited ObjectRefs, system calls and descriptors.

Its Ray is a file of that name at the edge (a class ObjectRef and a `get_objects` that waits): all else is real.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
REF = "ab" * 12 + "cd" * 12 + "01000000"
FAKE_RAY = """
import threading
class ObjectRef:
    def __init__(self, text): self.text = text
    def hex(self): return self.text
ObjectRef.__module__ = "ray._raylet"
def get_objects(object_refs, timeout_ms=-1):
    LOCK.acquire()
LOCK = threading.Lock()
LOCK.acquire()
"""
TARGET = """
import ctypes, importlib.util, socket, sys, threading, time
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
from trainer_hooks import install
spec = importlib.util.spec_from_file_location("worker", sys.argv[1])
worker = importlib.util.module_from_spec(spec); spec.loader.exec_module(worker)
install.driver()
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=worker.get_objects, args=([worker.ObjectRef(sys.argv[2])],), name="getter", daemon=True).start()
threading.Thread(target=worker.get_objects, args=([object()],), name="odd", daemon=True).start()
time.sleep(0.5)
print("ready", flush=True)
time.sleep(3600)
"""
READER = """
import json, os, sys
from monitor.inspection.responder import ask
from monitor.inspection.threads import read_threads
from monitor.model.json_form import to_json
from monitor.sources import proc
from monitor.sources.sockets import SocketTables
pid = int(sys.argv[1])
answer = ask(pid, timeout=30.0)
print(json.dumps({"refused": read_threads(pid, timeout=30.0).unknown, "hidden": proc.hides_descriptors(pid),
    "threads": to_json(answer.threads), "because": answer.because,
    "listens": [s.state for s in SocketTables().with_inodes(pid, answer.descriptors.sockets)]}))
"""


@pytest.fixture
def told(own_folders: Path, tmp_path: Path) -> Any:
    """What a reader without the right to read says of the process."""
    worker = tmp_path / "ray" / "_private" / "worker.py"
    worker.parent.mkdir(parents=True)
    worker.write_text(FAKE_RAY)
    without: list[str] = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root needs setpriv to be without CAP_SYS_PTRACE")
        without = [setpriv, "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    child = subprocess.Popen(
        [sys.executable, "-c", TARGET, str(worker), REF], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        words = [*without, sys.executable, "-c", READER, str(child.pid)]
        done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    finally:
        child.kill()
        child.communicate()


def test_what_nobody_may_read_is_told_from_inside(told: Any) -> None:
    assert "not permitted" in told["refused"] and told["hidden"], "it could be read after all"
    threads = {thread["name"]: thread for thread in told["threads"]}
    getter = threads["getter"]
    assert getter["waiting_refs"] == [REF] and getter["refs_unreadable"] == ""
    assert getter["locals_repr"] == {"timeout_ms": "-1"}
    assert (getter["kernel_wait"], getter["kernel_wait_ends"]) == ("lock", False)
    assert getter["thread_id"] > 0 and getter["cpu_seconds"] is not None
    assert (threads["MainThread"]["kernel_wait"], threads["MainThread"]["kernel_wait_ends"]) == ("sleep", True)
    assert told["listens"] == ["0A"], "its one socket, found by the inode that it told"


def test_what_is_no_object_ref_is_said_and_never_called(told: Any) -> None:
    odd = next(thread for thread in told["threads"] if thread["name"] == "odd")
    assert odd["waiting_refs"] == [] and "no ObjectRef" in odd["refs_unreadable"]
