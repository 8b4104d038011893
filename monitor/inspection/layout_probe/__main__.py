"""Prints the offsets and the truth as one JSON line each, and waits until the standard input ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import sysconfig
from typing import Any

from . import frames, interpreter, tasks, truth
from .own_memory import Unlike
from .specimens import compiled


def say(document: dict[str, Any]) -> None:
    """One line of JSON."""
    print(json.dumps(document), flush=True)


def main() -> int:
    """0: both lines were printed. 1: this build is unlike what is known, which the line says."""
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        say({"unlike": "a free-threaded build"})
        return 1
    try:
        specimens = compiled()
        found = interpreter.offsets(specimens)
        found.update(frames.offsets(specimens, found))
        found.update(tasks.offsets(specimens))
    except (Unlike, AttributeError, KeyError, IndexError, ValueError, StopIteration) as error:
        say({"unlike": f"{error or type(error).__name__}"})
        return 1
    say({"offsets": found})
    asyncio.run(truth.serve(lambda told: say({"truth": told, "pid": os.getpid()})))
    return 0


sys.exit(main())
