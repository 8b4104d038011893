"""What a child with one vLLM engine in its process does: `python -m tests.real.scenarios NAME LABORATORY TARGET`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quant.recipe import Recipe

PROMPTS = ("3 + 4 = ", "12 + 9 = 21\n7 + 30 =", "user assistant system")
NEW_TOKENS = 8
MXFP4 = Recipe("real")
NVFP4 = {"name": "real", "format": "nvfp4", "block_size": 16, "scale_rule": "even"}


class Engine:
    """vLLM in this process, with its model within reach."""

    def __init__(self, model: Path, *, quantization: str | None, recipe: dict[str, Any] | None, **words: Any) -> None:
        from vllm import LLM

        if quantization is not None and recipe is not None and quantization.startswith("laststep"):
            asked = {"quant_method": quantization, "recipe": recipe}
            words["hf_overrides"] = {"quantization_config": asked}
        self.recipe = recipe
        self.llm = LLM(
            model=str(model),
            quantization=quantization,
            max_model_len=128,
            max_num_seqs=8,
            enable_prefix_caching=False,
            worker_extension_cls="quant.vllm.worker.LaststepWorker",
            **{"dtype": "float32", "enforce_eager": True, **words},
        )
        core = self.llm.llm_engine.engine_core.engine_core
        self.runner = core.model_executor.driver_worker.worker.model_runner
        self.model = self.runner.model

    def log_probabilities(self) -> list[list[float]]:
        """Of each prompt's tokens but the first."""
        from vllm import SamplingParams

        asked = SamplingParams(temperature=0, max_tokens=NEW_TOKENS, ignore_eos=True, prompt_logprobs=0)
        answers = self.llm.generate(list(PROMPTS), asked, use_tqdm=False)
        self.tokens = sum(len(each.prompt_token_ids) + NEW_TOKENS - 1 for each in answers)
        return [
            [places[token].logprob for token, places in zip(each.prompt_token_ids[1:], each.prompt_logprobs[1:])]
            for each in answers
        ]

    def attested(self, during: Callable[[], object] = lambda: None) -> dict[str, Any]:
        """An attested evaluation: its document, and the log-probabilities."""
        begun = self.llm.collective_rpc("laststep_begin", args=(self.recipe,))[0]
        during()
        seen = self.log_probabilities()
        facts = {"tokens": self.tokens}
        (document,) = self.llm.collective_rpc("laststep_close", kwargs={"facts": facts})
        return {"begun": begun, "document": document, "log_probabilities": seen}

    def load(self, checkpoint: Path) -> None:
        """The weights as verl brings them: in buckets that cut fused layers apart, unfinished yet."""
        from quant.checkpoint import read_weights

        weights = list(read_weights(checkpoint).items())
        for begin in range(0, len(weights), 7):
            self.model.load_weights(iter(weights[begin : begin + 7]))

    def finish(self) -> None:
        """What verl calls once after the last bucket."""
        from vllm.model_executor.model_loader.utils import process_weights_after_loading

        process_weights_after_loading(self.model, self.runner.model_config, self.runner.device)

    def sync(self, checkpoint: Path) -> None:
        """A whole weight sync."""
        self.load(checkpoint)
        self.finish()

    def layers(self) -> Iterator[tuple[str, Any]]:
        """The quantized ones."""
        from quant.vllm.observe import linears, record_of

        return ((name, layer) for name, layer in linears(self.model).items() if record_of(layer) is not None)

    def weights(self) -> dict[str, Any]:
        """The resident weight of each of the checkpoint's tensors."""
        return {
            part.name: part.of(layer.weight.data).clone()
            for _, layer in self.layers()
            for part in layer.laststep_record.parts
        }


def synced(engine: Engine, laboratory: Path) -> dict[str, Any]:
    """Evaluations of the first weights, the second, the first again; and whether the weights are the trainer's."""
    first = engine.attested()
    engine.sync(laboratory / "second")
    second = engine.attested()
    identical = same_as_trainer(engine, laboratory / "second")
    engine.finish()
    repeated = engine.attested()
    engine.sync(laboratory / "first")
    return {"first": first, "second": second, "repeated": repeated, "again": engine.attested(), "identical": identical}


def same_as_trainer(engine: Engine, checkpoint: Path) -> dict[str, bool]:
    """Whether each resident weight is, bit for bit, what the formats make of the checkpoint's."""
    from quant.checkpoint import read_weights
    from quant.layers import same_bits
    from quant.rounding import rounded, shared_scale

    stored = read_weights(checkpoint)
    resident = engine.weights()
    found = {}
    for _, layer in engine.layers():
        record = layer.laststep_record
        tensors = {part.name: stored[f"{part.name}.weight"].float() for part in record.parts}
        scale = shared_scale(list(tensors.values()), record.recipe.format)
        for name, tensor in tensors.items():
            wanted = rounded(tensor, record.recipe.format, record.recipe.scale_rule, scale)
            found[name] = same_bits(resident[name], wanted)
    return found


def faults(engine: Engine, laboratory: Path) -> dict[str, Any]:
    """Faults that only a real engine can have, each on whole weights."""
    found: dict[str, Any] = {}
    layers = dict(engine.layers())
    victim = layers["model.layers.1.mlp.down_proj"]
    engine.load(laboratory / "second")
    found["not finished"] = engine.attested()
    engine.finish()

    own = victim.quant_method
    from vllm.model_executor.layers.linear import UnquantizedLinearMethod

    victim.quant_method = UnquantizedLinearMethod()
    victim.cpu_linear = lambda x, weight, bias: __import__("torch").nn.functional.linear(x, victim.weight, bias)
    found["one layer skipped"] = engine.attested()
    victim.quant_method = own

    counters = victim.laststep_counters
    victim.laststep_counters = counters.clone()
    frozen = victim.laststep_counters
    apply = own.apply
    own.apply = lambda layer, x, bias=None: (apply(layer, x, bias), frozen.copy_(counters))[0]
    found["counters frozen"] = engine.attested()
    own.apply = apply
    own.apply = lambda layer, x, bias=None: (apply(layer, x, bias), apply(layer, x, bias))[1]
    found["one layer twice"] = engine.attested()
    own.apply = apply

    def noisy() -> None:
        engine.model.model.norm.weight.data.mul_(1.01)

    found["noise on the norms"] = engine.attested(noisy)
    for name, changes in OTHER_ARITHMETIC.items():
        computing(engine, laboratory / "second", **changes)
        found[name] = engine.attested()
    computing(engine, laboratory / "second")
    found["healed"] = engine.attested()
    return found


OTHER_ARITHMETIC: dict[str, dict[str, Any]] = {
    "W4A16": {"quantize_activations": False},
    "W16A4": {"quantize_weights": False},
    "wrong rule": {"scale_rule": "floor"},
}
"""What the engine does where W4A4 by the rule `even` is declared."""


def computing(engine: Engine, checkpoint: Path, **changes: Any) -> None:
    """Every layer computes by the declared recipe with these changes, from weights synced anew."""
    recipe = dataclasses.replace(MXFP4, **changes)
    for _, layer in engine.layers():
        layer.quant_method.recipe = layer.laststep_record.recipe = recipe
    engine.sync(checkpoint)


def hook_after_compiling(engine: Engine) -> dict[str, Any]:
    """A hook that is registered once the graph stands."""
    from quant.vllm.observe import linears

    fired: list[int] = []
    layer = linears(engine.model)["model.layers.0.mlp.down_proj"]
    handle = layer.register_forward_pre_hook(lambda module, inputs: fired.append(1))
    seen = engine.attested()
    handle.remove()
    return {**seen, "fired": len(fired)}


def eager(laboratory: Path) -> dict[str, Any]:
    """W4A4 in float32: syncs, then faults."""
    engine = Engine(laboratory / "first", quantization="laststep_mxfp4", recipe=MXFP4.to_dict())
    return {**synced(engine, laboratory), "faults": faults(engine, laboratory)}


def compiled(laboratory: Path) -> dict[str, Any]:
    """The same in a compiled graph."""
    words = {"quantization": "laststep_mxfp4", "recipe": MXFP4.to_dict(), "enforce_eager": False}
    engine = Engine(laboratory / "first", **words)
    seen = synced(engine, laboratory)
    return {**seen, "hooked": hook_after_compiling(engine)}


def nvfp4(laboratory: Path) -> dict[str, Any]:
    """NVFP4, with the scale that fused weights share."""
    recipe = Recipe.from_dict(NVFP4).to_dict()
    engine = Engine(laboratory / "first", quantization="laststep_nvfp4", recipe=recipe)
    seen = synced(engine, laboratory)
    from quant.errors import WeightsError

    shared = next(iter(dict(engine.layers()).values()))
    shared.laststep_record.arrived.add(0)
    try:
        engine.finish()
    except WeightsError as error:
        seen["torn"] = str(error)
    return seen


def bf16(laboratory: Path) -> dict[str, Any]:
    """vLLM as it comes: no plugin in use, bfloat16."""
    engine = Engine(laboratory / "first", quantization=None, recipe=None, dtype="bfloat16")
    seen = {"unquantized": engine.attested()}
    engine.recipe = Recipe("real", dtype="bfloat16").to_dict()
    return {**seen, "asked": engine.attested()}


def gpt_oss(laboratory: Path) -> dict[str, Any]:
    """vLLM's own `gpt_oss_mxfp4`, which starts and quantizes nothing of a dense model."""
    recipe = Recipe("real", dtype="bfloat16").to_dict()
    engine = Engine(laboratory / "first", quantization="gpt_oss_mxfp4", recipe=recipe, dtype="bfloat16")
    return engine.attested()


SCENARIOS: dict[str, Callable[[Path], dict[str, Any]]] = {
    each.__name__: each for each in (eager, compiled, nvfp4, bf16, gpt_oss)
}

if __name__ == "__main__":
    chosen, folder, target = sys.argv[1:4]
    Path(target).write_text(json.dumps(SCENARIOS[chosen](Path(folder))))
