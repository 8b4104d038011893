"""Which code a frame belongs to: the person's, Ray's, the interpreter's own, a library's, or our hooks'.

Pure string rules on file paths. A culprit line is always the person's: the innermost frame that is none of the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from monitor.model.snapshot import Frame

_PACKAGES = re.compile(r"/(?:site|dist)-packages/([^/]+)")
_STANDARD = re.compile(r"/(?:lib|lib64)/python3(?:\.\d+)?t?/|^<frozen |/lib/python3\d*\.zip/")
_RAY_SOURCE = re.compile(r"(?:^|/)python/ray/|_raylet\.pyx$")
_HOOKS = re.compile(r"/trainer_hooks/[^/]*(?:/[^/]*)?\.py$")

LIBRARIES = frozenset(
    {
        "aiohttp",
        "anyio",
        "cupy",
        "fastapi",
        "grpc",
        "httpcore",
        "httpx",
        "numpy",
        "pandas",
        "pyarrow",
        "requests",
        "safetensors",
        "starlette",
        "torch",
        "tqdm",
        "transformers",
        "triton",
        "urllib3",
        "uvicorn",
        "uvloop",
        "wandb",
        "zmq",
    }
)
"""Packages under site-packages whose frames are never the line to blame: one that called them is."""


def is_ray(frame: Frame) -> bool:
    """Ray's own code. A person's code in Ray's temporary folders (`/tmp/ray/session_…`) is not."""
    found = _PACKAGES.search(frame.file)
    return (found is not None and found.group(1) == "ray") or bool(_RAY_SOURCE.search(frame.file))


def is_standard(frame: Frame) -> bool:
    """The interpreter's own library."""
    return bool(_STANDARD.search(frame.file)) and not _PACKAGES.search(frame.file)


def is_library(frame: Frame) -> bool:
    """A package of `LIBRARIES`."""
    found = _PACKAGES.search(frame.file)
    return found is not None and found.group(1) in LIBRARIES


def is_hook(frame: Frame) -> bool:
    """Our hooks' code, which wraps some of the trainer's functions."""
    return bool(_HOOKS.search(frame.file))


def is_users(frame: Frame) -> bool:
    """The person's code, or that of the trainer."""
    known = frame.line > 0 and bool(frame.file) and not frame.file.startswith("<")
    return known and not (is_ray(frame) or is_standard(frame) or is_library(frame) or is_hook(frame))


def innermost_users(frames: Iterable[Frame]) -> Frame | None:
    """The first of the person's frames; `frames` innermost first."""
    return next((frame for frame in frames if is_users(frame)), None)


def place(frame: Frame | None) -> str:
    """`generate (rollout.py:88)`, empty for no frame."""
    return f"{frame.function} ({short_file(frame.file)}:{frame.line})" if frame else ""


def short_file(path: str) -> str:
    """The file's own name."""
    return path.rpartition("/")[2]
