"""Replay: the verdict again from bundles, offline, by the same rules; bundles of several nodes are joined first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.detect.judge import judge
from monitor.diagnose import bundle as bundles
from monitor.diagnose.errors import BundlesDiffer, NoBundle
from monitor.diagnose.joining import join
from monitor.model.finding import Verdict
from monitor.model.snapshot import RunPosition, Snapshot


@dataclass(frozen=True)
class Replayed:
    """A verdict made again."""

    position: RunPosition
    verdict: Verdict
    missing: tuple[str, ...] = ()


def replay(paths: Sequence[Path]) -> Replayed:
    """Judge the snapshots of these bundles. Raises `BundleError`."""
    if not paths:
        raise NoBundle("no bundle was named")
    read = [bundles.read(Path(path)) for path in paths]
    names = sorted({bundle.position.name for bundle in read})
    if len(names) > 1:
        raise BundlesDiffer(f"these bundles are of different runs: {', '.join(names)}")
    missing = tuple(dict.fromkeys(what for bundle in read for what in bundle.missing))
    nodes = _by_node([snapshot for bundle in read for snapshot in bundle.snapshots])
    if len(nodes) <= 1:
        snapshots = nodes[0] if nodes else []
        return Replayed(_position(snapshots, read[0]), judge(snapshots), missing)
    joined = join(nodes)
    verdict = joined.given_back(judge(joined.snapshots))
    return Replayed(_position(joined.snapshots, read[0]), verdict, missing)


def _by_node(snapshots: Sequence[Snapshot]) -> list[list[Snapshot]]:
    """Snapshots by the node they were taken on, each oldest first."""
    found: dict[tuple[str, str | None], list[Snapshot]] = {}
    for snapshot in sorted(snapshots, key=lambda item: item.taken_at):
        found.setdefault((snapshot.host, snapshot.node_id), []).append(snapshot)
    return list(found.values())


def _position(snapshots: Sequence[Snapshot], bundle: bundles.Bundle) -> RunPosition:
    return snapshots[-1].position if snapshots else bundle.position
