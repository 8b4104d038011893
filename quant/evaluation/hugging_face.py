"""A checkpoint as a Hugging Face model: its config and tokenizer, and whether its weights are that model's.

Covers Hugging Face folders, and verl's `global_step_N` with `actor/huggingface` beside the shard. Imports transformers
inside its functions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quant.checkpoint import check_tied, check_whole, read_weights, tensor_shapes, weights_files
from quant.errors import EvaluationError, WeightsError

_CONFIG = "config.json"
_FOLDERS = ("", "huggingface", "actor/huggingface")


def config_folder(checkpoint: Path) -> Path:
    """The folder with the model's config.json. Raises `WeightsError`."""
    for folder in (checkpoint / name for name in _FOLDERS):
        if (folder / _CONFIG).is_file():
            return folder
    if not (checkpoint / "adapter_config.json").is_file():
        raise WeightsError(f"{checkpoint} holds no config.json", "give a Hugging Face folder, or verl's global_step_N")
    raise WeightsError(f"{checkpoint} holds a LoRA adapter and no model", "merge it into its base model first")


def load_config(checkpoint: Path) -> Any:
    """The model's config. Raises `WeightsError` or `EvaluationError`."""
    try:
        from transformers import AutoConfig
    except ImportError as error:
        raise EvaluationError("this engine needs the library transformers", "pip install transformers") from error
    folder = config_folder(checkpoint)
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{folder / _CONFIG} describes no known model: {str(error).splitlines()[0]}") from error


def load_tokenizer(checkpoint: Path) -> Any:
    """The tokenizer beside the config. Raises `EvaluationError`."""
    from transformers import AutoTokenizer

    folder = config_folder(checkpoint)
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{folder} holds no tokenizer: {str(error).splitlines()[0]}", "copy it there") from error


def check(checkpoint: Path) -> Any:
    """The config, once every tensor of its model is there, in shape, and no other. Raises `WeightsError`.

    Reads names and shapes only, unless embeddings are tied and the head is stored too.
    """
    import torch
    from transformers import AutoModelForCausalLM

    found = tensor_shapes(checkpoint)
    config = load_config(checkpoint)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    tied = bool(getattr(config, "tie_word_embeddings", False))
    check_whole(found, {name: tuple(value.shape) for name, value in model.state_dict().items()}, tied=tied)
    if tied and any(name.endswith("lm_head.weight") for name in found):
        check_tied(read_weights(checkpoint))
    return config


def is_loadable(checkpoint: Path) -> bool:
    """Whether vLLM can read the folder as it is: config and safetensors side by side."""
    files = weights_files(checkpoint)
    return files[0].suffix != ".pt" and (files[0].parent / _CONFIG).is_file()


def write_folder(checkpoint: Path, folder: Path) -> None:
    """A Hugging Face folder with the checkpoint's weights, as stored, its config and tokenizer."""
    import shutil

    from safetensors.torch import save_file

    for file in config_folder(checkpoint).iterdir():
        if file.is_file() and file.suffix != ".safetensors":
            shutil.copy(file, folder / file.name)
    weights = {name: value.contiguous().clone() for name, value in read_weights(checkpoint).items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
