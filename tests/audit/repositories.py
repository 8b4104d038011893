"""Git repositories made to order: a trainer's file through commits with the dates that a test says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TRAINER = "verl/trainer/ppo/ray_trainer.py"

_LOOP = """class {name}:
    def fit(self):
        if self.config.trainer.val_before_train:
            val_metrics = self._validate()
        for batch in self.train_dataloader:
            is_last_step = self.global_steps >= self.total_training_steps
{block}
            if is_last_step:
                return
"""
_BLOCKS = {
    "validate": """            if self.test_freq > 0 and (is_last_step or self.global_steps % self.test_freq == 0):
                val_metrics = self._validate()""",
    "skip": """            if is_last_step:
                print("[WARN] Skipping final step validation")
                val_metrics = {}
            elif self.global_steps % self.test_freq == 0:
                val_metrics = self._validate()""",
    "multiples": """            if self.test_freq > 0 and self.global_steps % self.test_freq == 0:
                val_metrics = self._validate()""",
    "behind a setting": """            if is_last_step and self.config.trainer.get("hurry"):
                val_metrics = {}  # skip the final validation in a hurry
            else:
                val_metrics = self._validate()""",
}


def trainer(block: str, name: str = "RayPPOTrainer") -> str:
    """The source of a trainer that does so with its last step."""
    return _LOOP.format(name=name, block=_BLOCKS[block])


class Repository:
    """A repository under construction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, when: str = "2026-01-14T10:00:00+08:00", authored: str | None = None) -> str:
        """One call of git, by a person whose clock says `when`."""
        person = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in
                  (("NAME", "ada"), ("EMAIL", "ada@example.org"))}  # fmt: skip
        dates = {"GIT_AUTHOR_DATE": authored or when, "GIT_COMMITTER_DATE": when}
        env = {**os.environ, **person, **dates, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-C", str(self.path), *words], env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(
        self, subject: str, when: str, block: str | None = None, *, file: str = TRAINER, name: str = "RayPPOTrainer",
        source: str | None = None, authored: str | None = None,
    ) -> str:  # fmt: skip
        """Commit the trainer's file as `block` (or `source`) says; the commit's hash."""
        if block is not None or source is not None:
            path = self.path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source if source is not None else trainer(str(block), name))
        self.git("add", "-A", when=when)
        self.git("commit", "-q", "--allow-empty", "-m", subject, when=when, authored=authored)
        return self.git("rev-parse", "HEAD")
