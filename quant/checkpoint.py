"""Checkpoints on disk: the weights by name, and whether they are a whole model's.

Covers verl's shards (merged by `quant.sharded`), a whole `model.pt`, and Hugging Face folders of safetensors; names
that are missing or extra, tied embeddings, adapters (merged by `quant.adapters` where verl says how, else refused).
What numbers are: `quant.fingerprint`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from quant import adapters
from quant.errors import WeightsError
from quant.fingerprint import EMBEDDINGS, HEAD, Sums, tensor_sums, tied_heads
from quant.shard_sums import shard_sums
from quant.sharded import SHARD_NAME, merge, shard_files

NAMED_TENSORS = 3
"""How many tensors a sentence names before it counts the rest."""

_FOLDERS = ("", "actor")
_HUGGING_FACE_FOLDERS = ("", "huggingface", "actor/huggingface")
_WHOLE_MODEL_NAME = "model.pt"
_INDEX_NAME, _SAFETENSORS_NAME = "model.safetensors.index.json", "model.safetensors"
_ADAPTER_WORDS = (".lora_A.", ".lora_B.", ".lora_embedding_", ".base_layer.", ".lora_magnitude_vector")


def read_weights(path: Path | str) -> dict[str, Any]:
    """The state dict of a checkpoint, in main memory, as stored. Raises `WeightsError`."""
    files = weights_files(Path(path))
    weights = _read(files)
    scale = adapters.scaling(files[0].parent)
    if scale is not None:
        weights = adapters.merged(weights, scale)
    refuse_adapters(weights)
    return weights


def checkpoint_sums(path: Path | str, *, dtype: str | None = None) -> dict[str, Sums]:
    """The fingerprint's sums of each tensor that counts; of shards one at a time is held. Raises `WeightsError`."""
    files = weights_files(Path(path))
    if len(files) == 1 or not SHARD_NAME.fullmatch(files[0].name) or adapters.scaling(files[0].parent) is not None:
        return tensor_sums(read_weights(path), dtype=dtype)
    found = shard_sums(files, _read_torch, dtype=dtype)
    refuse_adapters(found)
    return found


def _read(files: list[Path]) -> dict[str, Any]:
    if files[0].suffix != ".pt":
        return _read_safetensors(files)
    return merge(files, _read_torch) if SHARD_NAME.fullmatch(files[0].name) else _read_torch(files[0])


def weights_files(path: Path) -> list[Path]:
    """The files that hold the weights: torch's (of each rank in turn), or safetensors. Raises `WeightsError`."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise WeightsError(f"no checkpoint at {path}", "check the path")
    for folder in (path / name for name in _FOLDERS):
        shards = shard_files(folder)
        if shards:
            return shards
        if (folder / _WHOLE_MODEL_NAME).is_file():
            return [folder / _WHOLE_MODEL_NAME]
    for folder in (path / name for name in _HUGGING_FACE_FOLDERS):
        files = _safetensors_files(folder)
        if files:
            return files
    if (path / "adapter_config.json").is_file():
        raise WeightsError(f"{path} holds a LoRA adapter and no model", "merge it into its base model first")
    raise WeightsError(
        f"{path} holds no weights that can be read",
        f"actor/model_world_size_1_rank_0.pt, {_WHOLE_MODEL_NAME} or {_SAFETENSORS_NAME} can be read",
    )


def _safetensors_files(folder: Path) -> list[Path]:
    """One file, or those that the index names; every one of them must be there."""
    index = folder / _INDEX_NAME
    if not index.is_file():
        return [folder / _SAFETENSORS_NAME] if (folder / _SAFETENSORS_NAME).is_file() else []
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise WeightsError(f"{index} is no index of safetensors: {error}") from error
    missing = [name for name in names if not (folder / name).is_file()]
    if missing or not names:
        raise WeightsError(f"{folder} lacks {_some(missing) or 'every shard'}, which its index names")
    return [folder / name for name in names]


def _read_torch(file: Path) -> dict[str, Any]:
    import torch
    import torch.distributed.tensor  # Makes its classes known to `weights_only`.

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
        raise _cut(file, error) from error
    if not isinstance(loaded, dict) or not any(isinstance(value, torch.Tensor) for value in loaded.values()):
        raise WeightsError(f"{file} holds no weights by name")
    return loaded


def _read_safetensors(files: Iterable[Path]) -> dict[str, Any]:
    loaded: dict[str, Any] = {}
    for file in files:
        with _open_safetensors(file) as opened:
            loaded.update({name: opened.get_tensor(name) for name in list(opened.keys())})
    if not loaded:
        raise WeightsError("the checkpoint's safetensors hold no weights")
    return loaded


def _open_safetensors(file: Path) -> Any:
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise WeightsError(f"{file} needs the library safetensors", "pip install 'laststep[quant]'") from error
    try:
        return safe_open(file, framework="pt", device="cpu")
    except OSError as error:
        raise WeightsError(f"can't read {file}: {error.strerror or error}") from error
    except Exception as error:  # A cut or foreign file: the library's own exception type isn't part of its interface.
        raise _cut(file, error) from error


def _cut(file: Path, error: Exception) -> WeightsError:
    said = f"{type(error).__name__}: {error}".splitlines()[0][:120]
    return WeightsError(f"{file} is cut, or holds no weights ({said})")


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a checkpoint; of safetensors without reading the numbers. Raises `WeightsError`."""
    files = weights_files(path)
    if files[0].suffix == ".pt":
        shapes = {name: tuple(value.shape) for name, value in _read(files).items() if hasattr(value, "shape")}
        if adapters.scaling(files[0].parent) is None:
            return shapes
        return {adapters.plain_name(name): shape for name, shape in shapes.items() if not adapters.is_adapter(name)}
    shapes = {}
    for file in files:
        with _open_safetensors(file) as opened:
            shapes.update({name: tuple(opened.get_slice(name).get_shape()) for name in list(opened.keys())})
    return shapes


def refuse_adapters(names: Iterable[str]) -> None:
    """Raises `WeightsError` where tensors of a LoRA adapter lie beside the weights that it changes."""
    adapters = [name for name in names if any(word in name for word in _ADAPTER_WORDS)]
    if adapters:
        raise WeightsError(
            f"the checkpoint holds a LoRA adapter that isn't merged: {_some(adapters)}", "merge it first"
        )


def check_whole(
    found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]], *, tied: bool = False
) -> None:
    """Raises `WeightsError` unless the checkpoint has every tensor of the model, in its shape, and no other.

    With `tied` embeddings the head may be missing: it is the embeddings.
    """
    refuse_adapters(found)
    missing = [name for name in expected if name not in found and not (tied and name.endswith(HEAD))]
    if missing:
        raise WeightsError(f"the checkpoint lacks {_some(missing)}", "save the whole model, or check its config.json")
    extra = [name for name in found if name not in expected]
    if extra:
        raise WeightsError(f"the checkpoint holds tensors the model hasn't: {_some(extra)}", "check its config.json")
    for name, shape in expected.items():
        if found.get(name, shape) != shape:
            raise WeightsError(f"{name} is {found[name]} in the checkpoint, {shape} in the model's config.json")


def check_tied(weights: Mapping[str, Any]) -> None:
    """Raises `WeightsError` where the head of a model with tied embeddings differs from them.

    Such a checkpoint is of a model whose embeddings weren't tied in training.
    """
    heads = [name for name in weights if name.endswith(HEAD)]
    embeddings = [name for name in weights if name.endswith(EMBEDDINGS)]
    if heads and embeddings and not tied_heads(weights):
        raise WeightsError(
            f"config.json says that embeddings are tied, but {heads[0]} differs from {embeddings[0]}",
            "set tie_word_embeddings to false, or drop the head that training didn't use",
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED_TENSORS} more" if len(names) > NAMED_TENSORS else ""
    return ", ".join(names[:NAMED_TENSORS]) + more
