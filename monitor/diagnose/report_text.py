"""`report.md` of a bundle: what a person can read, and paste into an issue, without any other file of it.

Pure: the run's position, its verdict, its newest snapshot → Markdown. Bounded in processes, frames and tasks: equal
stacks are told once for the whole run, and the processes one by one as far as a person would read.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence

from monitor.detect.scene import is_system
from monitor.detect.thread_waits import Doing, thread_wait
from monitor.diagnose.host_facts import HostFacts
from monitor.diagnose.masking import masked_text, printable
from monitor.diagnose.report_stacks import stacks
from monitor.model.finding import Finding, Verdict
from monitor.model.snapshot import Frame, ProcessState, RunPosition, Snapshot

MOST_FRAMES = 12
MOST_TASKS = 8
MOST_PROCESSES = 64
"""Told one by one; the processes of the findings first."""


def report(
    position: RunPosition,
    verdict: Verdict,
    snapshots: Sequence[Snapshot],
    missing: Sequence[str],
    host: HostFacts | None = None,
) -> str:
    """The whole report."""
    culprits = {finding.culprit.pid for finding in (*verdict.findings, *verdict.suspicions)}
    lines = [*_head(position, verdict), *_findings(verdict), *_snapshot(snapshots, culprits)]
    lines += [*_host(host), *_missing(missing)]
    return printable(masked_text("\n".join(lines))) + "\n"


def _head(position: RunPosition, verdict: Verdict) -> Iterator[str]:
    yield f"# {position.name}: {verdict.word.value}"
    yield ""
    step = f"step {_known(position.step)} of {_known(position.total_steps)}, phase {position.phase or 'unknown'}"
    if position.validation_step is not None:
        done, total = _known(position.validation_done), _known(position.validation_total)
        step += f", validation at step {position.validation_step}: {done} of {total} samples"
    yield f"- Where: {step}"
    if position.last_moved_at is not None:
        yield f"- Last progress: {_time(position.last_moved_at)} ({position.last_fact or 'not known what'})"
    for reason in verdict.reasons:
        yield f"- {reason}"
    yield ""


def _findings(verdict: Verdict) -> Iterator[str]:
    for finding in verdict.findings:
        yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"## {finding.hang_class} ({'proved' if finding.proved else 'suspected'})"
    yield ""
    yield finding.sentence
    yield ""
    culprit = finding.culprit
    yield f"- Culprit: {culprit.process or 'unknown'}" + (f", {culprit.task}" if culprit.task else "")
    if finding.file:
        yield f"- Line: `{finding.file}:{finding.line}`"
    if finding.seconds_to_proof is not None:
        yield f"- Proved {finding.seconds_to_proof:.1f} s after the last progress"
    if finding.chain:
        yield ""
        yield "Who waits for whom:"
        yield ""
        for number, link in enumerate(finding.chain, 1):
            yield f"{number}. {link.waiter} waits for {link.waits_for}: {link.why}"
    yield ""
    yield "Evidence:"
    yield ""
    for evidence in finding.evidence:
        yield f"- {evidence.what}" + (f" (`{evidence.file}:{evidence.line}`)" if evidence.file else "")
    if finding.advice:
        yield ""
        yield f"What to do: {finding.advice}"
    yield ""


def _snapshot(snapshots: Sequence[Snapshot], culprits: set[int | None]) -> Iterator[str]:
    if not snapshots:
        return
    newest = snapshots[-1]
    times = ", ".join(_time(snapshot.taken_at) for snapshot in snapshots)
    yield "## Snapshots"
    yield ""
    yield f"{len(snapshots)} on {newest.host}, at {times}. What follows is of the newest."
    yield ""
    states = Counter((call.name or call.function, call.state) for call in newest.calls)
    yield f"Unfinished Ray calls: {sum(states.values())}"
    yield ""
    for (name, state), count in states.most_common(20):
        yield f"- {count} × {name}: {state}"
    yield ""
    yield from stacks(newest)
    own = [process for process in newest.processes if not is_system(process)]
    for process in sorted(own, key=lambda process: process.pid not in culprits)[:MOST_PROCESSES]:
        yield from _process(process)
    if len(own) > MOST_PROCESSES:
        yield f"… {len(own) - MOST_PROCESSES} more processes: their stacks are in the groups above."
        yield ""
    for unknown in newest.unknown:
        yield f"- Unknown: {unknown.what}: {unknown.because} {unknown.cure}".rstrip()
    for unseen in newest.unseen:
        yield f"- Unseen: {unseen}"
    yield ""
    yield "Versions: " + ", ".join(f"{name} {version}" for name, version in sorted(newest.versions.items()))
    yield ""


def _process(process: ProcessState) -> Iterator[str]:
    yield f"### {process.label or process.command[:60]}"
    yield ""
    yield f"State {process.state}, {process.cpu_seconds:.1f} s of CPU, {process.rss_bytes >> 20} MiB."
    yield ""
    if process.threads_unknown:
        yield f"Threads: {process.threads_unknown}"
        yield ""
    for thread in process.threads:
        wait = thread_wait(thread)
        if wait.doing is Doing.SERVICE:
            continue
        blocked = thread.loop_blocked_seconds
        age = f", in this callback for {blocked:.1f} s" if blocked is not None else ""
        yield f"Thread {thread.name}: {wait.doing.value}{age}"
        yield ""
        yield from _frames(thread.frames)
    tasks = process.tasks
    if tasks is None:
        yield f"Asyncio tasks: {process.tasks_unknown or 'not read'}"
        yield ""
    elif tasks:
        yield f"Asyncio tasks: {len(tasks)} pending"
        yield ""
        for task in tasks[:MOST_TASKS]:
            last = task.frames[-1] if task.frames else None
            where = f" at {last.function} ({last.file}:{last.line})" if last else ""
            yield f"- {task.name} waits on {task.waits_on}{where}"
        yield ""


def _host(host: HostFacts | None) -> Iterator[str]:
    if host is None:
        return
    yield "## The machine"
    yield ""
    yield f"- Kernel {host.kernel}, {host.machine}, {_known(host.cpus)} CPUs, {_known(host.usable_cpus)} usable"
    quota = "no CPU quota was seen" if host.cpu_quota is None else f"CPU quota {host.cpu_quota:g}"
    limit = "no memory limit was seen" if host.memory_limit_bytes is None else f"limit {_size(host.memory_limit_bytes)}"
    yield f"- cgroup: {quota}, {limit}, {_known(host.oom_kills)} processes ended for want of memory"
    yield f"- Memory: {_size(host.memory_bytes)}, of which {_size(host.memory_available_bytes)} available"
    scope = "no Yama" if host.ptrace_scope is None else f"Yama ptrace_scope {host.ptrace_scope}"
    yield f"- {scope}; laststep runs on Python {host.python}"
    yield ""


def _size(size: int | None) -> str:
    return "?" if size is None else f"{size >> 20} MiB"


def _frames(frames: Sequence[Frame]) -> Iterator[str]:
    yield "```"
    for frame in frames[:MOST_FRAMES]:
        yield f"{frame.function} ({frame.file}:{frame.line})".replace("```", "'''")
    if len(frames) > MOST_FRAMES:
        yield f"… {len(frames) - MOST_FRAMES} more"
    yield "```"
    yield ""


def _missing(missing: Sequence[str]) -> Iterator[str]:
    if missing:
        yield "## What is missing from this bundle"
        yield ""
        for what in missing:
            yield f"- {what}"


def _known(number: int | None) -> str:
    return "?" if number is None else str(number)


def _time(at: float) -> str:
    moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
