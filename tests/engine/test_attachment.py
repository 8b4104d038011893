"""A run without Ray that is watched: who belongs to it is asked again and again, what its hooks wrote is not."""

from __future__ import annotations

import shutil

from monitor.engine.engine import Attachment
from monitor.sources.hooked_run import NO_RAY, NoRayApi, hooked_runs
from tests.sources.test_hooked_run import Start, hooks, start

__all__ = ["hooks", "start"]


def test_its_processes_are_asked_again_without_a_look_at_its_hooks_files(start: Start, hooks: str) -> None:
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    start(RANK="0", **place)
    (found,) = hooked_runs(hooks)
    second = start(trainer="verl", RANK="1", **place)
    shutil.rmtree(hooks)
    anew = Attachment(NO_RAY, NoRayApi(), found).located_anew()
    assert (anew.name, anew.config) == (found.name, found.config)
    assert second.pid in {process.pid for process in anew.processes}
