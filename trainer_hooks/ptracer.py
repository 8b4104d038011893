"""Letting the watch read this process under Yama: prctl(PR_SET_PTRACER), only where the environment asks for it.

`LASTSTEP_PTRACER=PID` lets that process and its descendants attach to this one and read its memory, as without Yama any
process of the same uid may; `LASTSTEP_PTRACER=any` lets every process of the same uid. What it opens: whoever runs
under that pid (or, with `any`, under this uid) can read and change this process's memory, keys and tokens in it
included. Children inherit nothing: each process with the hooks in asks for itself. Without the variable nothing is
called (Yama's documentation, Documentation/admin-guide/LSM/Yama.rst).
"""

from __future__ import annotations

import ctypes
import os

from trainer_hooks import records

PR_SET_PTRACER = 0x59616D61
PR_SET_PTRACER_ANY = -1


def allow() -> None:
    """Let in whom the environment names. OSError where the kernel refuses (no Yama: nothing is to be opened)."""
    wanted = os.environ.get(records.PTRACER_VARIABLE, "").strip()
    if not wanted:
        return
    pid = PR_SET_PTRACER_ANY if wanted == "any" else int(wanted)
    if pid == 0 or pid < PR_SET_PTRACER_ANY:
        raise ValueError(f"{records.PTRACER_VARIABLE} is {wanted!r}: a pid or `any`")
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_PTRACER, ctypes.c_ulong(pid), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"PR_SET_PTRACER: {os.strerror(code)}")
