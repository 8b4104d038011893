"""The versions that a run itself recorded: in attestations, in wandb's `requirements.txt`, in what vLLM printed.

A version on which two records differ is not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.model.run import RunConfig
from monitor.rerun.installed import DISTRIBUTIONS, PACKAGES

if TYPE_CHECKING:
    from monitor.ledger.store import Ledger

MOST_LOG_BYTES = 8 * 1024**2
"""Engines start, and print their version, near a log's beginning."""
WANDB = ("wandb/run-*/files/requirements.txt", "wandb/offline-run-*/files/requirements.txt")
ENGINE_LINE = re.compile(r"(?:LLM engine \(v|vLLM API server version )([0-9][\w.+]*)")
"""As vLLM 0.8 to 0.32 prints it (`vllm/v1/engine/core.py`, `vllm/entrypoints/openai/api_server.py`)."""
PINNED = re.compile(r"^([\w.-]+)==([\w.+!]+)$")


def recorded_versions(ledger: Ledger, run: str) -> dict[str, str]:
    """Package → version, for those that the run recorded."""
    config = ledger.run(run).config
    found: dict[str, set[str]] = {}
    for name, version in (*_attested(ledger, run), *_pinned(config), *_printed(config)):
        found.setdefault(name, set()).add(version)
    return {name: versions.pop() for name, versions in found.items() if len({public(each) for each in versions}) == 1}


def public(version: str) -> str:
    """A version without its local part (PEP 440): `0.32.0+cpu` is another build of the same code."""
    return version.partition("+")[0]


def _attested(ledger: Ledger, run: str) -> Iterator[tuple[str, str]]:
    for score in ledger.scores(run):
        versions: Any = score.provenance.attestation.get("versions")
        if score.provenance.source == "training" and isinstance(versions, dict):
            yield from ((name, str(versions[name])) for name in PACKAGES if versions.get(name))


def _pinned(config: RunConfig) -> Iterator[tuple[str, str]]:
    names = {other: name for name in PACKAGES for other in DISTRIBUTIONS.get(name, (name,))}
    for file in _files(config):
        for line in _text(file).splitlines():
            found = PINNED.match(line.strip())
            if found and found[1].lower() in names:
                yield names[found[1].lower()], found[2]


def _files(config: RunConfig) -> Iterable[Path]:
    places = (config.console_log, config.checkpoint_dir, config.validation_data_dir)
    folders = dict.fromkeys(Path(place).parent for place in places if place)
    return [file for folder in folders for pattern in WANDB for file in folder.glob(pattern)]


def _printed(config: RunConfig) -> Iterator[tuple[str, str]]:
    if config.console_log:
        yield from (("vllm", version) for version in ENGINE_LINE.findall(_text(Path(config.console_log))))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST_LOG_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
