"""Preflight's judgements of the checkpoint: there, complete, unchanged, not being written, trained weights. Pure."""

from __future__ import annotations

from monitor.rerun.facts import CheckpointFacts, LineState, PreflightFacts, PreflightLine
from monitor.rerun.plan import RerunPlan

NAMES_SHOWN = 4
"""Files named in one line before it says how many more there are."""


def checkpoint_lines(plan: RerunPlan, facts: PreflightFacts) -> tuple[PreflightLine, ...]:
    """The lines about the checkpoint; only the first where there is none."""
    checkpoint = facts.checkpoint
    there = _there(plan, checkpoint)
    if there.state is LineState.FAIL:
        return (there,)
    return (
        there,
        _complete(plan, checkpoint),
        _unchanged(plan, checkpoint),
        _at_rest(checkpoint),
        _trained(plan, facts),
    )


def _there(plan: RerunPlan, checkpoint: CheckpointFacts) -> PreflightLine:
    if checkpoint.unreadable:
        return _line("checkpoint", LineState.FAIL, checkpoint.unreadable, cure="give your user read access to it")
    if checkpoint.exists:
        return _line("checkpoint", LineState.PASS, f"the checkpoint of step {plan.step} is there", (plan.checkpoint,))
    return _line(
        "checkpoint",
        LineState.FAIL,
        f"there is no checkpoint of step {plan.step}",
        (f"no folder {plan.checkpoint}",),
        _earlier(plan, checkpoint),
    )


def _earlier(plan: RerunPlan, checkpoint: CheckpointFacts) -> str:
    if not checkpoint.earlier:
        return "no earlier complete checkpoint was found either: the weights exist only in the run's own processes"
    newest = checkpoint.earlier[0]
    step = newest.rsplit("_", 1)[-1]
    return (
        f"the newest earlier complete checkpoint is {newest}: "
        f"`laststep rerun {plan.run} --step {step}` scores that step; "
        f"the weights of step {plan.step} exist only in the run's processes: don't stop them if you need those"
    )


def _complete(plan: RerunPlan, checkpoint: CheckpointFacts) -> PreflightLine:
    name = "complete"
    cure = _earlier(plan, checkpoint)
    if checkpoint.missing:
        sentence = f"the checkpoint is not whole: {_names(checkpoint.missing)}"
        return _line(name, LineState.FAIL, sentence, (plan.checkpoint,), cure)
    if checkpoint.marker_step is None:
        sentence = "no marker (latest_checkpointed_iteration.txt) says that the checkpoint was written to its end"
        return _line(name, LineState.FAIL, sentence, (plan.checkpoint,), cure)
    if checkpoint.marker_step < plan.step:
        sentence = f"the marker names step {checkpoint.marker_step}, so step {plan.step} was not written to its end"
        return _line(name, LineState.FAIL, sentence, (plan.checkpoint,), cure)
    if not checkpoint.complete:
        return _line(name, LineState.FAIL, "the checkpoint is not complete", (plan.checkpoint,), cure)
    marker = f"latest_checkpointed_iteration.txt says {checkpoint.marker_step}"
    return _line(name, LineState.PASS, f"marker and all {checkpoint.shards} shards are there", (marker,))


def _unchanged(plan: RerunPlan, checkpoint: CheckpointFacts) -> PreflightLine:
    name = "unchanged"
    if checkpoint.recorded is None:
        sentence = "sizes and hashes were not recorded when the checkpoint was saved, so a later change can't be seen"
        cure = "keep `laststep watch` running while the run saves its checkpoints"
        return _line(name, LineState.UNKNOWN, sentence, (f"no manifest of step {plan.step} in the ledger",), cure)
    differences = manifest_differences(checkpoint)
    if differences:
        sentence = f"the checkpoint is not the one the run saved: {differences[0]}"
        cure = "restore the checkpoint of the run; a score of these files is not a score of the run"
        return _line(name, LineState.FAIL, sentence, differences, cure)
    unhashed = [file for file, (_, digest) in checkpoint.recorded.items() if not digest]
    if unhashed:
        sentence = f"sizes are those recorded at save time; {_names(tuple(unhashed))} was too large to hash then"
        return _line(name, LineState.UNKNOWN, sentence, (f"{len(checkpoint.recorded)} files",))
    sentence = f"sizes and hashes of {len(checkpoint.recorded)} files are those recorded when the run saved it"
    return _line(name, LineState.PASS, sentence, (f"manifest of step {plan.step} in the ledger",))


def manifest_differences(checkpoint: CheckpointFacts) -> tuple[str, ...]:
    """One phrase a file that is missing, new, of another size or of another content than recorded."""
    recorded, now = checkpoint.recorded or {}, checkpoint.manifest
    found = []
    for file in sorted({*recorded, *now}):
        if file not in now:
            found.append(f"{file} is gone")
        elif file not in recorded:
            found.append(f"{file} was not there")
        elif now[file][0] != recorded[file][0]:
            found.append(f"{file} has {now[file][0]} bytes, not {recorded[file][0]}")
        elif recorded[file][1] and now[file][1] and now[file][1] != recorded[file][1]:
            found.append(f"{file} has another content (sha256)")
    return tuple(found)


def _at_rest(checkpoint: CheckpointFacts) -> PreflightLine:
    if checkpoint.writers:
        sentence = f"the checkpoint is being written now: {checkpoint.writers[0]}"
        return _line("at-rest", LineState.FAIL, sentence, checkpoint.writers, "wait until the run has saved it")
    return _line("at-rest", LineState.PASS, "no process has a file of the checkpoint open for writing")


def _trained(plan: RerunPlan, facts: PreflightFacts) -> PreflightLine:
    name, weights = "trained-weights", facts.weights
    if weights.checkpoint is None:
        sentence = f"the checkpoint's weights can't be read: {weights.checkpoint_error or 'no reason was given'}"
        return _line(name, LineState.FAIL, sentence, (plan.checkpoint,), _earlier(plan, facts.checkpoint))
    recorded = facts.checkpoint.recorded_fingerprint
    if recorded and recorded != weights.checkpoint:
        sentence = "the checkpoint's weights are not those the run saved"
        evidence = (f"fingerprint now {weights.checkpoint}", f"recorded {recorded}")
        return _line(name, LineState.FAIL, sentence, evidence, "restore the checkpoint of the run")
    if weights.start is None:
        sentence = f"the start model's weights can't be read to compare with: {weights.start_error or 'not recorded'}"
        return _line(
            name,
            LineState.UNKNOWN,
            sentence,
            (plan.start_model or "no start model in the run's configuration",),
            "give the start model's folder back its files",
            doubt=True,
        )
    evidence = (f"checkpoint {weights.checkpoint}", f"start model {weights.start}")
    if weights.start == weights.checkpoint:
        sentence = "the checkpoint holds the start model's weights: nothing was trained in it"
        return _line(name, LineState.FAIL, sentence, evidence, "restore the checkpoint of the run")
    return _line(name, LineState.PASS, "the weights are not the start model's", evidence)


def _names(files: tuple[str, ...]) -> str:
    more = f" and {len(files) - NAMES_SHOWN} more" if len(files) > NAMES_SHOWN else ""
    return ", ".join(files[:NAMES_SHOWN]) + more


def _line(
    name: str,
    state: LineState,
    sentence: str,
    evidence: tuple[str, ...] = (),
    cure: str = "",
    *,
    doubt: bool = False,
) -> PreflightLine:
    return PreflightLine(name, state, sentence, evidence, cure, doubt)
