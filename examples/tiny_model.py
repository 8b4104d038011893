"""A tiny qwen2-like model with a tokenizer of its own, made here: for trying engines without a download.

    python examples/tiny_model.py FOLDER [--seed 0] [--dtype bfloat16] [--tied]

Random weights; 4 layers of 128, 512 tokens. Needs transformers and tokenizers. Not a model of any use.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

VOCABULARY = 512
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> Any:
    """A byte-level BPE learned from sums."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    learned.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sums = [f"{left} + {right} = {left + right}\n" for left in range(40) for right in range(40)]
    learned.train_from_iterator(["user assistant system\n"] * 50 + sums, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=learned,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
    )


def make(folder: Path, *, seed: int = 0, dtype: str = "bfloat16", tied: bool = False) -> Any:
    """Writes the model with its tokenizer into `folder` and returns it."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    own = tokenizer()
    own.save_pretrained(folder)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=own.eos_token_id,
        pad_token_id=own.pad_token_id,
        initializer_range=0.08,
    )
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(config).to(getattr(torch, dtype))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):  # Zeros as made: a bias that does nothing tests nothing.
                parameter.normal_(0, 0.1)
    model.save_pretrained(folder)
    return model


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", default="bfloat16", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--tied", action="store_true", help="the output head is the embeddings")
    words = parser.parse_args()
    make(words.folder, seed=words.seed, dtype=words.dtype, tied=words.tied)
    print(f"{words.folder}: {sum(file.stat().st_size for file in words.folder.iterdir())} bytes")


if __name__ == "__main__":
    main()
