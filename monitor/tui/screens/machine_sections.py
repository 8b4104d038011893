"""Sections of the Run screen about the machine: GPUs by the role that owns them, processes, loops, silent sources."""

from __future__ import annotations

from dataclasses import replace

from monitor.model.run import GpuReading
from monitor.tui import charts, wording
from monitor.tui.cells import Line, Span, cell_len, ending, line, padded, safe, span, width_of, wrap
from monitor.tui.live import LoopRow, ProcessRow
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens.common import unknown
from monitor.tui.sections import Section
from monitor.tui.theme import SIGNS

STALE_SECONDS = 10.0
FEW_GPUS = 2
NAME_CELLS = 14
MOST_LOST_ROWS = 4
"""Rows that lost GPUs are sure of; more are shown where there is room."""
BLOCKED_SECONDS = 1.0
"""An event loop in one callback for longer than this answers nobody."""

STATES = {
    "R": ("ok", "running"),
    "S": ("text", "sleeping"),
    "D": ("warn", "disk wait"),
    "I": ("text", "idle"),
    "T": ("bad", "stopped"),
    "t": ("bad", "traced"),
    "Z": ("bad", "zombie"),
    "X": ("bad", "gone"),
}


def gpus(data: ScreenData, width: int, rank: int, *, summed: bool = False) -> Section:
    """Each GPU under the role whose process is on it; `summed`: more than a few of them are one line a role."""
    live = data.live
    if live is None:
        return Section("gpus", ())
    if live.gpus is None or (live.gpus.value is None and live.gpus.unknown is None):
        return Section("gpus", (line(span("   not read yet", "dim")),), rank=rank)
    if live.gpus.unknown is not None:
        return Section("gpus", tuple(unknown(live.gpus.unknown, data.now, width)), least=1, rank=rank, prose=True)
    roles = {process.pid: process.role for process in live.processes}
    grouped: dict[str, list[GpuReading]] = {}
    for gpu in live.gpus.value or ():
        owners = sorted({roles[pid] for pid in gpu.pids if pid in roles}) or ["no process of this run"]
        grouped.setdefault(" + ".join(owners), []).append(gpu)
    lost = _lost_rows(grouped, data.now, width)
    rows = list(lost)
    narrow = summed and len(live.gpus.value or ()) > FEW_GPUS
    for owner in sorted(grouped):
        rows.append(_role_row(owner, grouped[owner], width if narrow else 0))
        if not narrow:
            rows += [_gpu_row(gpu, width) for gpu in grouped[owner] if gpu.unknown is None]
    old = data.now - live.gpus.at
    note = f"read {wording.ago(old)}" if old > STALE_SECONDS else ""
    least = min(max(2, min(len(lost), MOST_LOST_ROWS)), len(rows))
    return Section("gpus", tuple(rows), least=least, rank=rank, note=note)


def _lost_rows(grouped: dict[str, list[GpuReading]], now: float, width: int) -> list[Line]:
    """Each GPU that is lost with the role it was lost to, above all others; the cure once, for it is the same."""
    lost = [(gpu, owner) for owner in grouped for gpu in grouped[owner] if gpu.unknown is not None]
    rows: list[Line] = []
    for gpu, owner in sorted(lost, key=lambda pair: pair[0].index):
        if gpu.unknown is not None:
            cure = "" if rows else gpu.unknown.cure
            rows += unknown(replace(gpu.unknown, what=f"{gpu.unknown.what} ({owner})", cure=cure), now, width)
    return rows


def _role_row(owner: str, gpus_of_it: list[GpuReading], width: int) -> Line:
    """A role and its GPUs; with a width all of them in one line: a column each, the range, their memory.

    Those that are lost are left out of the sums, and the count says so.
    """
    owned = [gpu for gpu in gpus_of_it if gpu.unknown is None]
    noun = "MIG device" if all(gpu.mig is not None for gpu in gpus_of_it) else "GPU"
    all_of_it = wording.count(len(gpus_of_it), noun)
    told = all_of_it if len(owned) == len(gpus_of_it) else f"{len(owned)} of {all_of_it}"
    head = (span(f" {owner}", "name"), span(f"  {told}", "dim"))
    if not width or not owned:
        return head
    loads = [gpu.utilization for gpu in owned if gpu.utilization is not None]
    least, most = (wording.percent(some(loads)) if loads else "? %" for some in (min, max))
    load = most if least == most else f"{least[:-2]}–{most}"
    drawn = charts.columns([*loads, 100.0])[:-1]
    used, total = _sum([gpu.memory_used for gpu in owned]), _sum([gpu.memory_total for gpu in owned])
    memory = f"  {wording.size(used)}/{wording.size(total)}"
    heat = max((gpu.temperature for gpu in owned if gpu.temperature is not None), default=None)
    hottest = f"  ≤ {heat:.0f} °C" if heat is not None else ""
    errors = [span(f" {SIGNS['bad']} GPU {gpu.index}: {text}", "bad") for gpu in owned for text in gpu.errors]
    return (
        *head,
        span(f"  {drawn}" if drawn else "", "bar"),
        span(f" {load}{memory}", "number"),
        span(hottest, "dim"),
        *errors,
    )


def _sum(values: list[int | None]) -> int | None:
    """The sum; None where any of them is not known: a part would pass for the whole."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _gpu_row(gpu: GpuReading, width: int) -> Line:
    share = None if gpu.utilization is None else gpu.utilization / 100.0
    filled, rest = charts.bar(share, 10)
    used, total = wording.size(gpu.memory_used), wording.size(gpu.memory_total)
    label, name = str(gpu.index), gpu.name
    if gpu.mig is not None:
        # NVML's name of one ends with its profile, "NVIDIA A100-SXM4-40GB MIG 1g.5gb": that tells the devices apart.
        label, name = f"{gpu.index}:{gpu.mig}", "".join(gpu.name.rpartition("MIG ")[1:])
    parts = [
        span(f" {label:>3} {padded(name, NAME_CELLS)}", "text"),
        span(f" {filled}", "bar"),
        span(rest, "bar-back"),
        span(f" {wording.percent(gpu.utilization):>5}  {used}/{total}", "number"),
    ]
    watts = "? W" if gpu.power is None else f"{gpu.power:.0f} W"
    heat = "? °C" if gpu.temperature is None else f"{gpu.temperature:.0f} °C"
    if gpu.mig is None:
        told = next((text for text in (f"  {watts}  {heat}", f"  {heat}") if _fits(parts, text, width)), "")
        parts.append(span(told, "dim"))
    parts += [span(f" {SIGNS['bad']} {error}", "bad") for error in gpu.errors]
    return line(*parts)


def _fits(parts: list[Span], text: str, width: int) -> bool:
    return width_of(tuple(parts)) + cell_len(text) < width


def engines(data: ScreenData, width: int, rank: int) -> Section:
    """Requests in the rollout engines, where an endpoint of theirs is named; a silent one stands under `not seen`."""
    live = data.live
    if live is None or live.engines is None or not live.engines.value:
        return Section("requests", ())
    rows = tuple(
        line(
            span(f" {row.engine[: max(width - 34, 14)]} ", "text"),
            span(f" {row.running} running, {row.waiting} waiting", "number"),
        )
        for row in live.engines.value
    )
    old = data.now - live.engines.at
    return Section("requests", rows, least=1, rank=rank, note=f"read {wording.ago(old)}" if old > STALE_SECONDS else "")


def processes(data: ScreenData, width: int, rank: int) -> Section:
    """Each process of the run: state in words, CPU in percent of a core, memory. Stopped and gone ones first."""
    live = data.live
    if live is None:
        return Section("processes", ())
    ordered = sorted(
        live.processes, key=lambda process: (STATES.get(process.state, ("", ""))[0] != "bad", process.role)
    )
    rows = tuple(_process_row(process, width) for process in ordered)
    return Section("processes", rows, least=1, rank=rank, note="CPU of one core, memory")


def name_in(label: str, width: int) -> str:
    """A process's label in `width` cells: what must go goes first from its class, then from its brackets' words.

    `RolloutServer rollout_server_0 (pid 7)`, `rollout_server_0 (pid 7)`, `rollout_server_0 7`, `…server_0 7`.
    """
    label = safe(label)
    _, _, rest = label.partition(" ")
    own = rest if rest and not rest.startswith("(") else label
    shorter = own.replace("(pid ", "").replace(")", "")
    return next((text for text in (label, own, shorter) if cell_len(text) <= width), None) or ending(shorter, width)


def _process_row(process: ProcessRow, width: int) -> Line:
    state, word = STATES.get(process.state, ("unknown", "unknown"))
    sign = SIGNS.get(state, " ") if state in ("bad", "warn", "unknown") else " "
    room = max(width - 33, 14)
    label = process.label or f"{process.role} (pid {process.pid})"
    cpu = "? %" if process.cpu_percent is None else f"{5 * round(process.cpu_percent / 5)} %"
    look = state if state in ("bad", "warn") else "dim"
    return line(
        span(f" {padded(name_in(label, room), room)} ", "text"),
        span(f"{sign} {word:<9}", look),
        span(f"{cpu:>7}  {wording.size(process.rss_bytes):>9}", "number"),
    )


def loops(data: ScreenData, width: int, rank: int) -> Section:
    """Event loops as the last snapshot saw them; snapshots are taken only once progress has stopped."""
    live = data.live
    if live is None or (live.run.ended_at is not None and not live.loops):
        return Section("event loops", ())
    if not live.loops:
        why = "not looked at while all moves; a silence brings a snapshot"
        return Section("event loops", tuple(wrap(why, width - 4, "dim", first=(span("   "),), indent="   ")), rank=9)
    ordered = sorted(live.loops, key=lambda loop: -(loop.blocked_seconds or 0.0))
    rows = tuple(_loop_row(loop, width) for loop in ordered)
    note = f"snapshot {wording.ago(data.now - live.loops_at)}" if live.loops_at else "of the last snapshot"
    return Section("event loops", rows, least=1, rank=rank, note=note)


def _loop_row(loop: LoopRow, width: int) -> Line:
    room = max(width - 34, 14)
    blocked = loop.blocked_seconds or 0.0
    if blocked >= BLOCKED_SECONDS:
        state, text = "bad", f"{SIGNS['bad']} blocked for {wording.duration(blocked)}"
    else:
        lag = "" if loop.lag_seconds is None else f", lag {_lag(loop.lag_seconds)}"
        state, text = "dim", f"  answers{lag}"
    tasks = "" if loop.pending_tasks is None else f"{loop.pending_tasks:>4} tasks"
    return line(
        span(f" {padded(name_in(loop.process, room), room)} ", "text"), span(f"{text:<21}", state), span(tasks, "dim")
    )


def _lag(seconds: float) -> str:
    return f"{1e3 * seconds:.0f} ms" if seconds < 1 else wording.exact(seconds)


def sources(data: ScreenData, width: int, rank: int) -> Section:
    """Sources that are silent: since when, why, and what would help. GPUs speak in their own section."""
    live = data.live
    if live is None or live.run.ended_at is not None:
        return Section("not seen", ())
    rows: list[Line] = []
    named: set[str] = {"gpus"}
    for source in live.sources:
        if source.unknown is not None and source.name not in named:
            rows += unknown(source.unknown, data.now, width)
            named.add(source.unknown.what)
        elif source.at is not None and live.at - source.at > STALE_SECONDS:
            rows.append(line(span(f" ? {source.name}: last answer {wording.ago(data.now - source.at)}", "unknown")))
        named.add(source.name)
    for item in live.run.unknown:
        if item.what not in named:
            rows += unknown(item, data.now, width)
            named.add(item.what)
    return Section("not seen", tuple(rows), least=1, rank=rank)
