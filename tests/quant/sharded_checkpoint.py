"""Small FSDP checkpoints as verl saves them: a file a rank, DTensors inside, made without a process for each rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.testing._internal.distributed.fake_pg import FakeStore


def save_shards(
    actor: Path, weights: Mapping[str, torch.Tensor], mesh: Sequence[int] = (2,), names: Sequence[str] = ("fsdp",)
) -> list[Path]:
    """`weights` cut along dimension 0 over the last mesh dimension, copied over the others; the files by rank."""
    actor.mkdir(parents=True, exist_ok=True)
    world = 1
    for size in mesh:
        world *= size
    files = []
    for rank in range(world):
        torch.distributed.init_process_group("fake", rank=rank, world_size=world, store=FakeStore())
        try:
            device_mesh = init_device_mesh("cpu", tuple(mesh), mesh_dim_names=tuple(names))
            placements = [Replicate()] * (len(mesh) - 1) + [Shard(0)]
            shard: dict[str, Any] = {}
            for name, tensor in weights.items():
                chunks = tensor.chunk(mesh[-1])
                place = rank % mesh[-1]
                local = chunks[place].clone() if place < len(chunks) else tensor[:0].clone()
                shard[name] = DTensor.from_local(
                    local, device_mesh, placements, run_check=False, shape=tensor.shape, stride=tensor.stride()
                )
            files.append(actor / f"model_world_size_{world}_rank_{rank}.pt")
            torch.save(shard, files[-1])
        finally:
            torch.distributed.destroy_process_group()
    return files
