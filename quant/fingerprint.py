"""Fingerprints of weights: equal exactly where every name, shape, type and bit is equal.

Covers state dicts in memory and checkpoints on disk in one file; the same weights give the same fingerprint in both.
Does not cover weights sharded over several ranks: refused, with a sentence.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from quant.errors import WeightsError

FINGERPRINT_CHARACTERS = 32
"""Hexadecimal: 128 of sha256's bits, as many as no two checkpoints ever share by chance."""

PARALLEL_BYTES = 64 << 20
"""From here on tensors are hashed in threads: hashing lets go of Python's lock."""

_SHARD_NAME = re.compile(r"model_world_size_(\d+)_rank_(\d+)\.pt")
_FOLDERS = ("", "actor")
_WHOLE_MODEL_NAME = "model.pt"


def fingerprint(state_dict: Mapping[str, Any], *, dtype: str | None = None) -> str:
    """32 hexadecimal characters, whatever the order of the entries and the device of the tensors.

    With `dtype`, floating-point tensors count as what they become in that type: the fingerprint of a float32 checkpoint
    as bfloat16 is that of the model which loaded it as bfloat16. Entries that are no tensors don't count.
    """
    import torch

    tensors = {name: value.detach() for name, value in state_dict.items() if isinstance(value, torch.Tensor)}
    wanted = _dtype(dtype)

    def digest(name: str) -> str:
        tensor = tensors[name]
        return _tensor_digest(tensor.to(wanted) if wanted is not None and tensor.is_floating_point() else tensor)

    names = sorted(tensors)
    large = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) >= PARALLEL_BYTES
    if large:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            digests = list(pool.map(digest, names))
    else:
        digests = [digest(name) for name in names]
    total = hashlib.sha256()
    for name, one in zip(names, digests):
        total.update(f"{name}\0{one}\n".encode())
    return total.hexdigest()[:FINGERPRINT_CHARACTERS]


def _dtype(name: str | None) -> Any:
    import torch

    if name is None:
        return None
    found = getattr(torch, name, None)
    if not isinstance(found, torch.dtype):
        raise WeightsError(f"unknown type `{name}`", "types: float32, bfloat16, float16")
    return found


def _tensor_digest(tensor: Any) -> str:
    """sha256 of type, shape and bytes, without copying a contiguous tensor in main memory."""
    plain = tensor.contiguous().cpu()
    total = hashlib.sha256(f"{plain.dtype}{tuple(plain.shape)}".encode())
    size = plain.numel() * plain.element_size()
    if size:
        total.update(memoryview((ctypes.c_char * size).from_address(plain.data_ptr())))
    return total.hexdigest()


def fingerprint_checkpoint(path: Path | str, *, dtype: str | None = None) -> str:
    """The fingerprint of the weights of `global_step_N`, of a start model's folder, or of one file.

    Raises `WeightsError` where they are missing, cut, or sharded.
    """
    return fingerprint(read_weights(path), dtype=dtype)


def read_weights(path: Path | str) -> dict[str, Any]:
    """The state dict of a checkpoint, in main memory, as stored. Raises `WeightsError`."""
    import torch

    file = weights_file(Path(path))
    try:
        opened = file.open("rb")
    except OSError as error:
        raise WeightsError(f"can't read {file}: {error.strerror}") from error
    try:
        with opened:
            loaded = torch.load(opened, map_location="cpu", weights_only=True)
    except MemoryError as error:
        raise WeightsError(f"not enough memory to load {file}", "free memory") from error
    except Exception as error:  # A cut or foreign file makes torch raise almost anything.
        said = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise WeightsError(f"{file} is cut, or holds no weights ({said})") from error
    if not isinstance(loaded, dict) or not any(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise WeightsError(f"{file} holds no weights by name")
    if any(hasattr(value, "placements") for value in loaded.values()):
        raise WeightsError(f"{file} holds sharded tensors: not built yet", "merge the shards into one file first")
    return loaded


def weights_file(path: Path) -> Path:
    """The one file that holds the weights. Raises `WeightsError`."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise WeightsError(f"no checkpoint at {path}", "check the path")
    for folder in (path / name for name in _FOLDERS):
        shards = sorted(file for file in folder.glob("model_world_size_*.pt") if _SHARD_NAME.fullmatch(file.name))
        if shards:
            return _only_shard(folder, shards)
        if (folder / _WHOLE_MODEL_NAME).is_file():
            return folder / _WHOLE_MODEL_NAME
    raise WeightsError(
        f"{path} holds no weights that can be read",
        f"actor/model_world_size_1_rank_0.pt or {_WHOLE_MODEL_NAME} is built; safetensors is not built yet",
    )


def _only_shard(folder: Path, shards: list[Path]) -> Path:
    matches = [match for file in shards if (match := _SHARD_NAME.fullmatch(file.name))]
    world = max(int(match.group(1)) for match in matches)
    if world != 1:
        raise WeightsError(
            f"{folder} is sharded over {world} ranks: not built yet", "merge the shards into one file first"
        )
    return shards[0]
