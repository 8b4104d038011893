"""Wrapping: the original behaves as it did, whatever its observers do."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import pickle
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from trainer_hooks.frameworks.wrapping import Call, Wrap, apply
from trainer_hooks.recorder import Recorder

SEEN: list[tuple[str, Any]] = []


def before(call: Call) -> str:
    """An observer that works."""
    SEEN.append(("before", call.args[-1] if call.args else None))
    return "state"


def after(call: Call) -> None:
    """An observer that works."""
    SEEN.append(("after", (call.state, call.result, type(call.error).__name__)))


def broken(call: Call) -> None:
    """An observer that fails."""
    raise RuntimeError("an observer's own fault")


class Trainer:
    """What gets wrapped."""

    def double(self, number: int, times: int = 2) -> int:
        """Doubles."""
        if number < 0:
            raise ValueError(number)
        return number * times

    async def wait(self, number: int) -> int:
        await asyncio.sleep(0)
        return self.double(number)

    @staticmethod
    def static(number: int) -> int:
        return number + 1

    @classmethod
    def named(cls, number: int) -> str:
        return f"{cls.__name__}{number}"

    def numbers(self) -> Iterator[int]:
        yield 1


@contextlib.contextmanager
def timer(name: str, timing: dict[str, int]) -> Iterator[str]:
    """A context manager as trainers have them."""
    yield name
    timing[name] = 1


@pytest.fixture
def module() -> ModuleType:
    """A module with a trainer of its own to wrap."""
    SEEN.clear()
    made = ModuleType("some_trainer")
    made.Trainer = type("Trainer", (Trainer,), {**vars(Trainer), "__module__": __name__})  # type: ignore[attr-defined]
    made.timer = timer  # type: ignore[attr-defined]
    return made


def wrap(path: str, module: ModuleType, first: Any = before, then: Any = after, **kind: bool) -> bool:
    """Wrap one name with the observers."""
    return apply(Wrap(module.__name__, path, first, then, **kind), module)


def test_method_returns_and_raises_as_before(module: ModuleType) -> None:
    assert wrap("Trainer.double", module)
    trainer = module.Trainer()
    assert trainer.double(4, times=3) == 12
    with pytest.raises(ValueError, match="-1"):
        trainer.double(-1)
    assert SEEN == [
        ("before", 4),
        ("after", ("state", 12, "NoneType")),
        ("before", -1),
        ("after", ("state", None, "ValueError")),
    ]


def test_coroutine_stays_a_coroutine_function(module: ModuleType) -> None:
    assert wrap("Trainer.wait", module)
    assert inspect.iscoroutinefunction(module.Trainer.wait)
    assert asyncio.run(module.Trainer().wait(5)) == 10
    assert SEEN[-1] == ("after", ("state", 10, "NoneType"))


def test_cancelled_coroutine_is_cancelled(module: ModuleType) -> None:
    wrap("Trainer.wait", module)

    async def cancel() -> None:
        task = asyncio.ensure_future(module.Trainer().wait(5))
        await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel())
    assert SEEN[-1] == ("after", ("state", None, "CancelledError"))


def test_static_and_class_methods_stay_what_they_are(module: ModuleType) -> None:
    assert wrap("Trainer.static", module) and wrap("Trainer.named", module)
    assert module.Trainer.static(1) == 2 and module.Trainer().static(1) == 2
    assert module.Trainer.named(1) == "Trainer1"


def test_context_manager_keeps_value_effect_and_exceptions(module: ModuleType) -> None:
    assert wrap("timer", module, context_manager=True)
    timing: dict[str, int] = {}
    with module.timer("gen", timing) as value:
        assert value == "gen" and [("before", timing)] == SEEN
    assert timing == {"gen": 1}
    with pytest.raises(KeyError), module.timer("fails", timing):
        raise KeyError("in the body")
    assert "fails" not in timing and SEEN[-1][1][2] == "KeyError"


def test_context_manager_that_swallows_still_swallows(module: ModuleType) -> None:
    module.timer = lambda name: contextlib.suppress(KeyError)  # type: ignore[attr-defined]
    assert wrap("timer", module, context_manager=True)
    with module.timer("gen"):
        raise KeyError("swallowed")


def test_observers_that_fail_change_nothing_and_are_counted(module: ModuleType, fresh_recorder: Recorder) -> None:
    wrap("Trainer.double", module, broken, broken)
    wrap("timer", module, broken, broken, context_manager=True)
    assert module.Trainer().double(2) == 4
    with module.timer("gen", {}):
        pass
    assert sum(fresh_recorder.errors.values()) == 4


def test_wrapping_twice_observes_once(module: ModuleType) -> None:
    assert wrap("Trainer.double", module) and wrap("Trainer.double", module)
    module.Trainer().double(1)
    assert len(SEEN) == 2


@pytest.mark.parametrize("path", ["Trainer.absent", "Absent.fit", "absent", "Trainer", "Trainer.numbers"])
def test_what_is_not_there_or_can_not_be_wrapped_is_said(module: ModuleType, path: str) -> None:
    assert not wrap(path, module)


def test_signature_name_and_attributes_stay(module: ModuleType) -> None:
    original = module.Trainer.double
    original.marked = "by the trainer"
    wrap("Trainer.double", module)
    wrapped = module.Trainer.double
    assert inspect.signature(wrapped) == inspect.signature(original)
    assert (wrapped.__name__, wrapped.__qualname__, wrapped.__doc__) == ("double", original.__qualname__, "Doubles.")
    assert wrapped.marked == "by the trainer"


def test_what_a_wrapper_holds_can_be_pickled(module: ModuleType) -> None:
    # A class defined in a script travels by value, wrappers included: cells must hold what pickles.
    wrap("Trainer.double", module, before, after)
    for cell in module.Trainer.double.__closure__ or ():
        if not inspect.isfunction(cell.cell_contents) or cell.cell_contents is not Trainer.double:
            pickle.dumps(cell.cell_contents)
