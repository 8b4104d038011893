"""What a console log has told so far of one attempt: the memory that keeps every thing from being told twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.model.fact import FactKind
from monitor.sources.step_set import StepSet


@dataclass
class Standing:
    """What the lines have told so far of one attempt."""

    steps: StepSet = field(default_factory=StepSet)
    tested: dict[int, float] = field(default_factory=dict)
    """Step → when its validation was seen to begin."""
    saved: set[int] = field(default_factory=set)
    attested: set[tuple[int, str, str]] = field(default_factory=set)
    notices: set[str] = field(default_factory=set)
    told: set[tuple[FactKind, int | None, str]] = field(default_factory=set)
    """Scores and ends of validations told: the printed metrics and the step's line both hold them."""
    metrics_told: set[str] = field(default_factory=set)
    testing: int | None = None
    batch_open: bool = False
    batches_done: int = 0
    batches_total: int | None = None
    batch_rows: int | None = None
    total_rows: int | None = None
    dataset_rows: int | None = None
    """Rows of the dataset told last: the validation set's is told last of all."""
    most_prompts: int | None = None
    """The configuration's limit on a validation's prompts."""
    samples_each: int | None = None
    """How often each prompt of a validation is sampled; None: no configuration said it."""
    total_steps: int | None = None
    save_freq: int | None = None
    test_freq: int | None = None
    validate_before_train: bool | None = None
    prompts_done: int = 0
    """Prompts finished of the rollout under way, as last told."""
    save_order: str | None = None
    validation_data_dir: str | None = None
    bar: int | None = None
    resumed: int | None = None
    """The step that a resumed run said it goes on from."""
    metrics: dict[tuple[str, int], dict[str, float]] = field(default_factory=dict)
    """Metrics told of a step by a process; the newest ones are kept."""
    configured: bool = False
    """A configuration was printed and read."""
