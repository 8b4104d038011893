"""The runs' settings as Hydra overrides: what makes verl small enough for two cores, and makes it truly train.

With `lr=1e-3` and the share of vowels as reward, `grad_norm` is above 0 and no validation output of a later step equals
step 0's. Everything a run writes lies below its own folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

STEPS = 2
LEGACY, V1 = "legacy", "v1"
TRAINERS = (LEGACY, V1)

HERE = Path(__file__).resolve().parent

SMALL = {
    "algorithm.adv_estimator": "grpo",
    "algorithm.use_kl_in_reward": "False",
    "data.train_batch_size": "4",
    "data.max_prompt_length": "64",
    "data.max_response_length": "32",
    "data.dataloader_num_workers": "0",
    "data.filter_overlong_prompts": "False",
    "actor_rollout_ref.model.external_lib": "verl_cpu.engine",
    "actor_rollout_ref.model.enable_gradient_checkpointing": "False",
    "actor_rollout_ref.model.use_remove_padding": "False",
    "+actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
    "actor_rollout_ref.actor.strategy": "fsdp2",
    "actor_rollout_ref.actor.optim.lr": "1e-3",
    "actor_rollout_ref.actor.ppo_mini_batch_size": "4",
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu": "4",
    "actor_rollout_ref.actor.use_torch_compile": "False",
    "actor_rollout_ref.actor.use_kl_loss": "False",
    "actor_rollout_ref.rollout.name": "vllm",
    "actor_rollout_ref.rollout.n": "2",
    "actor_rollout_ref.rollout.tensor_model_parallel_size": "1",
    "actor_rollout_ref.rollout.gpu_memory_utilization": "0.3",
    "actor_rollout_ref.rollout.enforce_eager": "True",
    "actor_rollout_ref.rollout.free_cache_engine": "False",
    "+actor_rollout_ref.rollout.enable_sleep_mode": "False",
    "actor_rollout_ref.rollout.max_model_len": "256",
    "actor_rollout_ref.rollout.max_num_seqs": "16",
    "actor_rollout_ref.rollout.max_num_batched_tokens": "2048",
    "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu": "4",
    "actor_rollout_ref.rollout.agent.num_workers": "1",
    "reward.num_workers": "1",
    "trainer.n_gpus_per_node": "1",
    "trainer.nnodes": "1",
    "trainer.device": "cpu",
    "trainer.total_epochs": "1",
    "trainer.test_freq": "1",
    "trainer.save_freq": "1",
    "trainer.val_before_train": "True",
    "trainer.logger": "[console,file]",
    "trainer.project_name": "tiny",
    "trainer.resume_mode": "disable",
}
ONLY_V1 = {"transfer_queue.backend.SimpleStorage.num_data_storage_units": "1"}

ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "HYDRA_FULL_ERROR": "1",
    "RAY_DEDUP_LOGS": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "WANDB_MODE": "offline",
}
PLATFORM_MODULE = "verl_cpu.platform"


def overrides(trainer: str, out: Path, model: Path, data: Path, steps: int, experiment: str) -> list[str]:
    """Arguments of `verl.trainer.main_ppo`; later ones of the same key win, as Hydra has it."""
    places = {
        "data.train_files": data / "train.parquet",
        "data.val_files": data / "validation.parquet",
        "actor_rollout_ref.model.path": model,
        "reward.custom_reward_function.path": HERE / "vowel_reward.py",
        "trainer.default_local_dir": out / "checkpoints",
        "trainer.validation_data_dir": out / "validation",
        "trainer.rollout_data_dir": out / "rollout",
    }
    settings = {
        **SMALL,
        **(ONLY_V1 if trainer == V1 else {}),
        **{key: str(value) for key, value in places.items()},
        "trainer.use_v1": str(trainer == V1),
        "trainer.total_training_steps": str(steps),
        "trainer.experiment_name": experiment,
    }
    return [f"{key}={value}" for key, value in settings.items()]


def environment(out: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a run: `given`, the settings above, the platform first among verl's external modules."""
    modules = [PLATFORM_MODULE, *filter(None, given.get("VERL_USE_EXTERNAL_MODULES", "").split(","))]
    return {
        **given,
        **ENVIRONMENT,
        "VERL_USE_EXTERNAL_MODULES": ",".join(dict.fromkeys(modules)),
        "VERL_FILE_LOGGER_ROOT": str(out / "metrics"),
        "VLLM_CACHE_ROOT": str(out / "vllm-cache"),
    }
