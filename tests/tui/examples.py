"""Runs as the ledger would give them: one healthy, one that hangs in its final validation, one rerun and valid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from monitor.engine.live import run_document
from monitor.ledger.rows import RerunRow
from monitor.model.fact import Evidence
from monitor.model.finding import Culprit, Finding, Verdict, VerdictWord, WaitLink
from monitor.model.json_form import to_json
from monitor.model.reading import Reading, Unknown
from monitor.model.run import Checkpoint, GpuReading, PhaseSpan, Progress, RunConfig, RunState, Validation
from monitor.model.score import Provenance, Score, Standing
from monitor.tui.live import parse
from monitor.tui.rerun_door import CheckLine, PlannedRerun
from monitor.tui.screen_data import RunRow, ScreenData

NOW = 1_800_000_000.0
RUN = "grpo-arithmetic-20270115T075800Z"
METRIC = "val-core/arithmetic/acc/mean@1"
RERUNS = "/home/ada/.local/state/laststep/reruns"
BUNDLE = "/home/ada/.local/state/laststep/bundles/grpo-arithmetic-20270115T075800Z-1"
SECONDS = {"gen": 0.9, "reward": 0.1, "old_log_prob": 0.25, "update_actor": 0.7, "update_weights": 0.12, "step": 2.2}


def spans(steps: int) -> tuple[PhaseSpan, ...]:
    """The phases of the steps so far, a little uneven."""
    items = []
    for step in range(1, steps + 1):
        for index, (phase, seconds) in enumerate(SECONDS.items()):
            took = seconds * (1 + 0.25 * ((step * 7 + index * 3) % 5) / 5)
            began = NOW - 2.4 * (steps + 1 - step) - 10 + index * 0.3
            items.append(PhaseSpan(step, phase, began, began + took, took))
    items.append(PhaseSpan(0, "testing", NOW - 110, NOW - 106.9, 3.1))
    items.append(PhaseSpan(20, "testing", NOW - 38, NOW - 34.8, 3.2))
    return tuple(items)


def state(**changes: Any) -> RunState:
    """The run in its final validation, 131 of 256 samples done."""
    base = RunState(
        name=RUN,
        config=RunConfig(experiment="grpo-arithmetic", trainer="demo", total_steps=29, save_order="save-first"),
        started_at=NOW - 112,
        trainer="demo",
        step=29,
        total_steps=29,
        phase="testing",
        phase_since=NOW - 7,
        spans=spans(28),
        validations=(
            Validation(0, False, NOW - 110, NOW - 106.9, 256, 256, 256, None, 0.1016, METRIC, True),
            Validation(20, False, NOW - 38, NOW - 34.8, 256, 256, 256, None, 0.5547, METRIC, True),
            Validation(29, True, NOW - 7, None, 131, 256),
        ),
        checkpoints=(Checkpoint(29, "/runs/arith/checkpoints/global_step_29", True, NOW - 9),),
        progress=Progress(NOW - 1, "sample 131 of 256 of the validation at step 29", 4117),
        hooks_seen=True,
    )
    return replace(base, **changes)


def finding() -> Finding:
    """A control queue, proved."""
    server = "RolloutServer rollout_server_0 (pid 4711)"
    return Finding(
        hang_class="control-queue",
        proved=True,
        sentence=(
            "update_weights of RolloutServer rollout_server_0 (pid 4711) is queued behind 64 generate calls "
            "that all wait for it: every concurrency slot is taken"
        ),
        culprit=Culprit(4711, server, "rollout_server_0", "RolloutServer.update_weights"),
        file="/opt/train/monitor/demo/rollout.py",
        line=118,
        chain=(
            WaitLink("driver (pid 4401)", "TaskRunner.run (pid 4533)", "ray.get at main.py:61"),
            WaitLink(
                "TaskRunner.run (pid 4533)", "AgentLoopWorker.generate_sequences (pid 4702)", "ray.get in _validate"
            ),
            WaitLink(
                "AgentLoopWorker.generate_sequences (pid 4702)", f"64 × generate in {server}", "await of an ObjectRef"
            ),
            WaitLink(
                f"64 × generate in {server}", "RolloutServer.update_weights", "await on asyncio.Event at rollout.py:118"
            ),
            WaitLink("RolloutServer.update_weights", f"64 × generate in {server}", "queued: 64 of 64 slots are taken"),
        ),
        evidence=(
            Evidence(
                "64 pending tasks at rollout.py:118 wait on one Event",
                "/opt/train/monitor/demo/rollout.py",
                118,
                NOW - 3,
            ),
            Evidence(
                "update_weights is PENDING_ACTOR_TASK_ORDERING_OR_CONCURRENCY in the State API", None, None, NOW - 3
            ),
            Evidence("both samples, 1.6 s apart, hold the same tasks", None, None, NOW - 2),
        ),
        advice="the checkpoint of step 29 is complete: stop the run and rerun its final validation",
        seconds_to_proof=6.21,
    )


PROCESSES = [
    dict(zip(("pid", "role", "label", "state", "cpu_percent", "rss_bytes"), row))
    for row in (
        (4401, "driver", "driver (pid 4401)", "S", 0.4, 190_000_000),
        (4533, "trainer", "TaskRunner (pid 4533)", "S", 11.8, 231_000_000),
        (4690, "train-worker", "WorkerDict (pid 4690)", "R", 97.1, 402_000_000),
        (4702, "agent-loop", "AgentLoopWorker (pid 4702)", "S", 4.0, 218_000_000),
        (4711, "rollout", "RolloutServer rollout_server_0 (pid 4711)", "S", 61.0, 388_000_000),
    )
]

LOG = [
    "(TaskRunner pid=4533) step:28 - actor/loss:0.0121 - timing_s/gen:0.911 - timing_s/step:2.31",
    "(TaskRunner pid=4533) Training Progress:  97%|#########6| 28/29 [01:08<00:02,  2.41s/it]",
    "(TaskRunner pid=4533) local_global_step_folder: /runs/arith/checkpoints/global_step_29",
    "(TaskRunner pid=4533) test_gen_batch meta info: {'eos_token_id': 2, 'validate': True, 'global_steps': 29}",
    "(TaskRunner pid=4533) validation generation end",
    "(TaskRunner pid=4533) test_gen_batch meta info: {'eos_token_id': 2, 'validate': True, 'global_steps': 29}",
]


def document(run: RunState | None = None, verdict: Verdict | None = None, **changes: Any) -> dict[str, Any]:
    """A live document."""
    gpus = Reading(
        NOW - 1, None, Unknown("gpus", NOW - 104, "no NVML library is on this machine", "none is needed here")
    )
    base: dict[str, Any] = {
        "schema": 1,
        "at": NOW - 0.4,
        "watch": {"pid": 4920, "cpu_seconds": 1.4},
        "run": run_document(run or state()),
        "verdict": to_json(verdict or Verdict(VerdictWord.HEALTHY)),
        "bundle": None,
        "gpus": to_json(gpus),
        "processes": PROCESSES,
        "loops": [],
        "loops_at": None,
        "phase_limits": {"testing": 30.0, "gen": 30.0, "update_actor": 30.0, "step": 34.0},
        "log": {"path": "/runs/arith/console.log", "tail": LOG},
        "sources": [
            {"name": "console", "at": NOW - 0.4, "unknown": None},
            {"name": "gpus", "at": None, "unknown": to_json(gpus.unknown)},
            {"name": "ray", "at": NOW - 1.4, "unknown": None},
        ],
        "cluster": {
            "gcs_address": "127.0.0.1:41001",
            "dashboard_url": "http://127.0.0.1:41002",
            "session_dir": "/tmp/ls1",
        },
    }
    return {**base, **changes}


def gpu_readings(count: int = 8) -> dict[str, Any]:
    """Half of the GPUs belong to the rollout, half to the train worker."""
    rows = [
        GpuReading(
            index,
            "NVIDIA H200",
            40.0 + 7 * index,
            (90 + index) << 30,
            141 << 30,
            402.0 + 9 * index,
            51.0 + index,
            (4711 if index < count // 2 else 4690,),
        )
        for index in range(count)
    ]
    return {"at": NOW - 1, "value": to_json(rows), "unknown": None}


def score(step: int, value: float, *standing: Standing, reasons: tuple[str, ...] = (), **provenance: Any) -> Score:
    """A score of the run."""
    known = {"source": "training", "final": step == 29, "rows": 256, "rows_expected": 256, **provenance}
    known = {"recipe_declared": "mxfp4_w4a4", "recipe_attested": "mxfp4_w4a4", "weights_step": step, **known}
    return Score(RUN, step, METRIC, value, NOW - 34, Provenance(**known), standing, reasons)


NOT_FINAL = "step 20 is not the run's last step 29"


def scores() -> tuple[Score, ...]:
    """Of the start and of step 20."""
    return (
        score(0, 0.1016, Standing.NOT_FINAL, reasons=("step 0 is not the run's last step 29",)),
        score(20, 0.5547, Standing.NOT_FINAL, reasons=(NOT_FINAL,)),
    )


def valid_score() -> Score:
    """Of the final step, by a rerun, with its attestation."""
    return score(
        29,
        0.6914,
        Standing.VALID,
        source="rerun",
        rerun_id="r1",
        weights_fingerprint="9f27ab31c0de9f27ab31c0de",
        checkpoint_fingerprint="9f27ab31c0de9f27ab31c0de",
        start_fingerprint="0000",
        data_sha256="5d41402abc4b2a76b9719d911017c592",
        dump_path=f"{RERUNS}/{RUN}/validation/29.jsonl",
        attestation={"active_layers": 12, "expected_layers": 12, "calls": 6144},
    )


def healthy(**changes: Any) -> ScreenData:
    """In the final validation, all well."""
    row = RunRow(RUN, NOW - 112, "demo", 29, 29)
    base = ScreenData(NOW, RUN, parse(document()), "", True, (row,), scores())
    return replace(base, **changes)


def hanging(**changes: Any) -> ScreenData:
    """The same run, hanging for 14 s, proved."""
    stuck = state(
        phase_since=NOW - 20, progress=Progress(NOW - 14, "sample 131 of 256 of the validation at step 29", 4117)
    )
    verdict = Verdict(VerdictWord.HANG, (finding(),))
    loops = [
        {"process": name, "thread": "AsyncIO Thread: default", "blocked_seconds": None, "pending_tasks": tasks}
        for name, tasks in (("RolloutServer rollout_server_0 (pid 4711)", 66), ("AgentLoopWorker (pid 4702)", 65))
    ]
    live = parse(document(stuck, verdict, bundle=BUNDLE, loops=loops, loops_at=NOW - 3))
    row = RunRow(
        RUN,
        NOW - 112,
        "demo",
        29,
        29,
        None,
        None,
        (Standing.MISSING_FINAL,),
        ("the run hangs in its final validation",),
    )
    return replace(healthy(live=live, runs=(row, OLDER)), **changes)


OLDER = RunRow("grpo-arithmetic-20270114T101500Z", NOW - 90_000, "demo", 29, 29, NOW - 89_900, "finished")


def rerun_row(status: str, done: int | None, ended_at: float | None = None, error: str = "") -> RerunRow:
    """A rerun of the final score."""
    return RerunRow(
        "r1", RUN, 29, "mxfp4_w4a4", status, 5120, NOW - 40, 991, done, 256, error, None, NOW - 40, ended_at
    )


def reran(**changes: Any) -> ScreenData:
    """The hanging run after its rerun."""
    row = rerun_row("done", 256, NOW - 12)
    return replace(hanging(scores=(*scores(), valid_score()), reruns=(row,)), **changes)


def planned(*, refused: bool = False) -> PlannedRerun:
    """A plan with its preflight."""
    marker = "the marker names step 29 and all shards are there"
    missing = "the checkpoint lacks actor/model_world_size_1_rank_0.pt"
    state = "fail" if refused else "pass"
    checks = (
        CheckLine("checkpoint", state, missing if refused else marker, (), "use the newest earlier one: --step 20"),
        CheckLine("validation-set", "pass", "the validation data is the run's own (sha256)"),
        CheckLine("recipe", "pass", "the recipe is the training's: mxfp4_w4a4"),
        CheckLine("versions", "unknown", "the run recorded no version of torch to compare with 2.13.0"),
        CheckLine("cpus", "pass", "1 of 2 CPUs is free"),
        CheckLine("output", "pass", "the output folder is new and outside the run's"),
        CheckLine("alone", "pass", "no other rerun of this score is under way"),
    )
    facts = (
        ("run", RUN),
        ("step", "29"),
        ("weights from", "/runs/arith/checkpoints/global_step_29"),
        ("validation set", "/runs/arith/data/validation.jsonl"),
        ("samples", "256"),
        ("quantization", "mxfp4_w4a4"),
        ("writes only into", f"{RERUNS}/{RUN}-step29-mxfp4_w4a4"),
    )
    return PlannedRerun(RUN, 29, facts, checks, None)
