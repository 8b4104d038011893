"""Wrapping of a trainer's functions: observers around the original, which runs exactly as it did.

Covers finding a name in a module, wrapping functions, methods, coroutines and context managers, and calling observers
so that none of their errors reaches the trainer. When a module is wrapped is `on_import.py`; which names, and what is
recorded of them, is one file a trainer (`demo.py`).

A class defined in a script is pickled by value into Ray's workers, wrappers and all: they therefore hold nothing but
the original and module-level observers, which pickle by reference.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from trainer_hooks import recorder

MARK = "__laststep_wrapped__"


@dataclass
class Call:
    """One call of a wrapped function, as its observer sees it."""

    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any = None
    error: BaseException | None = None
    state: Any = None
    """Whatever `before` returned."""

    def arguments(self) -> dict[str, Any]:
        """The arguments by name, defaults included."""
        bound = inspect.signature(self.function).bind(*self.args, **self.kwargs)
        bound.apply_defaults()
        return bound.arguments


Before = Callable[[Call], Any]
After = Callable[[Call], None]


@dataclass(frozen=True)
class Wrap:
    """What is to be wrapped: `path` in `module`, observed by module-level functions."""

    module: str
    path: str
    before: Before | None = None
    after: After | None = None
    context_manager: bool = False
    """The function returns a context manager: observe the body of the `with`, not the call."""
    some_versions: bool = False
    """Only some versions of the trainer have it: nobody misses it where it is not there."""

    @property
    def name(self) -> str:
        """How the process record calls it."""
        return f"{self.module}.{self.path}"


def apply(wrap: Wrap, module: ModuleType) -> bool:
    """Wrap one name of a loaded module. False where it isn't there or is nothing that can be wrapped."""
    owner: Any = module
    *parents, name = wrap.path.split(".")
    for parent in parents:
        owner = getattr(owner, parent, None)
    return apply_to(owner, name, wrap)


def apply_to(owner: Any, name: str, wrap: Wrap) -> bool:
    """The same for a name of a class or module at hand."""
    original = inspect.getattr_static(owner, name, None) if owner is not None else None
    function = original.__func__ if isinstance(original, (staticmethod, classmethod)) else original
    if not callable(function) or inspect.isclass(function):
        return False
    if getattr(function, MARK, False):
        return True
    wrapper = _wrapper(function, wrap)
    if wrapper is None:
        return False
    setattr(wrapper, MARK, True)
    if isinstance(original, staticmethod):
        wrapper = staticmethod(wrapper)
    elif isinstance(original, classmethod):
        wrapper = classmethod(wrapper)
    setattr(owner, name, wrapper)
    return True


def _wrapper(function: Any, wrap: Wrap) -> Any:
    before, after = wrap.before or _nothing, wrap.after or _nothing
    if wrap.context_manager:
        return observed_context(function, before, after)
    if inspect.iscoroutinefunction(function):
        return observed_coroutine(function, before, after)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return None
    return observed(function, before, after)


def _nothing(call: Call) -> None:
    """The observer of what nobody observes."""


def observed(function: Any, before: Before, after: After) -> Any:
    """A function that runs `function` between its observers."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(function, args, kwargs, before)
        try:
            call.result = function(*args, **kwargs)
        except BaseException as error:
            end(call, after, error)
            raise
        end(call, after, None)
        return call.result

    return wrapper


def observed_coroutine(function: Any, before: Before, after: After) -> Any:
    """The same for a coroutine function."""

    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = begin(function, args, kwargs, before)
        try:
            call.result = await function(*args, **kwargs)
        except BaseException as error:
            end(call, after, error)
            raise
        end(call, after, None)
        return call.result

    return wrapper


def observed_context(function: Any, before: Before, after: After) -> Any:
    """The same for a function that returns a context manager: its body lies between the observers."""

    @functools.wraps(function)
    @contextlib.contextmanager
    def wrapper(*args: Any, **kwargs: Any) -> Iterator[Any]:
        call = begin(function, args, kwargs, before)
        try:
            with function(*args, **kwargs) as value:
                yield value
        except BaseException as error:
            end(call, after, error)
            raise
        end(call, after, None)

    return wrapper


def begin(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: Before) -> Call:
    """The call, with what `before` made of it."""
    call = Call(function, args, kwargs)
    try:
        call.state = before(call)
    except Exception as error:
        recorder.get().failed(f"before {getattr(function, '__qualname__', function)}", error)
    return call


def end(call: Call, after: After, error: BaseException | None) -> None:
    """Tell `after` how the call ended."""
    call.error = error
    try:
        after(call)
    except Exception as problem:
        recorder.get().failed(f"after {getattr(call.function, '__qualname__', call.function)}", problem)
    finally:
        call.error = None
