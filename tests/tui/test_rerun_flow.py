"""The confirmation: the run's whole name and nothing less, and only while a plan without failed lines waits."""

from __future__ import annotations

import pytest

from monitor.tui.rerun_flow import RerunFlow
from tests.tui import examples


@pytest.mark.parametrize("typed", ["", "y", "yes", examples.RUN[:-1], examples.RUN.lower(), examples.RUN + "x"])
def test_less_than_the_name_confirms_nothing(typed: str) -> None:
    assert not RerunFlow().began(examples.RUN, None).with_plan(examples.planned()).confirms(typed)


def test_the_name_confirms_a_plan_that_waits() -> None:
    assert RerunFlow().began(examples.RUN, None).with_plan(examples.planned()).confirms(f" {examples.RUN} ")


def test_nothing_else_can_be_confirmed() -> None:
    planned = RerunFlow().began(examples.RUN, None).with_plan(examples.planned())
    refused = RerunFlow().began(examples.RUN, None).with_plan(examples.planned(refused=True))
    for flow in (
        RerunFlow(),
        RerunFlow().began(examples.RUN, None),
        refused,
        planned.launching(),
        planned.launched("r"),
    ):
        assert not flow.confirms(examples.RUN)
