"""How the hooks get into a process: Ray's worker setup hook, or one call in the driver.

    ray.init(runtime_env=trainer_hooks.install.into_ray(runtime_env))    # every worker of the job
    trainer_hooks.install.driver()                                       # this process

Nothing here raises. `LASTSTEP=0` in the environment keeps the hooks out.
"""

from __future__ import annotations

import importlib
import os
import sysconfig
import threading
from typing import Any

from trainer_hooks import recorder, records

SETUP_HOOK = "trainer_hooks.install.ray_worker"
NEXT_SETUP_HOOK_VARIABLE = "LASTSTEP_NEXT_SETUP_HOOK"
"""The setup hook that a job has besides ours; Ray knows only one."""

_lock = threading.Lock()
_installed = False


def wanted() -> bool:
    """False where the environment keeps the hooks out."""
    return os.environ.get(records.ENABLE_VARIABLE, "1") != "0"


def driver() -> bool:
    """Put the hooks into this process. False where they are unwanted or could not be put in."""
    global _installed
    if not wanted():
        return False
    try:
        from trainer_hooks import frameworks, ptracer, ray_identity, responder

        with _lock:
            if _installed:
                return True
            _installed = True
        recorder.get().on_open = (responder.start,)
        frameworks.install()
        recorder.get().process(**ray_identity.identity())
        try:
            ptracer.allow()
        except (OSError, ValueError) as error:
            recorder.get().failed("ptracer", error)
        return True
    except Exception as error:
        recorder.get().failed("install", error)
        return False


def ray_worker() -> None:
    """Ray's worker setup hook: runs in every worker before any code of the job is imported."""
    driver()
    following = os.environ.get(NEXT_SETUP_HOOK_VARIABLE)
    if following:
        # The job's own hook: what it raises is the job's to see.
        module, _, name = following.rpartition(".")
        getattr(importlib.import_module(module), name)()


def into_ray(runtime_env: dict[str, Any] | None = None) -> dict[str, Any]:
    """A copy of `runtime_env` whose workers carry the hooks. Unchanged where that would displace what is there."""
    made = dict(runtime_env or {})
    if not wanted():
        return made
    variables = dict(made.get("env_vars") or {})
    present = made.get("worker_process_setup_hook")
    if present == SETUP_HOOK:
        present = None
    if present is not None and not isinstance(present, str):
        recorder.get().failed("into_ray", TypeError("the job's setup hook is a function, and Ray takes only one hook"))
        return made
    if present is not None:
        variables[NEXT_SETUP_HOOK_VARIABLE] = present
    for name in (
        records.DIRECTORY_VARIABLE,
        records.ENABLE_VARIABLE,
        records.PTRACER_VARIABLE,
        records.SAVE_FIRST_VARIABLE,
    ):
        if name in os.environ:
            variables.setdefault(name, os.environ[name])
    folder = _source_folder()
    if folder is not None:
        # Ray imports the setup hook before it adds the driver's sys.path.
        paths = variables.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        if folder not in paths.split(os.pathsep):
            variables["PYTHONPATH"] = os.pathsep.join(path for path in (paths, folder) if path)
    made["worker_process_setup_hook"] = SETUP_HOOK
    if variables:
        made["env_vars"] = variables
    return made


def _source_folder() -> str | None:
    """The folder that holds this package where it is not installed as other packages are, else None."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = {os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    return None if os.path.realpath(folder) in installed else folder
