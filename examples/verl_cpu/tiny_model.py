"""Makes the model: a Qwen2 of 0.7 million random parameters and a byte-level tokenizer trained here. Takes a second.

.venv-real/bin/python -m examples.verl_cpu.tiny_model FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VOCABULARY = 512
LONGEST = 1024


def make_tokenizer(folder: Path) -> tuple[int, int]:
    """Train and save the tokenizer; gives its end-of-turn and padding token ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    phrases = ["user assistant system\n", "What is 1 + 2? The answer is 3. #### 3\n"] * 50
    sums = [f"{a} + {b} = {a + b}\n" for a in range(40) for b in range(40)]
    tokenizer.train_from_iterator([*phrases, *sums], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=LONGEST,
    )
    fast.save_pretrained(folder)
    return int(fast.eos_token_id), int(fast.pad_token_id)


def make_model(folder: Path) -> None:
    """Write model and tokenizer to `folder`, bfloat16, the same weights every time (seed 0)."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    end_token, padding = make_tokenizer(folder)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=end_token,
        pad_token_id=padding,
        initializer_range=0.08,
    )
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(config).to(torch.bfloat16)
    model.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)


if __name__ == "__main__":
    make_model(Path(sys.argv[1]))
