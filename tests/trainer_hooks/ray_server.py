"""An async actor whose calls wait on known things, for the test with real Ray. A plain class: workers import it."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any


class Server:
    """Waits as asked."""

    async def pid(self) -> int:
        """Its process."""
        return os.getpid()

    async def on_event(self) -> None:
        """Waits for what never comes."""
        await asyncio.Event().wait()

    async def on_reference(self, references: list[Any]) -> Any:
        """Waits for another call's result."""
        return await references[0]

    async def on_children(self, references: list[Any]) -> Any:
        """Waits for a result and a timer, in tasks of their own."""
        return await asyncio.gather(references[0], asyncio.sleep(1000))

    async def block(self) -> None:
        """Blocks its own loop."""
        threading.Event().wait()
