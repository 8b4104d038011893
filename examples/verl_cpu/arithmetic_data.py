"""Makes the data: 32 sums to train on and 8 to validate on, as the parquet files verl reads.

.venv-real/bin/python -m examples.verl_cpu.arithmetic_data FOLDER
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

TRAIN_ROWS = 32
VALIDATION_ROWS = 8


def rows(count: int, split: str, source: random.Random) -> list[dict[str, Any]]:
    """`count` prompts in verl's row format."""
    made = []
    for index in range(count):
        left, right = source.randint(0, 39), source.randint(0, 39)
        made.append(
            {
                "data_source": "tiny/sums",
                "prompt": [{"role": "user", "content": f"What is {left} + {right}?"}],
                "ability": "math",
                "reward_model": {"style": "rule", "ground_truth": str(left + right)},
                "extra_info": {"split": split, "index": index},
            }
        )
    return made


def make_data(folder: Path) -> None:
    """Write `train.parquet` and `validation.parquet`, the same rows every time."""
    import pandas

    source = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    pandas.DataFrame(rows(TRAIN_ROWS, "train", source)).to_parquet(folder / "train.parquet")
    pandas.DataFrame(rows(VALIDATION_ROWS, "validation", source)).to_parquet(folder / "validation.parquet")


if __name__ == "__main__":
    make_data(Path(sys.argv[1]))
