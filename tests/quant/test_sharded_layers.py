"""Quantized layers under FSDP2: two real processes on gloo train as one process does on the whole batch."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

torch = pytest.importorskip("torch")
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch import nn
from torch.distributed.fsdp import fully_shard

from quant.errors import WeightsError
from quant.layers import apply_recipe, frozen_weights, quantized_linears, remove
from quant.recipe import Recipe
from tests.quant.tiny import TinyModel

pytestmark = pytest.mark.torch

INPUTS = torch.randn(4, 2, 40, generator=torch.Generator().manual_seed(9))
STEPS = 2


def train(model: Any, batches: list[Any]) -> None:
    """A few steps of SGD, the loss a mean over the batch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in batches:
        optimizer.zero_grad()
        model(batch).square().mean().backward()
        optimizer.step()


def shard(model: Any, each_linear: bool) -> None:
    """`fully_shard` on the block and the root; on every linear layer where asked."""
    if each_linear:
        for module in list(model.modules()):
            if isinstance(module, nn.Linear):
                fully_shard(module)
    fully_shard(model.block)
    fully_shard(model)


def worker(rank: int, port: int, fmt: str, recipe_first: bool, each_linear: bool, queue: Any) -> None:
    """Trains on its half of each batch; rank 0 reports the gathered weights, counters and what `remove` left."""
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=2)
    try:
        model = TinyModel(seed=1)
        recipe = Recipe("test", format=fmt)
        if recipe_first:
            apply_recipe(model, recipe)
        shard(model, each_linear)
        if not recipe_first:
            apply_recipe(model, recipe)
        train(model, [INPUTS[step][rank : rank + 1] for step in range(STEPS)])
        weights = {name: value.full_tensor().detach().numpy() for name, value in model.state_dict().items()}
        calls = {name: layer.operands.calls for name, layer in quantized_linears(model).items()}
        with pytest.raises(WeightsError, match="sharded"), frozen_weights(model):
            pass
        remove(model)
        assert quantized_linears(model) == {} and all(p.full_tensor() is not None for p in model.parameters())
        model(INPUTS[0][:1]).sum().backward()
        if rank == 0:
            queue.put((weights, calls))
    finally:
        dist.destroy_process_group()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize(("fmt", "recipe_first", "each_linear"), [("mxfp4", False, True), ("nvfp4", True, True)])
def test_two_sharded_processes_train_as_one_does(fmt: str, recipe_first: bool, each_linear: bool) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    multiprocessing.spawn(worker, (free_port(), fmt, recipe_first, each_linear, queue), nprocs=2, join=True)
    weights, calls = queue.get()
    alone = TinyModel(seed=1)
    apply_recipe(alone, Recipe("test", format=fmt))
    optimizer = torch.optim.SGD(alone.parameters(), lr=0.1)
    for step in range(STEPS):
        optimizer.zero_grad()
        for rank in range(2):
            (alone(INPUTS[step][rank : rank + 1]).square().mean() / 2).backward()
        optimizer.step()
    assert set(calls.values()) == {STEPS}
    for name, value in alone.state_dict().items():
        torch.testing.assert_close(torch.from_numpy(weights[name]), value)
