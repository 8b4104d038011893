"""What can go wrong while another process's memory is read: it is not what it should be, or it can't be read at all."""

from __future__ import annotations

import struct

from monitor.inspection.process_memory import MemoryUnreadable


class Odd(ValueError):
    """Bytes that can't be what stands there in a sound process: torn, freed meanwhile, or another layout."""


class NotReadable(ValueError):
    """A whole process whose asyncio tasks can't be read; the message says why."""


UNREADABLE = (MemoryUnreadable, Odd, struct.error, IndexError, UnicodeDecodeError, OverflowError)
"""Everything that a torn or hostile memory image can raise in the decoders."""
