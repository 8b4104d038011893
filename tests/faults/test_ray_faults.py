"""Faults on a real Ray are named with class, process and line; what is healthy there is never proved hung."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.faults import HEALTHY_ON_RAY, ON_RAY, Fault
from tests.faults.ray_harness import Head, faulty_head, watched_on_ray
from tests.faults.test_faults import check

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def ray() -> Iterator[Head]:
    with faulty_head() as head:
        yield head


@pytest.mark.parametrize("fault", ON_RAY, ids=lambda fault: fault.script)
def test_a_fault_on_ray_is_named_with_class_process_and_line(ray: Head, fault: Fault, tmp_path: Path) -> None:
    check(fault, watched_on_ray(ray, fault.script, 1, tmp_path))


@pytest.mark.parametrize("script", HEALTHY_ON_RAY)
def test_a_healthy_run_on_ray_is_not_proved_hung(ray: Head, script: str, tmp_path: Path) -> None:
    assert watched_on_ray(ray, script, 1, tmp_path).verdict.findings == ()
