"""What a thread's `ray.get` waits for, told from inside: Ray's own ids only, never a method of anything else."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from trainer_hooks.await_chain import Link
from trainer_hooks.own_threads import waited_refs

RAY_WORKER = "/env/lib/python3.11/site-packages/ray/_private/worker.py"


def _waiting(object_refs: list[Any]) -> types.FrameType:
    assert object_refs
    return sys._getframe()


def test_an_object_ref_of_ray_itself_is_told_by_its_id() -> None:
    ray = pytest.importorskip("ray")
    ref = ray.ObjectRef.from_random()
    link = Link("Worker.get_objects", RAY_WORKER, 1, _waiting([ref]))
    assert waited_refs([link]) == ([ref.hex()], "")


def test_another_class_of_that_name_is_never_asked_for_its_id() -> None:
    def never(_: object) -> str:
        raise AssertionError("code of the run was called")

    impostor = type("ObjectRef", (), {"hex": never, "__module__": "rayon.client"})()
    refs, unreadable = waited_refs([Link("Worker.get_objects", RAY_WORKER, 1, _waiting([impostor]))])
    assert refs == [] and "no ObjectRef" in unreadable
