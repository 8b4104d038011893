"""Preflight's judgements of the machine: memory, shared memory, disk, processors, the state directory. Pure.

The needs are those of a Ray head with one evaluation actor on a CPU; the live run keeps what it has.
"""

from __future__ import annotations

from monitor.ray_head import OBJECT_STORE_BYTES
from monitor.rerun.facts import LineState, PreflightFacts, PreflightLine, Resources

MIB = 1024**2
BASE_MEMORY_BYTES = 900 * MIB
"""Ray head, dashboard, job and one worker with torch: 0.6 GB (sum of PSS, measured), and half as much again."""
MEMORY_PER_WEIGHT_BYTE = 5
"""Weights, their quantized copy, the loaded file and the start model's, in fp32."""
MEMORY_CEILING = 0.93
"""Ray kills workers of a node at 95 % of its memory (RAY_memory_usage_threshold): the live run's workers too."""
DISK_BYTES = 64 * MIB
"""Logs, dump and attestation of a rerun."""
SESSION_BYTES = 128 * MIB
"""Session folder of a short-lived Ray head."""


def resource_lines(facts: PreflightFacts) -> tuple[PreflightLine, ...]:
    """The lines about the machine."""
    resources = facts.resources
    weights = sum(size for file, (size, _) in facts.checkpoint.manifest.items() if "/model" in f"/{file}")
    return (
        _memory(resources, memory_needed(weights)),
        _shared_memory(resources),
        _processors(resources),
        _disk(resources),
        _state_directory(resources),
    )


def memory_needed(weights: int) -> int:
    """Bytes of host memory that an evaluation of so many bytes of weights takes."""
    return BASE_MEMORY_BYTES + MEMORY_PER_WEIGHT_BYTE * weights


def _memory(resources: Resources, need: int) -> PreflightLine:
    name, cure = "memory", "free memory on this machine, or copy the checkpoint to another one"
    free, total = resources.memory_free, resources.memory_total
    if free is None or total is None:
        return PreflightLine(name, LineState.UNKNOWN, "free memory could not be read")
    spare = int(free - (1 - MEMORY_CEILING) * total)
    if spare < need:
        sentence = f"the rerun needs {sized(need)} of memory, {sized(max(spare, 0))} can be had without risk to the run"
        return PreflightLine(name, LineState.FAIL, sentence, (f"{sized(free)} free of {sized(total)}",), cure)
    return PreflightLine(name, LineState.PASS, f"{sized(need)} of memory needed, {sized(spare)} can be had")


def _shared_memory(resources: Resources) -> PreflightLine:
    name, free, need = "shared-memory", resources.shared_memory_free, OBJECT_STORE_BYTES
    if free is None:
        return PreflightLine(name, LineState.UNKNOWN, "/dev/shm could not be read; Ray then keeps its objects on disk")
    if free < 2 * need:
        sentence = f"/dev/shm has {sized(free)} free; an object store of {sized(need)} there could starve the run's own"
        return PreflightLine(name, LineState.FAIL, sentence, (), "free /dev/shm, or enlarge it")
    return PreflightLine(name, LineState.PASS, f"{sized(need)} of /dev/shm needed, {sized(free)} free")


def _processors(resources: Resources) -> PreflightLine:
    name, load, count = "processors", resources.load, resources.processors
    if load is None:
        return PreflightLine(name, LineState.UNKNOWN, "the load of this machine could not be read")
    sentence = f"load {load:.1f} on {count} processors; the rerun runs at the lowest priority"
    if load <= count:
        return PreflightLine(name, LineState.PASS, sentence)
    return PreflightLine(name, LineState.UNKNOWN, f"{sentence}, so how long it takes can't be told")


def _disk(resources: Resources) -> PreflightLine:
    name = "temp-space"
    if resources.temp_free is None:
        return PreflightLine(name, LineState.UNKNOWN, "free space of the temp folder could not be read")
    if resources.temp_free < SESSION_BYTES:
        sentence = f"the temp folder has {sized(resources.temp_free)} free, Ray's session needs {sized(SESSION_BYTES)}"
        return PreflightLine(name, LineState.FAIL, sentence, (), "free space in /tmp")
    return PreflightLine(name, LineState.PASS, f"{sized(resources.temp_free)} free in the temp folder")


def _state_directory(resources: Resources) -> PreflightLine:
    name, cure = "state-folder", "free space there, or set XDG_STATE_HOME to a local folder with room"
    if not resources.state_writable:
        sentence = f"the state folder can't be written: {resources.state_error}"
        return PreflightLine(name, LineState.FAIL, sentence, (), cure)
    if resources.state_free is None:
        return PreflightLine(name, LineState.UNKNOWN, "free space of the state folder could not be read")
    if resources.state_free < DISK_BYTES:
        sentence = f"the state folder has {sized(resources.state_free)} free, a rerun needs {sized(DISK_BYTES)}"
        return PreflightLine(name, LineState.FAIL, sentence, (), cure)
    return PreflightLine(name, LineState.PASS, f"the state folder is writable, {sized(resources.state_free)} free")


def sized(count: int) -> str:
    """Bytes as a person reads them."""
    return f"{count / 1024**3:.1f} GiB" if count >= 1024**3 else f"{count / MIB:.0f} MiB"
