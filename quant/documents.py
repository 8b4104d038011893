"""YAML documents with known keys: recipes and noise schedules are read, checked and refused the same way.

Covers reading the file, unknown keys, and names that ship in configs/. Imports no torch.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from quant.errors import QuantError

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def shipped(folder: str) -> tuple[str, ...]:
    """The names of the documents in this folder of configs/."""
    return tuple(sorted(path.stem for path in (CONFIGS / folder).glob("*.yaml")))


def load(name_or_path: str | Path, folder: str, kind: str, error: type[QuantError]) -> dict[str, Any]:
    """The document of this name in configs/`folder`, or in a YAML file of one's own, whose name it then has."""
    text = str(name_or_path)
    is_path = isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml"))
    if not is_path and text not in shipped(folder):
        raise error(
            f"unknown {kind} `{text}`", nearest(text, shipped(folder), f"{kind}s: " + ", ".join(shipped(folder)))
        )
    path = Path(text) if is_path else CONFIGS / folder / f"{text}.yaml"
    return {"name": path.stem, **_read(path, folder, kind, error)}


def check_keys(document: Mapping[str, Any], fields: Collection[str], kind: str, error: type[QuantError]) -> None:
    """Raises `error` for a key that isn't a field, and where there is no name."""
    for key in document:
        if key not in fields:
            raise error(f"{kind}: unknown key `{key}`", nearest(str(key), fields, "known keys: " + ", ".join(fields)))
    if "name" not in document:
        raise error(f"{kind}: no `name`", "give it one, the file's own for example")


def nearest(word: str, known: Iterable[str], otherwise: str) -> str:
    """A cure: the known word that looks most like this one."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean `{near[0]}`?" if near else otherwise


def names(patterns: Iterable[str], layer: str) -> bool:
    """Whether one of them is the dotted name, a part of it, or a pattern of all of it."""
    parts = layer.split(".")
    return any(pattern == layer or pattern in parts or fnmatch.fnmatchcase(layer, pattern) for pattern in patterns)


def _read(path: Path, folder: str, kind: str, error: type[QuantError]) -> dict[str, Any]:
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise error(f"can't read the {kind} {path}: {cause.strerror}") from cause
    except (yaml.YAMLError, UnicodeDecodeError) as cause:
        raise error(f"{path}: not YAML", "mend the file") from cause
    if not isinstance(document, dict):
        raise error(f"{path}: expected keys and values", f"see configs/{folder} for the form")
    return document
