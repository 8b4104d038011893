"""Joining snapshots of several nodes into those of one run, so that what one node could not see becomes seen.

Pure. Each node gives its last two snapshots; the joined pair holds what held over the whole time between the first and
the last of them. Equal pids of different nodes get numbers of their own, which findings give back. Rates are taken
over the shortest gap, so that no process looks idler than it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from monitor.model.json_form import from_json, to_json
from monitor.model.snapshot import ProcessState, RayActor, RayCall, Snapshot

T = TypeVar("T")

RENUMBERED = 10_000_000
"""Added to a pid that another node has too; larger than any pid of Linux (4,194,304)."""
LEAST_GAP_SECONDS = 1.0


@dataclass(frozen=True)
class Joined:
    """Snapshots of the whole run, and the pids that were renumbered."""

    snapshots: tuple[Snapshot, ...]
    pids: dict[int, int]
    """Number in the joined snapshots → pid on its node."""

    def given_back(self, value: T) -> T:
        """A verdict with the nodes' own pids, in its fields and in its sentences."""
        if not self.pids:
            return value
        document = to_json(value)
        return from_json(type(value), _restored(document, self.pids))


def join(nodes: Sequence[Sequence[Snapshot]]) -> Joined:
    """One pair of snapshots for the run; `nodes`: each node's snapshots, oldest first."""
    pairs = [pair for snapshots in nodes if (pair := _pair(snapshots)) is not None]
    if len(pairs) < len(nodes) or not pairs:
        newest = max((snapshots[-1] for snapshots in nodes if snapshots), key=lambda item: item.taken_at)
        return Joined((newest,), {})
    taken: set[int] = set()
    tables: dict[str, dict[int, int]] = {}
    numbered = []
    for index, (earlier, later) in enumerate(pairs):
        own = {process.pid for process in (*earlier.processes, *later.processes)}
        table = {pid: pid + (index + 1) * RENUMBERED for pid in own & taken}
        tables[later.node_id or f"unnamed {index}"] = table
        numbered.append((_renumbered(earlier, table), _renumbered(later, table)))
        taken |= own
    pids = {number: pid for table in tables.values() for pid, number in table.items()}
    gap = min(later.taken_at - earlier.taken_at for earlier, later in pairs)
    last = max((later for _, later in numbered), key=lambda item: item.taken_at)
    first = min((earlier for earlier, _ in numbered), key=lambda item: item.taken_at)
    joined_last = _merged([later for _, later in numbered], last, last.taken_at)
    joined_first = _merged([earlier for earlier, _ in numbered], first, last.taken_at - gap)
    joined_first = replace(joined_first, position=joined_last.position)
    if any((later.position.last_moved_at or 0.0) > first.taken_at for _, later in numbered):
        # Something moved between the nodes' captures: they are not of one stretch.
        return Joined((_with_places(joined_last, tables),), pids)
    return Joined(tuple(_with_places(item, tables) for item in (joined_first, joined_last)), pids)


def _pair(snapshots: Sequence[Snapshot]) -> tuple[Snapshot, Snapshot] | None:
    for earlier in reversed(snapshots[:-1]):
        same = earlier.position.last_moved_at == snapshots[-1].position.last_moved_at
        if same and snapshots[-1].taken_at - earlier.taken_at >= LEAST_GAP_SECONDS:
            return earlier, snapshots[-1]
    return None


def _merged(snapshots: Sequence[Snapshot], records: Snapshot, taken_at: float) -> Snapshot:
    """Processes of all nodes; Ray's records of the one snapshot `records`."""
    processes = tuple(process for snapshot in snapshots for process in snapshot.processes)
    unseen = {name for snapshot in snapshots for name in snapshot.unseen if not _seen(name, processes)}
    return replace(
        records,
        taken_at=taken_at,
        processes=processes,
        grows=next((item.grows for item in snapshots if item.grows is not None), None),
        waiting_for_memory=_sum(item.waiting_for_memory for item in snapshots),
        gone=tuple(label for snapshot in snapshots for label in snapshot.gone),
        unknown=tuple(unknown for snapshot in snapshots for unknown in snapshot.unknown),
        unseen=tuple(sorted(unseen)),
        node_id=None,
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _seen(name: str, processes: Sequence[ProcessState]) -> bool:
    """`name` as the other node called it: `LABEL on node ab12cd34`."""
    for process in processes:
        if process.label and name.startswith(f"{process.label} on node "):
            node = name.removeprefix(f"{process.label} on node ").rstrip("…")
            return bool(process.node_id and node and process.node_id.startswith(node))
    return False


def _renumbered(snapshot: Snapshot, table: dict[int, int]) -> Snapshot:
    if not table:
        return snapshot
    processes = tuple(
        replace(
            process,
            pid=table.get(process.pid, process.pid),
            children=tuple(table.get(child, child) for child in process.children),
            node_id=process.node_id or snapshot.node_id,
        )
        for process in snapshot.processes
    )
    return replace(snapshot, processes=processes)


def _with_places(snapshot: Snapshot, tables: Mapping[str, dict[int, int]]) -> Snapshot:
    """Ray's records with the renumbered pids of their node."""
    calls = tuple(_call(call, tables) for call in snapshot.calls)
    actors = tuple(_actor(actor, tables) for actor in snapshot.actors)
    return replace(snapshot, calls=calls, actors=actors)


def _call(call: RayCall, tables: Mapping[str, dict[int, int]]) -> RayCall:
    table = tables.get(call.node_id or "", {})
    return replace(call, worker_pid=table.get(call.worker_pid, call.worker_pid)) if call.worker_pid else call


def _actor(actor: RayActor, tables: Mapping[str, dict[int, int]]) -> RayActor:
    table = tables.get(actor.node_id or "", {})
    return replace(actor, pid=table.get(actor.pid, actor.pid)) if actor.pid else actor


def _restored(document: object, pids: dict[int, int]) -> object:
    if isinstance(document, dict):
        return {key: _restored(value, pids) for key, value in document.items()}
    if isinstance(document, list):
        return [_restored(value, pids) for value in document]
    if isinstance(document, int) and not isinstance(document, bool):
        return pids.get(document, document)
    if isinstance(document, str):
        for number, pid in pids.items():
            document = document.replace(str(number), str(pid))
    return document
