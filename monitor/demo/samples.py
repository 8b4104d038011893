"""What travels between the demo's actors: a request for a response, and the response with its score. No torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any, TypedDict

from monitor.demo.arithmetic import Problem


@dataclass(frozen=True)
class SampleRequest:
    """One response wanted."""

    problem: Problem
    seed: str | None
    """None: greedy. Else the seed of this response's sampling."""


@dataclass(frozen=True)
class Trajectory:
    """One response, scored."""

    problem: Problem
    prompt_tokens: list[int]
    tokens: list[int]
    output: str
    log_probability: float
    score: float


class BatchMeta(TypedDict):
    """What the trainer says with each batch, as verl's `meta_info`."""

    validate: bool
    do_sample: bool
    global_steps: int


class Generated(TypedDict):
    """The rollout server's answer to one request."""

    tokens: list[int]
    log_probability: float


def group_advantages(trajectories: Sequence[Trajectory]) -> list[float]:
    """GRPO: each score against the mean of its own prompt's group, in units of the group's spread."""
    groups: dict[str, list[float]] = {}
    for trajectory in trajectories:
        groups.setdefault(trajectory.problem.uid, []).append(trajectory.score)
    return [
        (trajectory.score - fmean(groups[trajectory.problem.uid])) / (pstdev(groups[trajectory.problem.uid]) + 1e-6)
        for trajectory in trajectories
    ]


Metrics = dict[str, Any]
