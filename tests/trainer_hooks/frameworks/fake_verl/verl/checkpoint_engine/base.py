"""The weight sync: a coroutine that its decorator runs to the end, as verl's `auto_await` does."""

from __future__ import annotations

import asyncio
import functools
from typing import Any


def auto_await(function: Any) -> Any:
    """Runs the coroutine where no loop runs."""

    @functools.wraps(function)
    def wrapper(*args: Any, **named: Any) -> Any:
        return asyncio.run(function(*args, **named))

    return wrapper


class CheckpointEngineManager:
    """Sends weights to replicas."""

    @auto_await
    async def update_weights(self, global_steps: int | None = None) -> dict[str, Any]:
        """Sends them."""
        await asyncio.sleep(0)
        return {}
