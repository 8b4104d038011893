"""The trainer: GRPO's steps in verl's order, run in the main thread of the `TaskRunner` actor.

Covers the order of phases, validation, dumps, checkpoints and metrics. It holds no weights: the train worker and the
rollout server do. Prints what verl's legacy trainer prints.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from pprint import pprint
from statistics import fmean
from typing import Any

from monitor.demo import arithmetic
from monitor.demo.chatter import Chatter
from monitor.demo.faults import CONTROL_QUEUE, FaultOrder
from monitor.demo.samples import BatchMeta, Metrics, SampleRequest, Trajectory, group_advantages
from monitor.demo.timing import marked_timer
from monitor.demo.tracking import ProgressBar, Tracking

METRIC = f"val-core/{arithmetic.DATA_SOURCE}/acc/mean@1"
MARKER = "latest_checkpointed_iteration.txt"


class RayPPOTrainer:
    """One run of training, from the validation before it to the final one."""

    def __init__(
        self, config: dict[str, Any], worker: Any, server: Any, agent_loops: Sequence[Any], order: FaultOrder
    ) -> None:
        self.config = config
        self.global_steps = 0
        self.total_training_steps = int(config["trainer"]["total_training_steps"])
        self.val_dataset = arithmetic.read_validation_set(Path(config["data"]["val_files"]))
        self._worker = worker
        self._server = server
        self._agent_loops = agent_loops
        self._order = order
        self._weights_due = False

    def fit(self) -> None:
        """Train to the last step."""
        trainer = self.config["trainer"]
        logger = Tracking(trainer["project_name"], trainer["experiment_name"])
        self._print_sizes()
        final_metrics: Metrics | None = None
        if trainer["val_before_train"]:
            metrics = self._validate()
            pprint(f"Initial validation metrics: {metrics}")
            logger.log(data=metrics, step=self.global_steps)
        bar = ProgressBar(self.total_training_steps)
        bar.redraw()
        while self.global_steps < self.total_training_steps:
            self.global_steps += 1
            metrics, final_metrics = self._train_step(bar)
            logger.log(data=metrics, step=self.global_steps)
            bar.advance()
        pprint(f"Final validation metrics: {final_metrics}")
        logger.finish()

    def _train_step(self, bar: ProgressBar) -> tuple[Metrics, Metrics | None]:
        """One step; its metrics, and those of its validation if it had one."""
        timing_raw: dict[str, float] = {}
        metrics: Metrics = {"training/global_step": self.global_steps}
        validation: Metrics | None = None
        with marked_timer("step", timing_raw):
            metrics.update(self._update_policy(timing_raw))
            save_first = self.config["trainer"]["save_order"] == "save-first"
            if save_first and self._is_due("save_freq"):
                with marked_timer("save_checkpoint", timing_raw):
                    self._save_checkpoint()
            with marked_timer("update_weights", timing_raw):
                if self._order.is_due(CONTROL_QUEUE, self.global_steps):
                    # The transfer overlaps with the first requests, which wait for it.
                    self._weights_due = True
                else:
                    self._update_weights()
            if self._is_due("test_freq"):
                with marked_timer("testing", timing_raw), self._chatter(bar):
                    validation = self._validate()
                metrics.update(validation)
            if not save_first and self._is_due("save_freq"):
                with marked_timer("save_checkpoint", timing_raw):
                    self._save_checkpoint()
        metrics.update({f"timing_s/{phase}": round(seconds, 4) for phase, seconds in timing_raw.items()})
        return metrics, validation

    def _update_policy(self, timing_raw: dict[str, float]) -> Metrics:
        import ray

        with marked_timer("gen", timing_raw):
            ray.get(self._server.wake_up.remote())
            trajectories = self._collect(self._dispatch(self._training_requests(), self._meta(validate=False)))
            ray.get(self._server.sleep.remote())
        with marked_timer("reward", timing_raw):
            scores = [trajectory.score for trajectory in trajectories]
        with marked_timer("old_log_prob", timing_raw):
            old_log_prob = ray.get(self._worker.compute_log_prob.remote(trajectories))
        with marked_timer("adv", timing_raw):
            advantages = group_advantages(trajectories)
        with marked_timer("update_actor", timing_raw):
            metrics = ray.get(self._worker.update_actor.remote(trajectories, old_log_prob, advantages))
        return {**metrics, "critic/score/mean": fmean(scores)}

    def _training_requests(self) -> list[SampleRequest]:
        seed = self.config["trainer"]["seed"]
        problems = arithmetic.training_batch(seed, self.global_steps, self.config["data"]["train_batch_size"])
        return [
            SampleRequest(problem, f"{seed}/{self.global_steps}/{problem.uid}/{index}")
            for problem in problems
            for index in range(self.config["actor_rollout_ref"]["rollout"]["n"])
        ]

    def _dispatch(self, requests: list[SampleRequest], meta: BatchMeta) -> list[Any]:
        """Each agent loop worker its share."""
        share = -(-len(requests) // len(self._agent_loops))
        return [
            worker.generate_sequences.remote(requests[index * share : (index + 1) * share], meta)
            for index, worker in enumerate(self._agent_loops)
        ]

    def _collect(self, shares: list[Any]) -> list[Trajectory]:
        import ray

        return [trajectory for share in ray.get(shares) for trajectory in share]

    def _update_weights(self) -> None:
        """The rollout server takes the policy's weights of this step."""
        import ray

        weights = self._worker.get_weights.remote()
        ray.get(self._server.update_weights.remote(weights, self.global_steps))
        self._weights_due = False

    def _validate(self) -> Metrics:
        """Greedy, over the whole validation set, batch by batch; then the dump."""
        import ray

        ray.get(self._server.wake_up.remote())
        ray.get(self._server.begin_validation.remote(self.global_steps))
        meta = self._meta(validate=True)
        trajectories: list[Trajectory] = []
        size = self.config["data"]["val_batch_size"]
        for begin in range(0, len(self.val_dataset), size):
            print(f"test_gen_batch meta info: {meta}", flush=True)
            requests = [SampleRequest(problem, None) for problem in self.val_dataset[begin : begin + size]]
            shares = self._dispatch(requests, meta)
            if self._weights_due:
                self._order.wait_until_placed()
                self._update_weights()
            trajectories += self._collect(shares)
            print("validation generation end", flush=True)
        attestation = ray.get(self._server.end_validation.remote(self.global_steps))
        _print_attestation(attestation)
        scores = [trajectory.score for trajectory in trajectories]
        self._dump_generations(
            inputs=[trajectory.problem.prompt for trajectory in trajectories],
            outputs=[trajectory.output for trajectory in trajectories],
            gts=[trajectory.problem.ground_truth for trajectory in trajectories],
            scores=scores,
            reward_extra_infos_dict={
                "log_probability": [trajectory.log_probability for trajectory in trajectories],
                "uid": [trajectory.problem.uid for trajectory in trajectories],
            },
            dump_path=self.config["trainer"]["validation_data_dir"],
        )
        return {METRIC: fmean(scores)}

    def _dump_generations(
        self,
        inputs: list[str],
        outputs: list[str],
        gts: list[str],
        scores: list[float],
        reward_extra_infos_dict: Mapping[str, list[Any]],
        dump_path: str,
    ) -> None:
        """One line a sample in `{dump_path}/{step}.jsonl`."""
        path = Path(dump_path) / f"{self.global_steps}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        columns = {"input": inputs, "output": outputs, "gts": gts, "score": scores}
        columns = {**columns, "step": [self.global_steps] * len(inputs), **reward_extra_infos_dict}
        with path.open("w", encoding="utf-8") as file:
            for row in zip(*columns.values()):
                file.write(json.dumps(dict(zip(columns, row)), ensure_ascii=False) + "\n")
        print(f"Dumped generations to {path}", flush=True)

    def _save_checkpoint(self) -> None:
        """The checkpoint of this step; last of all the marker that names it."""
        import ray

        directory = Path(self.config["trainer"]["default_local_dir"])
        print(f"local_global_step_folder: {directory / f'global_step_{self.global_steps}'}", flush=True)
        ray.get(self._worker.save_checkpoint.remote(str(directory), self.global_steps))
        (directory / MARKER).write_text(str(self.global_steps), encoding="ascii")

    def _is_due(self, frequency: str) -> bool:
        every = int(self.config["trainer"][frequency])
        last = self.global_steps == self.total_training_steps
        return every > 0 and (last or self.global_steps % every == 0)

    def _meta(self, *, validate: bool) -> BatchMeta:
        return {"validate": validate, "do_sample": not validate, "global_steps": self._weights_wanted(validate)}

    def _weights_wanted(self, validate: bool) -> int:
        """A step trains on what the weights before it say, and is validated with those after it."""
        return self.global_steps if validate else self.global_steps - 1

    def _chatter(self, bar: ProgressBar) -> Chatter:
        final = self.global_steps == self.total_training_steps
        return Chatter(self._worker, bar, wanted=self._order.chatter and final)

    def _print_sizes(self) -> None:
        batches = -(-len(self.val_dataset) // self.config["data"]["val_batch_size"])
        print(f"Size of train dataloader: {self.total_training_steps}, Size of val dataloader: {batches}")
        print(f"Total training steps: {self.total_training_steps}", flush=True)


def _print_attestation(attestation: Mapping[str, Any]) -> None:
    """The engine's own count of what was quantized in this validation."""
    print(
        f"[quantization] W4A4 active in {attestation['active_layers']}/{attestation['expected_layers']} linear layers, "
        f"{attestation['calls']} calls, weights {attestation['fingerprint_end']} of step {attestation['weights_step']}",
        flush=True,
    )
