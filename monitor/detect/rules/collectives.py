"""`collective-desync` and `rank-missing`: ranks that stand in a collective which others never enter, or another one.

Decisive: processes that stand in a function of torch.distributed in both samples without CPU. Desync: two or more
stand in collectives, at different functions or lines of the run. Missing: all but some do, and one that stands
elsewhere was read. Groups of ranks are not known from stacks, so several groups that overlap are told only where two
ranks are all there are; GPUs may work unseen. Therefore a suspicion, unless two ranks are all there are, no process is
unseen, and the missing one waits on a lock that nothing in its process could free.
"""

from __future__ import annotations

from monitor.detect.case import Case
from monitor.detect.frames import innermost_users, place
from monitor.detect.standing import Standing, is_main, standing_threads, suspicion
from monitor.detect.thread_waits import Doing
from monitor.detect.wait_graph import thread_key
from monitor.model.finding import Finding
from monitor.model.snapshot import Frame

COLLECTIVES = frozenset(
    {
        "all_reduce",
        "all_gather",
        "all_gather_into_tensor",
        "all_gather_object",
        "all_to_all",
        "barrier",
        "broadcast",
        "broadcast_object_list",
        "gather",
        "reduce",
        "reduce_scatter",
        "reduce_scatter_tensor",
        "scatter",
    }
)
POINT_TO_POINT = frozenset({"recv", "send", "batch_isend_irecv"})
_FILE = "torch/distributed/distributed_c10d.py"


def function_of(item: Standing, names: frozenset[str] = COLLECTIVES) -> str | None:
    """The function of torch.distributed that a thread stands in."""
    for frame in item.thread.frames:
        name = frame.function.rpartition(".")[2]
        if frame.file.endswith(_FILE) and name in names:
            return name
    return None


def find(case: Case) -> tuple[Finding, ...]:
    """At most one: the odd rank."""
    ranks = [item for item in standing_threads(case) if is_main(item.process, item.thread)]
    inside = [item for item in ranks if function_of(item) and not item.busy]
    if not inside:
        return ()
    commands = {item.process.command for item in inside}
    pids = {item.process.pid for item in inside}
    outside = [
        item
        for item in ranks
        # Whoever started the ranks has their command too, and is none of them.
        if not function_of(item) and item.process.command in commands and not pids & set(item.process.children)
    ]
    if outside:
        return (_missing(case, outside[0], inside, alone=len(outside) == 1),)
    places = {(function_of(item), item.frame) for item in inside}
    if len(places) > 1 and len(inside) > 1:
        return (_desync(case, inside),)
    return ()


def _missing(case: Case, item: Standing, inside: list[Standing], *, alone: bool) -> Finding:
    stuck = item.wait.doing is Doing.LOCK and case.graph.stuck(thread_key(item.process.pid, item.thread))
    pair = alone and len(inside) == 1 and not case.scene.later.unseen
    label = case.scene.label(item.process.pid)
    sentence = (
        f"{label} has not entered {function_of(inside[0])}, in which {len(inside)} of its group stand at "
        f"{place(inside[0].frame)}: it stands at {place(item.frame)}."
    )
    evidence = tuple(case.evidence(case.describe(other.process, other.thread, other.frame)) for other in inside[:4])
    advice = f"See why this rank stands at {place(item.frame)}, or takes a branch that leaves the collective out."
    return suspicion(
        case, "rank-missing", sentence, item, evidence, advice, proved=stuck and pair and not _gpus([item, *inside])
    )


def _desync(case: Case, inside: list[Standing]) -> Finding:
    minority = min(inside, key=lambda item: sum(other.frame == item.frame for other in inside))
    stands = sorted({f"{function_of(item)} at {_place(item.frame)}" for item in inside})
    sentence = f"Ranks stand in different collectives: {'; '.join(stands)}."
    evidence = tuple(case.evidence(case.describe(item.process, item.thread, item.frame)) for item in inside[:4])
    advice = "Every rank has to call the same collectives of one group in the same order."
    return suspicion(case, "collective-desync", sentence, minority, evidence, advice)


def _place(frame: Frame | None) -> str:
    return place(innermost_users([frame] if frame else []))


def _gpus(items: list[Standing]) -> bool:
    return any(item.process.gpu_open for item in items)
