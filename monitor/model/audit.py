"""What the audit of past experiments concludes: runs, scores, suspect commits, scripts, comparisons, actions.

Frozen dataclasses that cross the boundaries between reading, judging and reporting; no I/O. Scores are fractions (0 to
1 for accuracies), times are seconds since the epoch (UTC) unless a field says otherwise, None is "not known".
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from monitor.model.score import Standing


class RunKind(str, enum.Enum):
    """What a log is the log of; an evaluation scores a checkpoint by itself (`val_only`, or a script of its own)."""

    TRAINING = "training"
    EVALUATION = "evaluation"


class RunEnd(str, enum.Enum):
    """How a run's evidence ends."""

    FINISHED = "finished"
    """The last step's line, or the trainer's closing line, is there."""
    FAILED = "failed"
    """An error ended it, and the log shows it."""
    BROKEN_OFF = "broken-off"
    """The evidence stops before the last step: the run or only its log was cut."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class AuditEvidence:
    """Where something was seen. `what` is text from outside: cleaned before it is shown."""

    what: str
    file: str | None = None
    line: int | None = None
    """1 is the first line; None where the file has no lines (a folder, a binary file)."""


@dataclass(frozen=True)
class AuditedScore:
    """A validation metric of one run at one step, and what it may claim."""

    step: int
    metric: str
    value: float
    """A fraction: percent is converted, and `evidence` keeps it as it was written."""
    standing: tuple[Standing, ...] = ()
    reasons: tuple[str, ...] = ()
    """One sentence a standing, `word: why; what would change it`."""
    evidence: tuple[AuditEvidence, ...] = ()
    produced_by: str = "unknown"
    """`training` (the run's own validation), `val_only`, or `unknown`."""
    rows: int | None = None
    """Samples it was computed over, where dumps or the validation file count them."""
    rows_expected: int | None = None
    quantization: str | None = None
    """The recipe proved active in this very validation, `none` where it was proved off, None: not proved."""
    primary: bool = True
    """The metric that a person means by "the score" (the trainer's core metric); others are False."""


@dataclass(frozen=True)
class AuditedValidation:
    """A validation that was due, or that the evidence shows."""

    step: int
    due: bool
    final: bool
    executed: bool | None
    """True: to its end, by metrics, a whole dump or the engine's counts. False: skipped or never begun, by evidence.
    None: can't be told (the evidence ends before it)."""
    how: str = ""
    """In words: `executed`, `skipped`, `cut`, `not reached`, `empty metrics`, `after the end of the log`."""
    rows: int | None = None
    rows_expected: int | None = None
    batches: int | None = None
    """Batches that ended."""
    batches_expected: int | None = None
    evidence: tuple[AuditEvidence, ...] = ()


@dataclass(frozen=True)
class AuditedQuantization:
    """Quantization asked for (intention) and proved (execution)."""

    asked: str | None = None
    """`mxfp4_w4a4`, `none` where the configuration or the engine says there is none in training, None: not known."""
    proved_at: tuple[int, ...] = ()
    """Steps whose validation the engine counted as quantized in every expected layer."""
    proved: str | None = None
    """Recipe of those counts (`mxfp4_w4a4`), `none` where the engine said that it ran without, None: nothing proved."""
    weights_only: bool = False
    """Proved for weights alone where activations were asked for too."""
    evidence: tuple[AuditEvidence, ...] = ()


@dataclass(frozen=True)
class AuditedRun:
    """One run, or one evaluation, as its evidence shows it."""

    name: str
    """The experiment's own name: `trainer.experiment_name`, else the stem of the log."""
    label: str | None = None
    """Short label in the name (`E13j`), None where it holds none."""
    kind: RunKind = RunKind.TRAINING
    attempt: int = 0
    """0, 1, … where one name or one log holds several attempts."""
    superseded: bool = False
    """A later attempt of the same name began from the start."""
    filled_by: str | None = None
    """Evaluation whose valid score of the last step stands in for the run's own."""
    files: tuple[str, ...] = ()
    """Everything that was read of it, the console log first."""
    planned_steps: int | None = None
    reached_step: int | None = None
    ended: RunEnd = RunEnd.UNKNOWN
    started_at: float | None = None
    started_as_written: str | None = None
    """The start as the log writes it, `2026-01-16 11:23:58`."""
    zone: str | None = None
    """How `started_at` was made from it: `+0800 (of the repository's commits)`; None where it was UTC already."""
    duration_seconds: float | None = None
    """By the log's own times: first to last timestamp, else the steps' own seconds."""
    duration_basis: str | None = None
    """Which: `timestamps in the log`, `the steps' own seconds (29 of 29)`."""
    step_seconds: tuple[float, ...] = ()
    """Seconds of each logged step, in order (`timing_s/step`)."""
    gpus: int | None = None
    """GPUs a node × nodes."""
    test_freq: int | None = None
    save_freq: int | None = None
    validate_before_train: bool | None = None
    trainer: str | None = None
    """Entry point or class: `verl.trainer.main_ppo`, `recipe.dapo.main_dapo`."""
    fit: str | None = None
    """Which training loop ran: `RayPPOTrainer.fit`, `RayDAPOTrainer.fit`, None where it can't be told."""
    quantization: AuditedQuantization = field(default_factory=AuditedQuantization)
    noise: str | None = None
    """Noise schedule asked for; `none` where the configuration says so."""
    data_file: str | None = None
    """Validation set, as configured."""
    checkpoint_of: str | None = None
    """Evaluation: experiment whose checkpoint it scored."""
    checkpoint_step: int | None = None
    checkpoints: tuple[int, ...] = ()
    """Steps of checkpoint folders found on disk, complete ones."""
    validations: tuple[AuditedValidation, ...] = ()
    scores: tuple[AuditedScore, ...] = ()
    standing: tuple[Standing, ...] = ()
    """`valid` stands alone; `missing-final` is the run's, the others are those of its reported score."""
    reasons: tuple[str, ...] = ()
    evidence: tuple[AuditEvidence, ...] = ()
    windows: tuple[str, ...] = ()
    """Suspect commits active when it started: suspicion, never proof."""
    cleared: str | None = None
    """Why a run that a window would suspect is cleared, with its evidence in `evidence`."""
    notes: tuple[str, ...] = ()
    """Worth telling and no standing: interruptions, resumes, restarts that erased metrics."""

    @property
    def final_score(self) -> AuditedScore | None:
        """The primary score of the last step, None where there is none."""
        final = self.checkpoint_step if self.kind is RunKind.EVALUATION else self.planned_steps
        return next((score for score in self.scores if score.primary and score.step == final), None)

    @property
    def reported_score(self) -> AuditedScore | None:
        """The primary score of the latest step: what a summary would report."""
        primary = [score for score in self.scores if score.primary]
        return max(primary, key=lambda score: score.step, default=None)

    @property
    def final_stands(self) -> bool:
        """True where the final score is there and valid."""
        final = self.final_score
        return final is not None and final.standing == (Standing.VALID,)


@dataclass(frozen=True)
class SkipWindow:
    """A commit that takes the final validation away, and the time in which it was in the trainer."""

    commit: str
    subject: str
    authored_at: str
    """ISO 8601 with the author's own zone, `2026-01-16T03:33:24+08:00`."""
    since: float
    """From when it was in the history: commit time, UTC."""
    until: float | None = None
    """When a revert or a fix took it out again, UTC; None: it is still in."""
    reverted_by: str | None = None
    reverted_subject: str | None = None
    effect: str = ""
    """What it does to validation, in words."""
    fit: str | None = None
    """The training loop it edits, `RayPPOTrainer.fit`; a run of another one is not touched by it."""
    evidence: tuple[AuditEvidence, ...] = ()
    runs: tuple[str, ...] = ()
    """Names of the runs that started inside it."""
    notes: tuple[str, ...] = ()
    """Doubts: a shallow history, a wild date, a branch that may not have been the one that ran."""

    def holds(self, moment: float) -> bool:
        """True where `moment` (UTC seconds) is inside the window."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class ScriptVerdict:
    """What a launch or evaluation script is fit for."""

    path: str
    kind: RunKind
    safe: bool | None
    """For checkpoints trained in `for_recipes`; None: can't be told."""
    recipe: str | None = None
    """Quantization the script applies, `none` where it applies none."""
    for_recipes: tuple[str, ...] = ()
    """Recipes of checkpoints it was judged against."""
    sentence: str = ""
    changes: tuple[str, ...] = ()
    """What would make it safe, one change each."""
    evidence: tuple[AuditEvidence, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Two scores side by side: whether they may be compared, and what the difference says."""

    left: str
    """Run name of the score that is compared."""
    right: str
    """Run name of the score that it is compared with (the would-be baseline)."""
    left_step: int
    right_step: int
    metric: str
    difference: float
    """left minus right, as a fraction (0.1 is 10 points)."""
    holds: bool
    reasons: tuple[str, ...] = ()
    """Why not, one sentence each; for one that holds, what makes them alike."""
    low: float | None = None
    high: float | None = None
    """95 % confidence interval of the difference; None where the number of samples is not known."""
    samples: int | None = None
    meaning: str = ""
    """A plain word: `no difference can be told`, `higher`, `lower`, `says nothing`."""
    baseline: str | None = None
    """The run that would be the right baseline for `left`."""
    evidence: tuple[AuditEvidence, ...] = ()


@dataclass(frozen=True)
class Action:
    """What to do next. `command` is for a person to look at first; it is never run by the audit."""

    kind: str
    """`rerun`, `script`, `summary`, `guard`, `investigate`."""
    sentence: str
    run: str | None = None
    step: int | None = None
    command: str | None = None


@dataclass(frozen=True)
class FileProblem:
    """A file that could not be read, or only in part; the rest was judged all the same."""

    file: str
    problem: str
    cure: str = ""


@dataclass(frozen=True)
class AuditCost:
    """GPU-hours of the runs whose final score is missing or wrong. `by_run`: (run, hours, basis), as text."""

    gpu_hours: float | None
    basis: str = ""
    """In words, with every assumption: `6 runs × 80 min (assumed) × 8 GPUs`."""
    by_run: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Audit:
    """The whole conclusion. `testimony`: files of prose that were found, never read as proof."""

    runs: tuple[AuditedRun, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    windows: tuple[SkipWindow, ...] = ()
    scripts: tuple[ScriptVerdict, ...] = ()
    actions: tuple[Action, ...] = ()
    cost: AuditCost | None = None
    problems: tuple[FileProblem, ...] = ()
    testimony: tuple[str, ...] = ()
