"""Which processes belong to a cluster without belonging to the run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from monitor.sources.ray_discovery import RayCluster
from monitor.sources.run_processes import IDLE, idle_workers, is_untitled_agent
from tests.sources.hung_ray import wait_until


@contextmanager
def _titled(title: str) -> Iterator[int]:
    """A child of this process with that command line; a shell at its input."""
    with subprocess.Popen([title], executable="/bin/sh", stdin=subprocess.PIPE) as child:
        yield child.pid


def test_the_raylets_workers_without_work_are_its_children_of_that_title() -> None:
    me = RayCluster("127.0.0.1:6379", "", None, raylet_pid=os.getpid())
    with _titled(IDLE) as idle, _titled("ray::RolloutServer"):
        wait_until(lambda: bool(idle_workers(me)))
        assert idle_workers(me) == {idle}
        assert idle_workers(RayCluster("127.0.0.1:6379", "", None, raylet_pid=idle)) == frozenset()
    assert idle_workers(RayCluster("127.0.0.1:6379", "", None)) == frozenset()


def test_an_agent_without_a_title_is_told_by_its_file_and_a_worker_is_none() -> None:
    packages = "/env/lib/python3.11/site-packages"
    assert is_untitled_agent(f"/env/bin/python -u {packages}/ray/dashboard/agent.py --node-ip-address=127.0.0.1")
    assert is_untitled_agent(f"/env/bin/python -u {packages}/ray/_private/runtime_env/agent/main.py")
    assert not is_untitled_agent(f"/env/bin/python {packages}/ray/_private/workers/default_worker.py")
    assert not is_untitled_agent("python /home/me/agent.py --x=/ray/dashboard/agent.py.log")
