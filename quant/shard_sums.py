"""The fingerprint's sums of a sharded checkpoint, added up shard by shard: one shard in memory at a time.

Covers verl's FSDP shards with every check of `quant.sharded`. The sums are those of the merged model:
`quant.fingerprint` mixes each word with its place in the whole tensor, whoever holds it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

from quant.errors import WeightsError
from quant.fingerprint import EMBEDDINGS, HEAD, NOTHING, Sums, as_type, sums
from quant.sharded import Part, check_names, check_rows, merged, part_of


def shard_sums(
    files: Sequence[Path], read: Callable[[Path], Mapping[str, Any]], *, dtype: str | None = None
) -> dict[str, Sums]:
    """The sums of each tensor that counts, by name, as `quant.fingerprint.tensor_sums` of the merged state dict.

    Raises `WeightsError` for whatever `quant.sharded.merge` refuses.
    """
    tensors: dict[str, _Counted] = {}
    tied: dict[str, bool] = {}
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for rank, file in enumerate(files):
            shard = dict(read(file))
            tensors = tensors or {name: _Counted(name, dtype) for name in shard}
            check_names(file, shard, files[0], tensors)
            parts = {name: part_of(name, shard.pop(name), files, rank) for name in tensors}
            list(pool.map(_Counted.add, tensors.values(), parts.values(), repeat(rank)))
            for head, same in _tied_parts(parts).items():
                tied[head] = same and tied.get(head, True)
    return {
        name: counted.close() for name, counted in tensors.items() if counted.is_tensor and not tied.get(name, False)
    }


@dataclass
class _Counted:
    """One tensor of which some parts were seen."""

    name: str
    dtype: str | None
    first: Part | None = None
    """Rank 0's, without its numbers unless it is kept."""
    is_tensor: bool = True
    rows: int = 0
    """Seen so far, along the dimension that was cut."""
    found: Sums = NOTHING
    stored: Sums = NOTHING
    """Of a tensor that every rank holds whole, in the type it was saved in."""
    kept: list[Part] = field(default_factory=list)
    """Parts of a tensor cut along its last dimension, a vector mostly: they may begin amid a word of the sums."""

    def add(self, part: Part, rank: int) -> None:
        """The next rank's part."""
        import torch

        if self.first is None:
            self.first, self.is_tensor = part.without_tensor(), isinstance(part.tensor, torch.Tensor)
        if part.without_tensor() != self.first:
            raise WeightsError(
                f"rank {rank} holds {self.name} cut otherwise than rank 0",
                "a shard is of another save: restore the run's own",
            )
        if not self.is_tensor:
            return
        if part.dimension is None:
            self._add_whole(part, rank)
        elif rank >= self.first.parts:
            return  # A replica: hybrid sharding's later groups hold the same parts.
        elif part.dimension == len(part.shape) - 1:
            self.kept.append(part)
        else:
            self._add_rows(part, rank)

    def _add_whole(self, part: Part, rank: int) -> None:
        stored = sums(self.name, part.tensor)
        if rank and stored != self.stored:
            raise WeightsError(f"ranks hold {self.name} whole and not alike: no one of them is the model's")
        if rank == 0:
            self.stored, self.found = stored, sums(self.name, as_type(part.tensor, self.dtype))

    def _add_rows(self, part: Part, rank: int) -> None:
        dimension = part.dimension or 0
        beside = [size for index, size in enumerate(part.tensor.shape) if index != dimension]
        if beside != [size for index, size in enumerate(part.shape) if index != dimension]:
            raise WeightsError(f"rank {rank} holds {tuple(part.tensor.shape)} of {self.name}, which is {part.shape}")
        if rank == 0 or part.tensor.numel():
            offsets = [0] * len(part.shape)
            offsets[dimension] = self.rows
            self.found += sums(self.name, as_type(part.tensor, self.dtype), shape=part.shape, offsets=offsets)
        self.rows += part.tensor.shape[dimension]

    def close(self) -> Sums:
        """The whole tensor's. Raises `WeightsError` where rows are missing."""
        if self.kept:
            return sums(self.name, as_type(merged(self.name, self.kept), self.dtype))
        if self.first is not None and self.first.dimension is not None:
            check_rows(self.name, self.first, self.rows)
        return self.found


def _tied_parts(parts: Mapping[str, Part]) -> dict[str, bool]:
    """Of each output head: whether this rank's part of it is its part of the embeddings, bit for bit."""
    import torch

    embeddings = [part for name, part in parts.items() if name.endswith(EMBEDDINGS)]
    return {
        name: any(part.shape == each.shape and torch.equal(part.tensor, each.tensor) for each in embeddings)
        for name, part in parts.items()
        if name.endswith(HEAD)
    }
