"""Quantization asked for and proved: what a run was trained with, and what its engine ran in each validation. Pure.

Asked for: configuration, overrides, hooks registered, a first module quantized. Proved: the engine's own count over a
validation, or its own word that it quantizes nothing. Nothing of the first kind ever becomes the second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from monitor.audit.rules import AuditRules
from monitor.audit.trace import EngineCount, Trace
from monitor.model.audit import AuditedQuantization
from monitor.model.score import Standing

NONE = "none"
Reason = tuple[Standing, str]
_FALSE = frozenset({"false", "none", "null", "0", "no", "off", ""})
_SCHEME = re.compile(r"(?i)w(\d+)a(\d+)$")
_BITS = re.compile(r"(\d+)$")
FULL_WIDTH = 16


def look_up(config: dict[str, str], keys: Sequence[str]) -> str | None:
    """The first of `keys` that the configuration holds; None where it holds none, or nulls."""
    for key in keys:
        value = config.get(key)
        if value is not None and value.lower() not in ("none", "null"):
            return value
    return None


def asked_for(trace: Trace, rules: AuditRules) -> str | None:
    """The recipe that training was to use (`mxfp4_w4a4`, or `mxfp4` alone), `none`, or None where nothing tells."""
    keys = rules.config_keys
    enabled = look_up(trace.config, keys["quantization_enabled"])
    if enabled is not None and enabled.lower() in _FALSE:
        return None if trace.asked else NONE
    named = trace.config.get("quantization.name")
    if named and _SCHEME.search(named):
        return named.lower()
    form = look_up(trace.config, keys["quantization_format"]) or next((m.format for m in trace.asked if m.format), None)
    scheme = _scheme_of_config(trace, rules, form) or _scheme_of_marks(trace)
    if form:
        return f"{form.lower()}_{scheme}" if scheme else form.lower()
    if scheme:
        return scheme
    if trace.asked or trace.intended or enabled is not None:
        return None
    if trace.whole_config and not _has_section(trace.config, rules):
        return NONE
    return None


def _has_section(config: dict[str, str], rules: AuditRules) -> bool:
    return any(part in rules.quantization_sections for key in config for part in key.split("."))


def _scheme_of_config(trace: Trace, rules: AuditRules, form: str | None) -> str | None:
    weights = look_up(trace.config, rules.config_keys["quantization_weights"])
    activations = look_up(trace.config, rules.config_keys["quantization_activations"])
    bits = _BITS.search(form or "")
    if weights is None or activations is None or bits is None:
        return None
    width = int(bits.group(1))
    of = [width if flag.lower() not in _FALSE else FULL_WIDTH for flag in (weights, activations)]
    return f"w{of[0]}a{of[1]}"


def _scheme_of_marks(trace: Trace) -> str | None:
    """The narrowest scheme that training's own marks name: first weights, then activations are quantized."""
    schemes = {mark.scheme.lower() for mark in trace.asked if mark.scheme}
    return min(schemes, key=lambda scheme: sum(_widths(scheme) or (99, 99)), default=None)


def _widths(scheme: str) -> tuple[int, int] | None:
    match = _SCHEME.search(scheme)
    return (int(match.group(1)), int(match.group(2))) if match else None


def recipe_of(count: EngineCount) -> str:
    """`mxfp4_w4a4`; the scheme alone where the engine named no format."""
    scheme = count.scheme.lower()
    return f"{count.format.lower()}_{scheme}" if count.format and "_" not in scheme else scheme


def judge_validation(trace: Trace, step: int, trained: str | None) -> Iterator[Reason]:
    """What speaks against the quantization of the validation at `step`, of a run trained with `trained`."""
    counts = [count for count in trace.counts if count.step == step]
    off = [mark for mark in trace.engine_off if mark.step <= step]
    cure = "an evaluation whose engine counts it would change that"
    if trained is None:
        yield Standing.UNPROVEN, "whether the run was trained quantized is not known; its configuration would tell it"
        return
    if trained == NONE:
        if any(count.active > 0 for count in counts):
            yield Standing.UNPROVEN, f"the engine counts {recipe_of(counts[0])}, training asked for none"
        return
    if off and not counts:
        yield (
            Standing.NOT_QUANTIZED,
            f"trained with {trained}, and the engine says that it ran without (line {off[0].seen.line}): a BF16 score; "
            f"a rerun with {trained} would count",
        )
        return
    if not counts:
        intention = [*trace.intended, *trace.asked]
        only = f'; "{intention[0].seen.what[:60]}" is intention' if intention else ""
        yield Standing.UNPROVEN, f"{trained} is asked for and the engine counts nothing at step {step}{only}; {cure}"
        return
    if off:
        yield Standing.UNPROVEN, f"one engine counts at step {step}, another says that it runs without quantization"
    for count in counts:
        yield from _judge_count(count, trained, cure)


def _judge_count(count: EngineCount, trained: str, cure: str) -> Iterator[Reason]:
    where = f"(line {count.seen.line})"
    proved, wanted = recipe_of(count), _widths(trained)
    if count.active <= 0 or count.calls <= 0:
        yield Standing.NOT_QUANTIZED, f"the engine counts {count.active} active layers, {count.calls} calls {where}"
        return
    if count.active != count.expected:
        off = count.expected - count.active
        yield Standing.NOT_QUANTIZED, f"{off} of {count.expected} layers ran without quantization {where}; {cure}"
    if wanted is None:
        yield Standing.UNPROVEN, f"what of {trained} is quantized is not known, so {proved} can't be matched with it"
        return
    widths = _widths(proved)
    if widths is None:
        yield Standing.UNPROVEN, f"the engine counts {proved}, which names no widths {where}; {cure}"
    elif widths != wanted:
        half = "weights only" if widths[0] == wanted[0] and widths[1] > wanted[1] else f"{proved}"
        yield (
            Standing.NOT_QUANTIZED,
            f"trained with {trained}, the engine counts {proved} ({half}) {where}; a rerun with {trained} would count",
        )
    form = count.format.lower() if count.format else None
    if form is not None and not trained.startswith(form):
        known = "_" in trained
        what = f"trained with {trained}" if known else "the format of training is not known"
        yield Standing.UNPROVEN, f"{what}, the engine counts {proved} {where}: another format is another score"


def proved_recipe(trace: Trace, step: int, trained: str | None) -> str | None:
    """The recipe proved active at `step`, `none` where the engine ran without, None where nothing is proved."""
    counts = [count for count in trace.counts if count.step == step]
    if counts and not any(mark.step <= step for mark in trace.engine_off):
        recipes = {recipe_of(count) for count in counts}
        whole = all(count.active == count.expected > 0 and count.calls > 0 for count in counts)
        if len(recipes) == 1 and whole:
            recipe = recipes.pop()
            return trained if trained and trained.endswith(f"_{recipe}") else recipe
        if all(count.active == 0 for count in counts):
            return NONE
        return None
    return NONE if not counts and any(mark.step <= step for mark in trace.engine_off) else None


def summarise(trace: Trace, trained: str | None, steps: Sequence[int]) -> AuditedQuantization:
    """Quantization of a run over its validations, with what it rests on."""
    proofs = {step: proved_recipe(trace, step, trained) for step in steps}
    proved_at = tuple(sorted(step for step, recipe in proofs.items() if recipe not in (None, NONE)))
    latest = proofs.get(max(steps)) if steps else None
    seen = [count.seen for count in trace.counts[-1:]] + [mark.seen for mark in trace.engine_off[:1]]
    seen += [mark.seen for mark in (*trace.asked[:1], *trace.intended[:1])]
    proved = latest or next((proofs[step] for step in reversed(proved_at)), None)
    return AuditedQuantization(
        asked=trained,
        proved_at=proved_at,
        proved=proved,
        weights_only=_is_weights_only(proved, trained),
        evidence=tuple(seen),
    )


def _is_weights_only(proved: str | None, trained: str | None) -> bool:
    have, wanted = _widths(proved or ""), _widths(trained or "")
    return have is not None and wanted is not None and have[0] == wanted[0] and have[1] > wanted[1]
