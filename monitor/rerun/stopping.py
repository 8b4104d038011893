"""Ends what a stop plan names: the driver is asked first, then told, then killed; then what is left of its workers.

A signal goes through a file descriptor of the process, opened before its start time is compared: a pid that was given
to another process meanwhile can't be hit. Ray, and other jobs in it, are not touched.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from monitor.rerun.stop_plan import StopPlan, StopTarget

POLL_SECONDS = 0.1
ASKED = ((signal.SIGINT, 20.0), (signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0))
"""To the driver, each with the seconds it is given. A driver asked by SIGINT says goodbye to Ray, which ends its
workers; one started in the background of a script ignores SIGINT."""
LEFT = ((signal.SIGTERM, 5.0), (signal.SIGKILL, 10.0))
"""To each worker that outlives the driver."""
RAY_SECONDS = 10.0
"""What Ray is given to end a job's workers once its driver is gone."""


@dataclass(frozen=True)
class Stopped:
    """How it went."""

    said: tuple[str, ...]
    """What was done, a sentence each."""
    left: tuple[StopTarget, ...]
    """Those that live on; empty where all ended."""


def stop(plan: StopPlan, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep) -> Stopped:
    """End the plan's processes; `tell` hears each step. Takes a minute at most."""
    said: list[str] = []

    def note(text: str) -> None:
        said.append(text)
        tell(text)

    for number, seconds in ASKED:
        if not send(plan.driver, number):
            break
        note(f"{number.name} to {plan.driver.label}")
        wait_for((plan.driver,), seconds, sleep)
    wait_for(plan.others, RAY_SECONDS, sleep)
    for number, seconds in LEFT:
        hit = [target for target in plan.others if send(target, number)]
        for target in hit:
            note(f"{number.name} to {target.label}")
        wait_for(hit, seconds, sleep)
    return Stopped(tuple(said), tuple(target for target in (plan.driver, *plan.others) if target.alive))


def send(target: StopTarget, number: signal.Signals) -> bool:
    """The signal to this very process; False where it is gone, or may not be signalled."""
    try:
        handle = os.pidfd_open(target.pid)
    except OSError:
        return False
    try:
        if not target.alive:
            return False
        signal.pidfd_send_signal(handle, number)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True


def wait_for(targets: Iterable[StopTarget], seconds: float, sleep: Callable[[float], None]) -> None:
    """Until all of them are gone, or the time is over."""
    waited = 0.0
    listed = list(targets)
    while waited < seconds and any(target.alive for target in listed):
        sleep(POLL_SECONDS)
        waited += POLL_SECONDS
