"""The Rerun screen: the plan, every preflight line, the typed confirmation, progress, and the proofs at the end."""

from __future__ import annotations

from monitor.ledger.rows import RerunRow
from monitor.model.score import Score, Standing
from monitor.tui import charts, summary, wording
from monitor.tui.cells import Line, Span, line, rule, span, wrap
from monitor.tui.rerun_door import FAIL, PASS, CheckLine, PlannedRerun
from monitor.tui.rerun_flow import RerunFlow, Stage
from monitor.tui.screen_data import ScreenData
from monitor.tui.screens import run_sections
from monitor.tui.screens.common import Room, empty, sentence, standing_spans

STATES = {PASS: "ok", FAIL: "bad"}


def lines(data: ScreenData, room: Room, flow: RerunFlow, *, read_only: bool) -> list[Line]:
    """The whole body; it scrolls where there is more than the room."""
    width = room.width
    if flow.stage is Stage.PLANNING:
        where = f"step {flow.step}" if flow.step is not None else "the last step"
        return empty(f"Planning the rerun of {where} of {flow.run}; preflight hashes the checkpoint …", width)
    if flow.stage is Stage.FAILED:
        cure = wrap(flow.cure, width - 4, "dim", first=(Span("   "),), indent="   ") if flow.cure else []
        return [(), *sentence("bad", flow.problem, width, head="no rerun"), *cure, (), *_reruns(data, width)]
    if flow.stage in (Stage.PLANNED, Stage.LAUNCHING) and flow.planned is not None:
        return _planned(flow, flow.planned, width)
    return _known(data, width, read_only=read_only)


def _planned(flow: RerunFlow, planned: PlannedRerun, width: int) -> list[Line]:
    failed = [check for check in planned.checks if check.state == FAIL]
    block: list[Line] = [()]
    if flow.stage is Stage.LAUNCHING:
        block += sentence("info", "its process starts and looks at everything once more", width, head="launching …")
    elif failed:
        count = wording.count(len(failed), "line")
        block += sentence("bad", f"preflight fails on {count}; nothing is started", width, head="refused")
    else:
        block += sentence("warn", "type the run's name below; nothing runs before that", width, head="launch?")
    block.append(())
    ordered = sorted(planned.checks, key=lambda check: {FAIL: 0, PASS: 2}.get(check.state, 1))
    block.append(rule("preflight", width, f"{sum(c.state == PASS for c in planned.checks)}/{len(planned.checks)} pass"))
    for check in ordered:
        block += _check(check, width)
    block += [(), rule("plan", width)]
    for label, value in planned.facts:
        block += wrap(value, width - 2, "text", first=(span(f" {label:>16}  ", "dim"),), indent=" " * 19)
    return block


def _check(check: CheckLine, width: int) -> list[Line]:
    state = STATES.get(check.state, "unknown")
    block = sentence(state, check.sentence, width, head=check.name)
    if check.state != PASS and check.cure:
        block += wrap(check.cure, width - 8, "dim", first=(span("     so: ", "dim"),), indent="         ")
    if width >= 110:
        for item in check.evidence:
            block += wrap(item, width - 8, "faint", first=(Span("     "),), indent="     ")
    return block


def _known(data: ScreenData, width: int, *, read_only: bool) -> list[Line]:
    if data.run is None:
        return empty("No run is in the ledger yet.", width)
    if data.reruns:
        return [(), *_reruns(data, width), *_scores_now(data, width)]
    answer = summary.trust(data)
    how = (
        "this dashboard is read-only; laststep rerun RUN does it"
        if read_only
        else "r plans one; nothing starts before you type the run's name"
    )
    return [
        (),
        *sentence(answer.state, answer.sentence, width, head=answer.word),
        *empty(f"No rerun yet: {how}.", width),
    ]


def _scores_now(data: ScreenData, width: int) -> list[Line]:
    """What the run's scores are by now, and what an earlier rerun or the run itself left to be done."""
    shown = [*run_sections.validation(data, width, rank=0).lines]
    answer = summary.trust(data)
    verdict = sentence(answer.state, answer.sentence, width, head=answer.word)
    return [rule("the run's score now", width), *verdict, rule("its validations", width), *shown]


def _reruns(data: ScreenData, width: int) -> list[Line]:
    block: list[Line] = []
    for row in data.reruns:
        block += [*_rerun(row, data, width), ()]
    return block


def _rerun(row: RerunRow, data: ScreenData, width: int) -> list[Line]:
    began = wording.ago(data.now - row.started_at) if row.started_at else "?"
    block = [rule(f"rerun of step {row.step} with {row.recipe}", width, f"began {began}")]
    if not row.over:
        return [*block, *_progress(row, width)]
    took = f" after {wording.exact(row.ended_at - row.started_at)}" if row.started_at and row.ended_at else ""
    if row.status != "done":
        return [*block, *sentence("bad", row.error or "it said nothing", width, head=f"{row.status}{took}")]
    score = next((item for item in data.scores if item.provenance.rerun_id == row.id), None)
    if score is None:
        return [*block, *sentence("unknown", f"done{took}, but its score is not in the ledger", width)]
    return [*block, *_proofs(score, took, width)]


def _progress(row: RerunRow, width: int) -> list[Line]:
    share = (row.done or 0) / row.total if row.total else None
    filled, rest = charts.bar(share, max(10, min(40, width - 45)))
    samples = f"{row.done or 0}/{row.total} samples" if row.total else "no sample yet"
    head = line(
        span(f" ▸ {row.status}  ", "strong"),
        span(filled, "bar"),
        span(rest, "bar-back"),
        span(f"  {samples}", "number"),
    )
    process = f" in a Ray of its own, pid {row.pid}" if row.pid else " in a Ray of its own"
    return [
        head,
        *wrap(
            f"It runs{process}, and goes on if this terminal closes.",
            width - 4,
            "dim",
            first=(Span("   "),),
            indent="   ",
        ),
    ]


def _proofs(score: Score, took: str, width: int) -> list[Line]:
    provenance = score.provenance
    valid = score.standing == (Standing.VALID,)
    head = (Span(" "), *standing_spans(score.standing), Span("  "))
    block: list[Line] = [(*head, span(f"{score.metric} = {wording.score(score.value)}", "strong"), span(took, "dim"))]
    for reason in score.reasons if not valid else ():
        block += sentence("info", reason, width)
    proofs = [f"{provenance.rows}/{provenance.rows_expected} samples scored"]
    proofs += _attested(score)
    if provenance.weights_fingerprint:
        same = provenance.weights_fingerprint == provenance.checkpoint_fingerprint
        relation = "are the checkpoint's" if same else "are NOT the checkpoint's"
        other = " and not the start model's" if provenance.weights_fingerprint != provenance.start_fingerprint else ""
        proofs.append(f"weights {provenance.weights_fingerprint[:16]} {relation}{other}")
    if provenance.data_sha256:
        proofs.append(f"validation set {provenance.data_sha256[:16]}")
    for proof in proofs:
        block += sentence("ok" if valid else "info", proof, width)
    if provenance.dump_path:
        block += wrap(provenance.dump_path, width - 4, "name", first=(Span("   "),), indent="   ")
    return block


def _attested(score: Score) -> list[str]:
    provenance = score.provenance
    attestation = provenance.attestation
    recipe = provenance.recipe_attested or "unknown quantization"
    active, expected = attestation.get("active_layers"), attestation.get("expected_layers")
    counted = f": {active}/{expected} linear layers" if active is not None and expected is not None else ""
    calls = f", {attestation['calls']} quantized calls" if attestation.get("calls") else ""
    return [f"{recipe} active inside the engine{counted}{calls}"]
