"""The train worker: holds the policy, its optimizer, and everything that needs them. One rank, no sharding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monitor.demo.own_code import require_own
from monitor.demo.samples import Trajectory


class WorkerDict:
    """The policy in training, W4A4 in every linear layer that the recipe means."""

    def __init__(self, config: dict[str, Any], source: Path) -> None:
        self._config = config
        self._source = source

    def init_model(self) -> tuple[str, ...]:
        """Load the start model, quantize it, make its optimizer; names of the quantized layers."""
        require_own(self._source)
        import torch

        from monitor.demo import checkpoints, grpo
        from quant.layers import apply_recipe
        from quant.recipe import Recipe

        torch.set_num_threads(1)
        torch.manual_seed(self._config["trainer"]["seed"])
        self._model = checkpoints.load(Path(self._config["actor_rollout_ref"]["model"]["path"]))
        names = apply_recipe(self._model, Recipe.from_dict(self._config["quantization"]))
        self._optimizer = torch.optim.Adam(self._model.parameters(), lr=grpo.LEARNING_RATE)
        return names

    def compute_log_prob(self, trajectories: list[Trajectory]) -> Any:
        """Log-probabilities of the responses under the policy before its update."""
        import torch

        from monitor.demo import grpo

        with torch.no_grad():
            return grpo.log_probabilities(self._model, grpo.pack(trajectories).tokens)

    def update_actor(
        self, trajectories: list[Trajectory], old_log_prob: Any, advantages: list[float]
    ) -> dict[str, float]:
        """One GRPO update; its metrics."""
        from monitor.demo import grpo

        return grpo.update(self._model, self._optimizer, grpo.pack(trajectories), old_log_prob, advantages)

    def get_weights(self) -> dict[str, Any]:
        """The policy's weights, unquantized: the rollout server quantizes them itself."""
        return {name: tensor.detach().clone() for name, tensor in self._model.state_dict().items()}

    def save_checkpoint(self, directory: str, global_steps: int) -> None:
        """Everything of this step but the marker, which the trainer writes last."""
        from monitor.demo import checkpoints

        checkpoints.save(Path(directory), global_steps, self._model, self._optimizer)

    def heartbeat(self) -> bool:
        """Alive."""
        return True
