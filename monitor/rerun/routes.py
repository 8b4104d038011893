"""The two ways to evaluate a checkpoint again, and which one a plan takes. Pure, but for reading the table of proofs.

`laststep`: its own evaluation, which attests weights and quantization inside the engine. `verl`: the trainer itself
with `val_only`, trusted only in versions whose weight sync was proved (configs/rerun/weight_sync.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitor.model.errors import ExitCode, LaststepError
from monitor.rerun.verl_evaluation import VerlEvaluation
from monitor.settings import build, config_directory, load_yaml

OWN, TRAINER = "laststep", "verl"
OWN_RAY = "the trainer's own evaluation engine, in a Ray of its own"
ATTESTS = "it attests weights and quantization inside the engine, and joins no Ray"


class RouteNotTaken(LaststepError):
    """A route was asked for that would not give a true score."""

    exit_code = ExitCode.REFUSED


@dataclass(frozen=True)
class Route:
    """One way, and why it is taken or not."""

    name: str
    chosen: bool
    why: str
    usable: bool = False
    """It would give a true score, chosen or not."""


@dataclass(frozen=True)
class WeightSync:
    """The table of proofs."""

    proved: dict[str, str] = field(default_factory=dict)
    """`VERSION PROFILE` → where the proof can be read."""


def weight_sync(trainer: str | None, path: Path | None = None) -> dict[str, str]:
    """The versions in which the weight sync of the trainer with this profile was proved. Raises `BadConfig`."""
    path = path or config_directory() / "rerun" / "weight_sync.yaml"
    entries = build(WeightSync, load_yaml(path), str(path)).proved.items()
    split = ((*entry.rpartition(" ")[::2], proof) for entry, proof in entries)
    return {version: proof for version, profile, proof in split if profile == trainer}


def choose(
    verl: VerlEvaluation | None, versions: Mapping[str, str] | None, proved: Mapping[str, str]
) -> tuple[Route, ...]:
    """Both routes of a verl run, at most one of them chosen; one route for another trainer's.

    laststep's own goes first, wherever it can repeat the validation: it proves what it evaluated.
    """
    if verl is None:
        return (Route(OWN, True, OWN_RAY, True),)
    proof = _trust(versions, proved)
    trusted = versions is not None and versions.get("verl", "") in proved
    if not verl.problems:
        trainer = f"{proof}; not needed" if trusted else proof
        return Route(OWN, True, ATTESTS, True), Route(TRAINER, False, trainer, trusted)
    own = f"it can't repeat this validation: {verl.problems[0]}"
    return Route(OWN, False, own), Route(TRAINER, trusted, proof, trusted)


def taken(routes: Sequence[Route], name: str) -> tuple[Route, ...]:
    """The routes with the one of this name chosen. Raises `RouteNotTaken` where it would not give a true score."""
    found = next((route for route in routes if route.name == name), None)
    if found is None:
        raise RouteNotTaken(f"there is no route `{name}` for this trainer's runs", "leave out --route")
    if not found.usable:
        raise RouteNotTaken(f"route `{name}` is not taken: {found.why}", "leave out --route, or see docs/rerun.md")
    return tuple(replace(route, chosen=route.name == name) for route in routes)


def _trust(versions: Mapping[str, str] | None, proved: Mapping[str, str]) -> str:
    if versions is None:
        return "the interpreter does not say which verl it has"
    if "verl" not in versions:
        return "verl is not installed where the evaluation would run"
    version = versions["verl"]
    if version in proved:
        return f"its weight sync was proved for verl {version}: {proved[version]}"
    which = version or "of an unknown version"
    return f"that this trainer of verl {which} hands the checkpoint's weights to its engine was not proved"


def reason(verl: VerlEvaluation | None) -> str:
    """What evaluates, as the words after "by"."""
    if verl is None:
        return OWN_RAY
    if verl.problems:
        return f"laststep's evaluation can't repeat this validation ({verl.problems[0]}); verl itself must"
    return f"laststep's evaluation: {ATTESTS}"
