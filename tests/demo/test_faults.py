"""Fault orders: due in one validation only, recorded once."""

from __future__ import annotations

import json
import os
from pathlib import Path

from monitor.demo.faults import HANG_CLASSES, FaultOrder


def test_an_order_is_due_for_its_class_and_step_only(tmp_path: Path) -> None:
    order = FaultOrder("self-get", 29, str(tmp_path / "injected.json"))
    assert order.is_due("self-get", 29)
    assert not order.is_due("self-get", 20)
    assert not order.is_due("lost-wakeup", 29)
    assert not any(FaultOrder(step=29).is_due(hang, 29) for hang in HANG_CLASSES)


def test_the_first_record_stays(tmp_path: Path) -> None:
    order = FaultOrder("slow", 29, str(tmp_path / "injected.json"))
    order.place()
    first = (tmp_path / "injected.json").read_text()
    order.place()
    assert (tmp_path / "injected.json").read_text() == first
    assert json.loads(first)["class"] == "slow"
    assert json.loads(first)["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == [tmp_path / "injected.json"]
    order.wait_until_placed()
