"""Preflight's judgements of a verl run's evaluation: configuration, sampling, tokenizer, reward, model, GPUs. Pure."""

from __future__ import annotations

from monitor.rerun.facts import LineState, PreflightFacts, PreflightLine, VerlFacts
from monitor.rerun.plan import RerunPlan
from monitor.rerun.verl_evaluation import VerlEvaluation

ROUTE_A = "evaluate it with verl itself: val_only=True, resume_mode=resume_path, names and folders of its own"


def verl_lines(plan: RerunPlan, facts: PreflightFacts) -> tuple[PreflightLine, ...]:
    """The lines; none for another trainer's run."""
    if plan.verl is None or facts.verl is None:
        return ()
    found = facts.verl
    there = (_model(facts), _adapter(found), _tokenizer(found)) if facts.checkpoint.exists else ()
    return (
        *there,
        *((_by_verl("sampling"), _by_verl("rows")) if plan.by_trainer else (_sampling(plan.verl), _rows(plan.verl))),
        _reward(plan.verl, found),
        _recipe_record(plan),
        _gpus(found),
    )


def _model(facts: PreflightFacts) -> PreflightLine:
    name, error = "model", facts.weights.model_error
    if error:
        cure = "restore the checkpoint of the run, its `huggingface` folder too"
        return PreflightLine(name, LineState.FAIL, f"the checkpoint is of another model: {error}", (), cure)
    if facts.weights.checkpoint is None:
        return PreflightLine(name, LineState.UNKNOWN, "without its weights the checkpoint's model can't be told")
    return PreflightLine(name, LineState.PASS, "every tensor of the checkpoint's own config.json is there, in shape")


def _adapter(found: VerlFacts) -> PreflightLine:
    if found.adapter:
        sentence = "the checkpoint holds a LoRA adapter that isn't merged: the base model alone would be scored"
        cure = "merge it: `python -m verl.model_merger merge`, then evaluate the merged folder"
        return PreflightLine("adapter", LineState.FAIL, sentence, (found.adapter,), cure)
    return PreflightLine("adapter", LineState.PASS, "no LoRA adapter lies beside the weights")


def _tokenizer(found: VerlFacts) -> PreflightLine:
    name = "tokenizer"
    if found.tokenizer_differences:
        sentence = f"the checkpoint's tokenizer is not the start model's: {found.tokenizer_differences[0]}"
        cure = "put the run's own tokenizer into the checkpoint's `huggingface` folder"
        return PreflightLine(name, LineState.FAIL, sentence, found.tokenizer_differences, cure)
    if found.tokenizer_unknown:
        return PreflightLine(name, LineState.UNKNOWN, found.tokenizer_unknown, doubt=True)
    return PreflightLine(name, LineState.PASS, "vocabulary, added tokens and chat template are the start model's")


def _by_verl(name: str) -> PreflightLine:
    return PreflightLine(name, LineState.PASS, "as in the run: verl itself validates, with the run's own settings")


def _sampling(verl: VerlEvaluation) -> PreflightLine:
    name = "sampling"
    if verl.problems:
        return PreflightLine(name, LineState.FAIL, verl.problems[0], verl.problems, ROUTE_A)
    how = "greedy" if not verl.temperature else f"temperature {verl.temperature}, top_p {verl.top_p}, n={verl.n}"
    return PreflightLine(name, LineState.PASS, f"as in the run: {how}, at most {verl.max_tokens} tokens")


def _rows(verl: VerlEvaluation) -> PreflightLine:
    if verl.doubts:
        return PreflightLine("rows", LineState.UNKNOWN, verl.doubts[0], verl.doubts, ROUTE_A, doubt=True)
    return PreflightLine("rows", LineState.PASS, "every row of the validation file is evaluated, as in the run")


def _reward(verl: VerlEvaluation, found: VerlFacts) -> PreflightLine:
    if found.reward_error:
        cure = "put the run's reward function back where its configuration names it"
        return PreflightLine("reward", LineState.FAIL, found.reward_error, (), cure)
    whose = f"the run's own: {verl.reward}" if verl.reward else "verl's own, by each row's data_source"
    return PreflightLine("reward", LineState.PASS, f"the reward is {whose}")


def _recipe_record(plan: RerunPlan) -> PreflightLine:
    name, verl = "recipe-record", plan.verl
    if verl is not None and verl.inferred:
        sentence = f"the recipe is inferred, not recorded in full: {verl.inferred}; the score will be `unproven`"
        return PreflightLine(name, LineState.UNKNOWN, sentence, verl.evidence, "record the recipe in full", doubt=True)
    where = plan.config_source or "its configuration"
    return PreflightLine(name, LineState.PASS, f"what the run quantized is told in full by {where}")


def _gpus(found: VerlFacts) -> PreflightLine:
    name = "gpus"
    if found.gpus_total is None:
        return PreflightLine(name, LineState.UNKNOWN, "no GPU can be seen from here: vLLM must be built for the CPU")
    if len(found.gpus) == found.gpus_total:
        sentence = f"every GPU is taken: {found.gpus[0]}"
        cure = "wait until the run ends, or go to a node with a free GPU"
        return PreflightLine(name, LineState.FAIL, sentence, found.gpus, cure)
    free = found.gpus_total - len(found.gpus)
    return PreflightLine(name, LineState.PASS, f"{free} of {found.gpus_total} GPUs are held by no process", found.gpus)
