"""The reference: transformers in float32 with `quant.layers`, without any server."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.real.scenarios import MXFP4, PROMPTS


@cache
def log_probabilities(checkpoint: Path, *, quantized: bool) -> list[list[float]]:
    """Of each prompt's tokens but the first."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from quant.layers import apply_recipe

    model = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
    if quantized:
        apply_recipe(model, MXFP4)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    found = []
    with torch.no_grad():
        for prompt in PROMPTS:
            tokens = tokenizer(prompt, return_tensors="pt").input_ids
            all_of_them = model(tokens).logits[0].float().log_softmax(-1)
            found.append([all_of_them[place, token].item() for place, token in enumerate(tokens[0, 1:])])
    return found
