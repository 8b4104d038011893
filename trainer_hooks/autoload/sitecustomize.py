"""Brings the hooks into trainers that have no plugin entry point (TRL): Python imports this file as it starts.

`laststep run` puts this folder, and nothing else, at the end of `PYTHONPATH`. Only an import hook is set: nothing is
written and nothing observed before `trl.trainer.grpo_trainer` is imported. The hooks' package is loaded from beside
this folder without joining the import path, so that no other package of its parent can shadow one of the trainer's. A
`sitecustomize` that stands later on the path runs too, first, with its own errors.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _run_the_next() -> None:
    """The `sitecustomize` that would have been imported without this one."""
    here = os.path.dirname(os.path.abspath(__file__))
    paths = [path for path in sys.path if os.path.abspath(path or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", paths)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _wait_for_trl() -> None:
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if importlib.util.find_spec("trainer_hooks") is None:
        spec = importlib.util.spec_from_file_location(
            "trainer_hooks", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
        )
        if spec is None or spec.loader is None:
            return
        module = importlib.util.module_from_spec(spec)
        sys.modules["trainer_hooks"] = module
        spec.loader.exec_module(module)
    from trainer_hooks.frameworks import on_import, trl_training

    on_import.install(trl_training.wraps())


if os.environ.get("LASTSTEP", "0") not in ("", "0"):
    try:
        _wait_for_trl()
    except Exception:
        # Whatever is missing here, the trainer starts as it would have.
        sys.modules.pop("trainer_hooks", None)
_run_the_next()
