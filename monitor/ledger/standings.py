"""Standings: what a score may claim, and what a run lacks. Pure; each word comes with its reason and its cure.

A score is `valid` only where all of this is proved, by what was executed and not by what was configured: it is of the
run's last step, over every row, with the weights of that step, and quantized as training was. What can't be proved is
`unproven`; several words may hold at once, `valid` stands alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from monitor.ledger import attested
from monitor.model.run import RunState
from monitor.model.score import Provenance, Score, Standing

Reason = tuple[Standing, str]

_SHOWN = 12
"""Characters of a fingerprint in a sentence."""


def judge_score(score: Score, run: RunState) -> tuple[tuple[Standing, ...], tuple[str, ...]]:
    """What `score` may claim in `run`, and why."""
    found = [
        *_identity(score, run),
        *_finality(score, run),
        *_completeness(score),
        *_weights(score),
        *_noise(score),
        *_quantization(score, run),
        *_guard(score, run),
    ]
    if not found:
        return (Standing.VALID,), (_why_valid(score),)
    words = tuple(dict.fromkeys(word for word, _ in found))
    return words, tuple(f"{word.value}: {sentence}" for word, sentence in found)


def judge_run(run: RunState, scores: Sequence[Score]) -> tuple[tuple[Standing, ...], tuple[str, ...]]:
    """`missing-final` where `run` ended or hangs (`hung_since`) and its final validation was not executed.

    A valid score of the last step from a rerun fills what was missing. A run that lives and moves lacks nothing yet.
    """
    if run.ended_at is None and run.hung_since is None:
        return (), ()
    final = run.final_step
    if final is None:
        return (), ("the run's last step is not known, so whether its final validation ran can't be told",)
    own = [score for score in scores if score.run == run.name and score.step == final]
    validation = run.validation_at(final)
    if (validation is not None and validation.executed) or any(item.provenance.source == "training" for item in own):
        return (), ()
    what = f"the run {_how(run)} without its final validation (step {final}): {_where(run, final)}"
    filled = next((item for item in own if item.standing == (Standing.VALID,)), None)
    if filled is not None:
        return (), (f"{what}; its score was filled by {filled.provenance.rerun_id or 'a rerun'}",)
    return (Standing.MISSING_FINAL,), (f"missing-final: {what}; `laststep rerun {run.name}` fills the score",)


def _how(run: RunState) -> str:
    if run.ended_at is None:
        return "hangs"
    words = {
        "finished": "ended",
        "gone": "ended (its driver is gone)",
        "gone-unseen": "ended while nobody watched (its driver is gone)",
        "killed": "was killed",
    }
    return words.get(run.ended_how or "finished", str(run.ended_how))


def _where(run: RunState, final: int) -> str:
    """What is known of the final validation, from the run's own facts."""
    validation = run.validation_at(final)
    if validation is not None and (validation.began_at is not None or validation.done or validation.dump_rows):
        done = validation.done if validation.done is not None else validation.dump_rows
        count = f"{done} of {validation.total or '?'} samples" if done is not None else "no sample was counted"
        place = next((f" ({item.file}:{item.line})" for item in validation.evidence if item.file and item.line), "")
        return f"it began and never ended{place}, {count}"
    if run.config.test_freq is not None and run.config.test_freq <= 0:
        return f"test_freq is {run.config.test_freq}, which turns validation off"
    reached = "no step was seen" if run.step is None else f"it was at step {run.step} of {final}"
    executed = [item.step for item in run.validations if item.executed]
    return f"{reached}, " + (f"the last validation that ran is step {executed[-1]}'s" if executed else "none ran")


def _identity(score: Score, run: RunState) -> Iterator[Reason]:
    if score.run != run.name:
        yield (
            Standing.UNPROVEN,
            f"it is recorded for {score.run}, not for {run.name}; a score of this run's own would count",
        )
    if not math.isfinite(score.value):
        yield Standing.UNPROVEN, f"its value is {score.value}; only an evaluation that gives a number changes that"


def _finality(score: Score, run: RunState) -> Iterator[Reason]:
    final = run.final_step
    if final is None:
        yield Standing.UNPROVEN, "the run's last step is not known; its configuration or its log would tell it"
    elif score.step < final:
        yield (
            Standing.NOT_FINAL,
            f"it is of step {score.step}{_seen(score)}, the run's last is {final}; "
            f"only a score of step {final} is final",
        )
    elif score.step > final:
        sentence = f"it is of step {score.step}{_seen(score)}, past the run's last step {final}: one of them is wrong"
        yield Standing.UNPROVEN, f"{sentence}; the run's configuration, read again, would tell which"
    elif score.provenance.final is False:
        yield Standing.NOT_FINAL, "it was recorded as not final; a rerun of the last step would be"


def _seen(score: Score) -> str:
    """Where the score itself was read, as ` (console.log:52)`; empty where that was not kept."""
    found = (item for item in score.provenance.evidence if item.file is not None)
    return next((f" ({item.file}{f':{item.line}' if item.line is not None else ''})" for item in found), "")


def _counted(known: Provenance) -> str:
    return f" ({attested.summary(known.attestation)})" if known.attestation else ""


def _completeness(score: Score) -> Iterator[Reason]:
    rows, expected = score.provenance.rows, score.provenance.rows_expected
    dump = f" ({score.provenance.dump_path})" if score.provenance.dump_path else ""
    if rows is None:
        yield (
            Standing.UNPROVEN,
            "how many rows were evaluated is not known; a dump (`validation_data_dir`) or the hooks show it",
        )
    elif expected is None:
        yield (
            Standing.UNPROVEN,
            f"{rows} rows{dump} were evaluated, how many the validation set has is not known; reading the set tells it",
        )
    elif rows < expected or rows <= 0:
        yield Standing.PARTIAL, f"{rows} of {expected} rows{dump} were evaluated; a rerun over all rows would be whole"
    elif rows > expected:
        yield (
            Standing.UNPROVEN,
            f"{rows} rows{dump} were evaluated, the validation set has {expected}: rows doubled or the set changed; "
            "a rerun counts each once",
        )


def _weights(score: Score) -> Iterator[Reason]:
    known = score.provenance
    fingerprint = known.weights_fingerprint
    cure = "a rerun from the checkpoint evaluates the right weights"
    if known.weights_step is not None and known.weights_step != score.step:
        yield Standing.STALE_WEIGHTS, f"the engine held the weights of step {known.weights_step}; {cure}"
    if score.step > 0 and fingerprint is not None and fingerprint == known.start_fingerprint:
        yield Standing.STALE_WEIGHTS, f"the engine held the start model's weights ({fingerprint[:_SHOWN]}); {cure}"
    if fingerprint is not None and known.checkpoint_fingerprint not in (None, fingerprint):
        other = str(known.checkpoint_fingerprint)[:_SHOWN]
        sentence = f"the engine held {fingerprint[:_SHOWN]}, the checkpoint of step {score.step} is {other}; {cure}"
        yield Standing.STALE_WEIGHTS, sentence
    if known.attestation.get("weight_syncs") == 0:
        sentence = "no weights had reached the engine: it held what it was started with"
        yield Standing.STALE_WEIGHTS, f"{sentence}; {cure}"
    if attested.weights_changed(known.attestation):
        yield Standing.UNPROVEN, f"the weights changed while they were evaluated; {cure}"
    if known.weights_step is None:
        yield (
            Standing.UNPROVEN,
            f"nothing shows that the engine held the weights of step {score.step}; the hooks or a rerun would",
        )


def _noise(score: Score) -> Iterator[Reason]:
    noise = attested.noise_on(score.provenance.attestation)
    if noise:
        yield Standing.UNPROVEN, f"{noise} was on the weights while they were evaluated; a rerun evaluates them clean"


def _quantization(score: Score, run: RunState) -> Iterator[Reason]:
    known, recipe = score.provenance, run.config.recipe
    declared = _declared(known, run)
    if declared is None:
        yield (
            Standing.UNPROVEN,
            "whether the run trains quantized is not known; a `quantization` entry in its configuration would tell it",
        )
    elif declared == attested.NONE:
        if known.recipe_attested not in (None, attested.NONE):
            yield (
                Standing.UNPROVEN,
                f"it was evaluated with {known.recipe_attested}, training was not; a rerun in BF16 would count",
            )
    elif known.recipe_attested == attested.NONE:
        yield (
            Standing.NOT_QUANTIZED,
            f"it was trained with {declared}, the engine evaluated without it{_counted(known)}; "
            f"a rerun with {declared} would count",
        )
    elif recipe is None:
        yield Standing.UNPROVEN, f"{declared} is declared, but not what it is in full; its recipe file would tell it"
    else:
        cure = f"the hooks in the engine, or a rerun with {declared}, attest it"
        for objection in attested.objections(known.attestation, recipe):
            yield Standing.UNPROVEN, f"{declared} is declared and not proved: {objection}; {cure}"
        if known.recipe_attested is None and known.attestation:
            yield Standing.UNPROVEN, f"{declared} is declared, the attestation names no recipe; {cure}"


def _declared(known: Provenance, run: RunState) -> str | None:
    """Name of the recipe the run was trained with, `none` where it says it had none, None where nobody says."""
    if run.config.recipe is not None:
        return str(run.config.recipe.get("name") or "a recipe without a name")
    if known.recipe_declared is not None and known.recipe_declared != attested.NONE:
        return known.recipe_declared
    if run.config.quantized:
        return "a recipe that its configuration does not name"
    return attested.NONE if run.config.quantized is False or known.recipe_declared == attested.NONE else None


def _guard(score: Score, run: RunState) -> Iterator[Reason]:
    """What the guard saw from inside at the end of training, of the run's own final score."""
    word, reason = str(run.guard.get("final_validation") or ""), run.guard.get("reason")
    if score.provenance.source != "training" or score.step != run.final_step:
        return
    against = {
        "stale-weights": Standing.STALE_WEIGHTS,
        "partial": Standing.PARTIAL,
        "missing": Standing.UNPROVEN,
    }.get(word)
    if against is not None:
        yield against, f"the final-validation guard says: {reason or word}; a rerun would settle it"


def _why_valid(score: Score) -> str:
    known = score.provenance
    parts = [
        f"step {score.step} is the run's last",
        f"{known.rows} of {known.rows_expected} rows" + (f" in {known.dump_path}" if known.dump_path else ""),
        f"weights of step {known.weights_step}"
        + (f" ({known.weights_fingerprint[:_SHOWN]})" if known.weights_fingerprint else ""),
    ]
    if known.attestation and known.recipe_attested not in (None, attested.NONE):
        parts.append(f"{known.recipe_attested} attested in {attested.summary(known.attestation)}")
    else:
        parts.append("training was not quantized, and neither was this")
    return "valid: " + ", ".join(parts)
