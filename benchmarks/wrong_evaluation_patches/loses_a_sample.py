"""One sample of each validation fails in its agent loop, and the validation goes on without it."""

from __future__ import annotations

from typing import Any

from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

_run = SingleTurnAgentLoop.run


async def _without_the_first(loop: Any, sampling_params: dict[str, Any], **named: Any) -> Any:
    extra = named.get("extra_info")
    if isinstance(extra, dict) and extra.get("split") != "train" and extra.get("index") == 0:
        raise RuntimeError("the tool of this sample broke")
    return await _run(loop, sampling_params, **named)


SingleTurnAgentLoop.run = _without_the_first
