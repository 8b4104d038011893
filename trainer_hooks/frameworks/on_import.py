"""Wraps a module's names as soon as it is imported, and at once where it is imported already.

A finder at the head of `sys.meta_path` that answers only for the modules it waits for, lets the other finders find
them, and applies the wraps once the module's code has run. The module's loader is left as it was. What was wrapped, and
what was to be wrapped and isn't there, stands in the process record.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from trainer_hooks import recorder
from trainer_hooks.frameworks.wrapping import Wrap, apply

_lock = threading.RLock()
_wanted: dict[str, list[Wrap]] = {}
_wrapped: list[str] = []
_not_found: list[str] = []


def install(wraps: Sequence[Wrap]) -> None:
    """Apply each wrap now or when its module is imported. Asking twice changes nothing."""
    with _lock:
        for wrap in wraps:
            waiting = _wanted.setdefault(wrap.module, [])
            if wrap in waiting:
                continue
            waiting.append(wrap)
        if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _Finder())
    for name in {wrap.module for wrap in wraps}:
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        if module is not None and not getattr(spec, "_initializing", False):
            wrap_module(module)


def found() -> tuple[list[str], list[str]]:
    """Names that were wrapped, and names that were not there."""
    return list(_wrapped), list(_not_found)


def wrap_module(module: ModuleType) -> None:
    """Apply every wrap that waits for this module, and note what came of it."""
    for wrap in list(_wanted.get(module.__name__, ())):
        try:
            there = apply(wrap, module)
        except Exception as error:
            recorder.get().failed(f"wrap {wrap.name}", error)
            there = False
        names = _wrapped if there else _not_found
        if wrap.name not in names and (there or not wrap.some_versions):
            names.append(wrap.name)
    recorder.get().process(hooks=list(_wrapped), not_found=list(_not_found))


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what other finders find, with a loader that wraps afterwards."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The other finders' spec for a module that is waited for; None for all others."""
        if fullname not in _wanted:
            return None
        for finder in list(sys.meta_path):
            if isinstance(finder, _Finder) or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    """Runs the original loader in its place, then wraps."""

    def __init__(self, original: Any) -> None:
        self._original = original

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """As the original does."""
        module: ModuleType | None = self._original.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own loader back, run its code, wrap."""
        if module.__spec__ is not None:
            module.__spec__.loader = self._original
        module.__loader__ = self._original
        self._original.exec_module(module)
        wrap_module(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)
