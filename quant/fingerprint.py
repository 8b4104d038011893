"""Fingerprints of weights: equal exactly where every name, shape, type and bit is equal.

Covers state dicts in memory, parts of tensors, and what adds up from shards: a fingerprint is two sums modulo 2**64
over the 8-byte words of every tensor, each word mixed with its place in the whole tensor and with a salt of the
tensor's name, type and shape. So it doesn't matter who holds which rows, and permuted rows or swapped tensors differ.
It finds accidents; it is no cryptographic hash. Reading checkpoints from disk: `quant.checkpoint`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.errors import WeightsError

FINGERPRINT_CHARACTERS = 32
"""Hexadecimal: two sums of 64 bits."""

PARALLEL_BYTES = 64 << 20
"""From here on tensors are summed in threads: torch lets go of Python's lock."""

CHUNK_WORDS = 1 << 16
"""Words mixed at a time: half a megabyte, which stays in a core's cache."""

EMBEDDINGS, HEAD = "embed_tokens.weight", "lm_head.weight"
"""How the names of embeddings and output head end."""

WORD_BYTES = 8
_MODULUS = 1 << 64
_LOW_HALF = 0xFFFFFFFF
_STEP = -0x61C8864680B583EB
_FIRST = -0x40A7B892E31B1A47
_SECOND = -0x6B2FB644ECCEEE15
_THIRD = -0x00AE502812AA7333
"""Odd constants of splitmix64 and murmur3's finalizers, as signed integers."""


@dataclass(frozen=True)
class Sums:
    """Two sums modulo 2**64. Adding those of a tensor's parts gives those of the tensor; of tensors, of the model."""

    first: int = 0
    second: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums((self.first + other.first) % _MODULUS, (self.second + other.second) % _MODULUS)

    def hex(self) -> str:
        """The fingerprint: 32 hexadecimal characters."""
        return f"{self.first:016x}{self.second:016x}"


NOTHING = Sums()


def total(parts: Iterable[Sums]) -> Sums:
    """The sum."""
    return sum(parts, NOTHING)


def fingerprint(state_dict: Mapping[str, Any], *, dtype: str | None = None) -> str:
    """32 hexadecimal characters, whatever the order of the entries and the device of the tensors.

    With `dtype`, floating-point tensors count as what they become in that type: the fingerprint of a float32 checkpoint
    as bfloat16 is that of the model which loaded it as bfloat16. Entries that are no tensors don't count, nor does an
    output head that is the embeddings: some who hold such a model name it twice, some once.
    """
    return total(tensor_sums(state_dict, dtype=dtype).values()).hex()


def tensor_sums(state_dict: Mapping[str, Any], *, dtype: str | None = None) -> dict[str, Sums]:
    """The sums of each tensor that counts, by name."""
    import torch

    tensors = {name: value.detach() for name, value in state_dict.items() if isinstance(value, torch.Tensor)}
    for name in tied_heads(tensors):
        del tensors[name]

    def one(name: str) -> Sums:
        return sums(name, as_type(tensors[name], dtype))

    large = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()) >= PARALLEL_BYTES
    if large:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            return dict(zip(tensors, pool.map(one, tensors)))
    return {name: one(name) for name in tensors}


def tied_heads(tensors: Mapping[str, Any]) -> list[str]:
    """Names of output heads that are the embeddings, bit for bit."""
    import torch

    embeddings = [tensor for name, tensor in tensors.items() if name.endswith(EMBEDDINGS)]
    heads = [name for name in tensors if name.endswith(HEAD)]
    return [name for name in heads if any(torch.equal(tensors[name], embedding) for embedding in embeddings)]


def sums(name: str, tensor: Any, *, shape: Sequence[int] | None = None, offsets: Sequence[int] | None = None) -> Sums:
    """Of one tensor, or of the part of it that begins at `offsets` where `shape` is the whole's.

    The part with offsets of 0 carries the name itself, so that an empty tensor counts too. Raises `WeightsError` for a
    part whose rows don't begin at a multiple of 8 bytes.
    """
    import torch

    part = tensor.detach()
    shape = tuple(part.shape if shape is None else shape)
    offsets = tuple(offsets or (0,) * len(shape))
    digest = hashlib.sha256(f"{name}\0{part.dtype}\0{shape}".encode()).digest()
    salts = [int.from_bytes(digest[begin : begin + 8], "little", signed=True) for begin in (0, 8)]
    own = Sums(int.from_bytes(digest[16:24], "little"), int.from_bytes(digest[24:], "little"))
    found = NOTHING if any(offsets) else own
    if part.numel() == 0:
        return found
    words, places = _words(part, shape, offsets)
    with torch.no_grad():
        return found + _mixed(words, places, salts)


def _words(part: Any, shape: tuple[int, ...], offsets: tuple[int, ...]) -> tuple[Any, Any]:
    """The part's rows as int64 (rows, words), short rows filled up with zero bytes; and the place of each row."""
    import torch

    width = shape[-1] if shape else 1
    row_bytes, begin = width * part.element_size(), (offsets[-1] if offsets else 0) * part.element_size()
    if begin % WORD_BYTES:
        raise WeightsError("a shard's rows begin amid a word of 8 bytes", "shard at multiples of 4 columns")
    flat = part.reshape(-1, part.shape[-1] if part.dim() else 1).contiguous().view(torch.uint8)
    missing = -flat.shape[1] % WORD_BYTES
    padded = torch.nn.functional.pad(flat, (0, missing)) if missing else flat
    padded = padded.clone() if padded.storage_offset() % WORD_BYTES else padded
    words_a_row = -(-row_bytes // WORD_BYTES)
    rows = torch.zeros((), dtype=torch.int64, device=part.device)
    for size, length, offset in zip(shape[:-1], part.shape[:-1], offsets[:-1]):
        here = torch.arange(offset, offset + length, dtype=torch.int64, device=part.device)
        rows = (rows.unsqueeze(-1) * size + here).flatten()
    return padded.view(torch.int64), rows.reshape(-1) * words_a_row + begin // WORD_BYTES


def _mixed(words: Any, places: Any, salts: Sequence[int]) -> Sums:
    """The sums over all words, `CHUNK_WORDS` or one row at a time."""
    import torch

    width = words.shape[1]
    columns = torch.arange(width, dtype=torch.int64, device=words.device).mul_(_STEP).add_(salts[0])
    height = max(1, CHUNK_WORDS // width)
    first = torch.zeros((), dtype=torch.int64, device=words.device)
    second = torch.zeros_like(first)
    for begin in range(0, words.shape[0], height):
        chunk = words[begin : begin + height] + columns
        chunk.add_(places[begin : begin + height, None] * _STEP)
        for factor in (_FIRST, _SECOND):
            _fold(chunk).mul_(factor)
        first += _fold(chunk).sum()
        second += _fold(chunk.bitwise_xor_(salts[1]).mul_(_THIRD)).sum()
    return Sums(int(first) % _MODULUS, int(second) % _MODULUS)


def _fold(values: Any) -> Any:
    """Every value's upper half xored into its lower, in place."""
    return values.bitwise_xor_((values >> 32).bitwise_and_(_LOW_HALF))


def as_type(tensor: Any, dtype: str | None) -> Any:
    """The tensor as it counts: a floating-point one in the type of this name, others as they are."""
    import torch

    if dtype is None:
        return tensor
    found = getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype):
        raise WeightsError(f"unknown type `{dtype}`", "types: float32, bfloat16, float16")
    return tensor.to(found) if tensor.is_floating_point() else tensor


def fingerprint_checkpoint(path: Path | str, *, dtype: str | None = None) -> str:
    """The fingerprint of the weights of `global_step_N`, of a start model's folder, or of one file.

    Of shards it is the merged model's, added up over them. Raises `WeightsError` where they are missing or cut.
    """
    from quant.checkpoint import checkpoint_sums

    return total(checkpoint_sums(path, dtype=dtype).values()).hex()
