"""The hooks open a process to readers only where they are asked to, and a refusal never reaches the trainer."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.trainer_hooks.conftest import Hooked
from trainer_hooks import install, ptracer, records

IDLE = "import time\nprint('ready', flush=True)\ntime.sleep(1000)"
YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")


def _errors(hooked: Callable[..., Hooked]) -> list[str]:
    return [error for error in hooked(IDLE).ask()["errors"] if error.startswith("ptracer")]


@pytest.mark.parametrize("value", ["any", "1"])
def test_the_kernel_is_asked_and_its_refusal_is_told_by_the_responder(
    hooked: Callable[..., Hooked], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(records.PTRACER_VARIABLE, value)
    errors = _errors(hooked)
    if YAMA.exists():
        assert errors == []
    else:
        assert len(errors) == 1 and "PR_SET_PTRACER" in errors[0], "without Yama the kernel knows no such call"


def test_a_value_that_names_nobody_is_told_and_opens_nothing(
    hooked: Callable[..., Hooked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(records.PTRACER_VARIABLE, "0")
    assert "a pid or `any`" in _errors(hooked)[0]


def test_without_the_variable_nothing_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*words: Any, **more: Any) -> None:
        raise AssertionError("called without being asked")

    monkeypatch.delenv(records.PTRACER_VARIABLE, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", never)
    ptracer.allow()


def test_a_refusal_of_the_kernel_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def prctl(self, *words: Any) -> int:
            ctypes.set_errno(errno.EINVAL)
            return -1

    monkeypatch.setenv(records.PTRACER_VARIABLE, "any")
    monkeypatch.setattr(ctypes, "CDLL", lambda *words, **more: Refusing())
    with pytest.raises(OSError, match="PR_SET_PTRACER: Invalid argument"):
        ptracer.allow()


def test_ray_workers_of_the_job_are_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(records.PTRACER_VARIABLE, "4711")
    assert install.into_ray({})["env_vars"][records.PTRACER_VARIABLE] == "4711"
