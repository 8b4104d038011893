"""Preflight's judgements of the environment that evaluates: ports, versions, verl, GPU memory, room to merge. Pure."""

from __future__ import annotations

from urllib.parse import parse_qs

from monitor.rerun.facts import GpuSpace, LineState, PreflightFacts, PreflightLine
from monitor.rerun.plan import RerunPlan
from monitor.rerun.recorded_versions import public
from monitor.rerun.resource_lines import sized

PORTS_NEEDED = 16
"""Of loopback, at once. More than a Ray head with its agents and one worker listens on; vLLM alone takes fewer."""
VLLM_SHARE = 0.92
"""vLLM's share of a GPU's memory where none is named (`gpu_memory_utilization`: 0.90, later 0.92)."""


def environment_lines(plan: RerunPlan, facts: PreflightFacts) -> tuple[PreflightLine, ...]:
    """The lines; ports alone for another trainer's run."""
    if plan.verl is None or facts.verl is None:
        return (_ports(facts),)
    return (
        _ports(facts),
        _verl(plan, facts),
        *(_version(name, plan, facts) for name in ("vllm", "verl", "ray")),
        _gpu_memory(plan, facts),
        _merge(facts),
    )


def _ports(facts: PreflightFacts) -> PreflightLine:
    name, free = "ports", facts.around.ports_free
    if free is None:
        return PreflightLine(name, LineState.UNKNOWN, "whether ports are free on loopback could not be tried")
    if free < PORTS_NEEDED:
        sentence = f"{PORTS_NEEDED} ports of loopback are needed, {free} can be had"
        cure = "end what holds them (`ss -tan`), or widen net.ipv4.ip_local_port_range"
        return PreflightLine(name, LineState.FAIL, sentence, (), cure)
    return PreflightLine(name, LineState.PASS, f"{PORTS_NEEDED} ports of loopback are free, none of them the run's")


def _verl(plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    name, why = "verl", facts.verl.needs_verl if facts.verl else ""
    if not why:
        return PreflightLine(name, LineState.PASS, "neither reward nor data need verl")
    if facts.around.versions is None:
        return PreflightLine(name, LineState.UNKNOWN, f"{why}; whether {plan.python} has verl can't be told")
    if "verl" not in facts.around.versions:
        sentence = f"verl is not installed in {plan.python}, and {why}"
        cure = "name the training environment's interpreter: --python TRAINING/bin/python"
        return PreflightLine(name, LineState.FAIL, sentence, (), cure)
    return PreflightLine(name, LineState.PASS, f"verl is there, as is needed: {why}")


def _version(package: str, plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    """vLLM computes the score, so another one refuses; another verl casts doubt where it scores; Ray is not joined."""
    name, around = f"{package}-version", facts.around
    now, recorded = (around.versions or {}).get(package), around.recorded_versions.get(package)
    if recorded is None:
        return PreflightLine(name, LineState.UNKNOWN, f"the run recorded no version of {package} to compare with")
    if not now:
        return PreflightLine(
            name, LineState.UNKNOWN, f"{plan.python} names no version of {package}; the run: {recorded}"
        )
    if public(now) == public(recorded):
        return PreflightLine(name, LineState.PASS, f"{package} {now}, as in the run")
    sentence, cure = f"{package} is {now}, the run used {recorded}", f"install {package} {recorded}"
    if package == "vllm" and plan.engine.startswith("vllm"):
        sentence += ": kernels and sampling may differ"
        return PreflightLine(name, LineState.FAIL, sentence, (f"{package} {now}", f"recorded {recorded}"), cure)
    needed = package == "verl" and facts.verl is not None and bool(facts.verl.needs_verl)
    sentence += ": rewards may differ" if needed else ", and the evaluation does not use it"
    return PreflightLine(name, LineState.UNKNOWN, sentence, (), cure if needed else "", doubt=needed)


def _gpu_memory(plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    """vLLM asks for its whole share at the start, and ends where that is not free."""
    name, found = "gpu-memory", facts.verl
    space = max(found.gpu_space if found else (), key=lambda each: each.free, default=None)
    if space is None:
        return PreflightLine(name, LineState.UNKNOWN, "no free GPU tells its memory")
    share = gpu_share(plan.engine)
    budget = int(share * space.total)
    weights = sum(size for file, (size, _) in facts.checkpoint.manifest.items() if "/model" in f"/{file}")
    told = (f"GPU {space.index}: {sized(space.free)} free of {sized(space.total)}",)
    if space.free < budget:
        sentence = f"vLLM takes {share:.0%} of a GPU, {sized(budget)}; {sized(space.free)} are free"
        return PreflightLine(name, LineState.FAIL, sentence, told, "wait until the GPU's memory is free")
    if budget < weights // 2:
        # Shards may hold fp32; no engine computes in less than 16 bits a weight here.
        sentence = f"the weights take {sized(weights // 2)} or more, vLLM's share of a GPU is {sized(budget)}"
        return PreflightLine(name, LineState.FAIL, sentence, told, "go to a node with larger GPUs")
    if budget < weights:
        sentence = f"the weights take up to {sized(weights)}, vLLM's share of a GPU is {sized(budget)}"
        return PreflightLine(name, LineState.UNKNOWN, sentence, told)
    return PreflightLine(name, LineState.PASS, f"{sized(budget)} of GPU memory for vLLM, all free", told)


def gpu_share(engine: str) -> float:
    """The share of a GPU's memory that an engine's options name."""
    given = parse_qs(engine.partition("?")[2]).get("gpu_memory_utilization")
    try:
        return float(given[-1]) if given else VLLM_SHARE
    except ValueError:
        return VLLM_SHARE


def _merge(facts: PreflightFacts) -> PreflightLine:
    """FSDP shards are written whole into the temporary folder, from which the engine loads them."""
    name, free = "merge-space", facts.verl.merge_free if facts.verl else None
    need = sum(size for file, (size, _) in facts.checkpoint.manifest.items() if "/model" in f"/{file}")
    if free is None:
        return PreflightLine(name, LineState.UNKNOWN, "free space of the temporary folder could not be read")
    if free < need:
        sentence = f"merging the shards takes {sized(need)}, the temporary folder has {sized(free)} free"
        return PreflightLine(
            name, LineState.FAIL, sentence, (), "free space there, or set TMPDIR to a folder with room"
        )
    return PreflightLine(name, LineState.PASS, f"{sized(need)} to merge the shards, {sized(free)} free")


def best_gpu(spaces: tuple[GpuSpace, ...], allowed: frozenset[int] | None) -> GpuSpace | None:
    """The free GPU with most free memory among those allowed (None: all)."""
    open_ones = [each for each in spaces if allowed is None or each.index in allowed]
    return max(open_ones, key=lambda each: each.free, default=None)
