"""Modules are wrapped when they are imported, by whatever finder finds them, and keep their own loader."""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trainer_hooks.frameworks import on_import
from trainer_hooks.frameworks.wrapping import Call, Wrap
from trainer_hooks.recorder import Recorder

CALLS: list[str] = []


def after(call: Call) -> None:
    """Notes the call."""
    CALLS.append(call.function.__qualname__)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path; what was imported from it, and what waits for it, is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(on_import, "_wanted", {})
    monkeypatch.setattr(on_import, "_wrapped", [])
    monkeypatch.setattr(on_import, "_not_found", [])
    before, finders = set(sys.modules), list(sys.meta_path)
    CALLS.clear()
    yield tmp_path
    sys.meta_path[:] = finders
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_module_is_wrapped_as_it_is_imported(
    package: Path, fresh_recorder: Recorder, written: Callable[..., list[dict[str, Any]]]
) -> None:
    (package / "later.py").write_text("class A:\n    def f(self): return 1\n")
    on_import.install([Wrap("later", "A.f", after=after), Wrap("later", "A.gone", after=after)])
    later = importlib.import_module("later")
    assert later.A().f() == 1 and CALLS == ["A.f"]
    assert on_import.found() == (["later.A.f"], ["later.A.gone"])
    line = written("process")[-1]
    assert (line["hooks"], line["not_found"]) == (["later.A.f"], ["later.A.gone"])


def test_module_that_is_there_already_is_wrapped_at_once(package: Path, fresh_recorder: Recorder) -> None:
    (package / "earlier.py").write_text("def f(): return 1\n")
    earlier = importlib.import_module("earlier")
    on_import.install([Wrap("earlier", "f", after=after)])
    assert earlier.f() == 1 and CALLS == ["f"]


def test_module_keeps_its_own_loader_and_can_be_reloaded(package: Path, fresh_recorder: Recorder) -> None:
    (package / "later.py").write_text("def f(): return 1\n")
    on_import.install([Wrap("later", "f", after=after)])
    later = importlib.import_module("later")
    assert type(later.__loader__) is importlib.machinery.SourceFileLoader
    assert later.__spec__ is not None and later.__spec__.loader is later.__loader__
    importlib.reload(later)
    assert later.f() == 1 and CALLS == ["f"]


def test_error_in_the_module_is_the_module_s_own(package: Path, fresh_recorder: Recorder) -> None:
    (package / "broken.py").write_text("raise ValueError('its own')\n")
    on_import.install([Wrap("broken", "f", after=after), Wrap("absent_altogether", "f", after=after)])
    with pytest.raises(ValueError, match="its own"):
        importlib.import_module("broken")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("absent_altogether")
    assert "broken" not in sys.modules


def test_modules_not_waited_for_are_left_to_the_other_finders(package: Path) -> None:
    on_import.install([Wrap("later", "f", after=after)])
    assert sys.meta_path[0].find_spec("json", None, None) is None


def test_installing_twice_observes_once(package: Path, fresh_recorder: Recorder) -> None:
    (package / "later.py").write_text("def f(): return 1\n")
    for _ in range(2):
        on_import.install([Wrap("later", "f", after=after)])
    importlib.import_module("later").f()
    on_import.install([Wrap("later", "f", after=after)])
    importlib.import_module("later").f()
    assert CALLS == ["f", "f"]
    assert sum(type(finder).__name__ == "_Finder" for finder in sys.meta_path) == 1
