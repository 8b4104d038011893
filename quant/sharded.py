"""verl's FSDP shards merged into one state dict: `model_world_size_W_rank_R.pt`, one file a rank.

Covers FSDP1 and FSDP2 (a DTensor a parameter, sharded along one dimension or replicated), hybrid sharding (the replicas
of `ddp` must not differ in number of parts; the first is taken) and plain tensors, which every rank holds alike. Tensor
parallelism inside a shard is refused. Files are read with `weights_only`, so that no checkpoint can run code. Layout:
verl 0.7 to 0.9, `verl/utils/checkpoint/fsdp_checkpoint_manager.py` and `verl/model_merger`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.errors import WeightsError

SHARD_NAME = re.compile(r"model_world_size_(\d+)_rank_(\d+)\.pt")
SHARDING, REPLICATING = ("fsdp", "dp", "_fsdp"), ("ddp", "replicate", "dp_replicate")
"""Names of mesh dimensions along which verl cuts parameters, and along which it copies them."""


@dataclass(frozen=True)
class Part:
    """What one rank holds of a tensor."""

    tensor: Any
    dimension: int | None
    """Along which the whole was cut; None: this is the whole."""
    shape: tuple[int, ...]
    """The whole's."""
    parts: int
    """Into how many the whole was cut."""

    def without_tensor(self) -> Part:
        """The description alone, so that the numbers can leave memory."""
        return dataclasses.replace(self, tensor=None)


def shard_files(folder: Path) -> list[Path]:
    """Every rank's file in the order of ranks; none where the folder has no shards. Raises `WeightsError`.

    The world size is the files' own: two of them in one folder, or a rank without its file, is refused.
    """
    found = {
        (int(match.group(1)), int(match.group(2))): file
        for file in folder.glob("model_world_size_*.pt")
        if (match := SHARD_NAME.fullmatch(file.name))
    }
    if not found:
        return []
    worlds = sorted({world for world, _ in found})
    if len(worlds) > 1:
        raise WeightsError(
            f"{folder} holds shards of {len(worlds)} world sizes: {', '.join(map(str, worlds))}",
            "two saves lie in one folder: take the other's files out",
        )
    absent = [rank for rank in range(worlds[0]) if (worlds[0], rank) not in found]
    if absent:
        name = f"model_world_size_{worlds[0]}_rank_{absent[0]}.pt"
        raise WeightsError(
            f"{folder} lacks {name}: {len(absent)} of {worlds[0]} ranks have no shard",
            "copy every rank's file into one folder; with node-local disks they lie on their own nodes",
        )
    return [found[worlds[0], rank] for rank in range(worlds[0])]


def merge(files: Sequence[Path], read: Callable[[Path], Mapping[str, Any]]) -> dict[str, Any]:
    """The whole state dict of these shards, in the order of ranks. Raises `WeightsError`.

    Every tensor as stored, in main memory. All shards are held at once: twice the model's size for a moment.
    """
    shards = [dict(read(file)) for file in files]
    names = list(shards[0])
    for file, shard in zip(files, shards):
        check_names(file, shard, files[0], names)
    return {
        name: merged(name, [part_of(name, shard.pop(name), files, rank) for rank, shard in enumerate(shards)])
        for name in names
    }


def check_names(file: Path, names: Collection[str], first: Path, wanted: Collection[str]) -> None:
    """Raises `WeightsError` unless this rank's file holds the tensors that rank 0's does."""
    if set(names) != set(wanted):
        other = sorted(set(names) ^ set(wanted))[0]
        raise WeightsError(f"{file.name} and {first.name} hold other tensors: {other} is in one of them")


def part_of(name: str, value: Any, files: Sequence[Path], rank: int) -> Part:
    """What this rank's file holds of a tensor. Raises `WeightsError` where it can't be put together with the others."""
    if not hasattr(value, "placements"):
        return Part(value, None, tuple(getattr(value, "shape", ())), 1)
    mesh_names = tuple(value.device_mesh.mesh_dim_names or ("fsdp",) * len(value.placements))
    sizes = tuple(value.device_mesh.mesh.shape)
    cut = [index for index, placement in enumerate(value.placements) if placement.is_shard()]
    strange = [mesh_names[index] for index in cut if mesh_names[index] not in SHARDING]
    partial = [placement for placement in value.placements if placement.is_partial()]
    if strange or partial or len(cut) > 1:
        raise WeightsError(
            f"{name} is cut along the mesh {mesh_names}, placements {value.placements}: tensor parallelism isn't built",
            "merge it with `python -m verl.model_merger merge`, and name the merged folder",
        )
    if sizes and _product(sizes) != len(files):
        raise WeightsError(
            f"{name} was saved by {_product(sizes)} ranks, {files[0].name} says {len(files)}",
            "the checkpoint is of another world size: restore the run's own",
        )
    said = getattr(value.device_mesh, "_rank", rank)
    if said is not None and said != rank:
        raise WeightsError(
            f"{files[rank].name} holds the part of rank {said}", "files were swapped or copied: restore the run's own"
        )
    local = value._local_tensor  # The only way to the part without a process group.
    whole = tuple(value.shape)
    if not cut:
        return Part(local, None, whole, 1)
    return Part(local, value.placements[cut[0]].dim, whole, sizes[cut[0]])


def merged(name: str, parts: list[Part]) -> Any:
    """The whole tensor, or the plain value that all ranks hold. Raises `WeightsError` where they don't fit."""
    import torch

    first = parts[0]
    if first.dimension is None:
        if isinstance(first.tensor, torch.Tensor):
            for part in parts[1:]:
                if not torch.equal(part.tensor, first.tensor):
                    raise WeightsError(f"ranks hold {name} whole and not alike: no one of them is the model's")
        return first.tensor
    needed = parts[: first.parts]
    check_rows(name, first, sum(part.tensor.shape[first.dimension] for part in needed))
    whole = torch.cat([part.tensor for part in needed], dim=first.dimension)
    if tuple(whole.shape) != first.shape:
        raise WeightsError(f"the shards of {name} make {tuple(whole.shape)}, saved was {first.shape}")
    return whole.contiguous()


def check_rows(name: str, first: Part, held: int) -> None:
    """Raises `WeightsError` unless the parts hold together as many rows as the whole has along the cut dimension."""
    whole = first.shape[first.dimension or 0]
    if held != whole:
        raise WeightsError(
            f"the shards hold {held} of {whole} rows of {name}", "a shard is of another save: restore the run's own"
        )


def _product(sizes: Sequence[int]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
