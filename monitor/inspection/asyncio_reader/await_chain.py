"""The await chain of a coroutine: frame by frame through Python's, Cython's and the opaque awaitables, to the leaf.

Cython's coroutines (Ray's run every async call) keep what they await before their name: that place is found by looking
for two strings of which the second ends with the first, per type; a type without it is called unreadable.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.inspection.asyncio_reader.errors import Odd
from monitor.inspection.asyncio_reader.frames import Frames, Link
from monitor.inspection.asyncio_reader.image import Stamp

MOST_FRAMES = 64
MOST_STEPS = 256
OPAQUE = frozenset(
    {"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable", "_asyncgen_asend"}
)
"""Types that hold the next awaitable where Python code can't see it."""
PYTHON = frozenset({"coroutine", "generator", "async_generator"})
COMPILED = "_cython_"
COMPILED_BYTES = 160


@dataclass
class Chain:
    """The links of one coroutine, outermost first."""

    links: list[Link] = field(default_factory=list)
    leaf: int = 0
    """What the innermost frame awaits, 0 where it awaits nothing."""
    executing: bool = False
    compiled_root: bool = False
    """The outermost coroutine is compiled: in a Ray worker, the one that executes a Ray call."""
    stamps: list[Stamp] = field(default_factory=list)
    """What must still be there for the chain to be true."""
    unreadable: str = ""
    """A type whose insides are not known: the chain ends there, and what it waits on can't be told."""


class Chains:
    """Walks chains."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.objects = frames.objects
        self.image = frames.image
        self._compiled: dict[int, int | None] = {}

    def walk(self, coroutine: int) -> Chain:
        """The chain of the coroutine at `coroutine`. Raises `Odd` and `MemoryUnreadable` where it is torn."""
        chain = Chain()
        current = coroutine
        for step in range(MOST_STEPS):
            if not current or len(chain.links) >= MOST_FRAMES:
                return chain
            kind = self.objects.type_of(current)
            if kind.short in OPAQUE:
                current = self.image.word(current + self.frames.layout.at["opaque_inside"])
            elif kind.name in PYTHON:
                current = self._python(chain, current)
            elif kind.name.startswith(COMPILED):
                chain.compiled_root = chain.compiled_root or step == 0
                current = self._of_compiled(chain, current)
            else:
                chain.leaf = current
                return chain
        raise Odd("an await chain without an end")

    def _python(self, chain: Chain, coroutine: int) -> int:
        """Adds the coroutine's frame; gives what it awaits, 0 for nothing."""
        layout, at = self.frames.layout, self.frames.layout.at
        if layout.minor <= 10:
            frame = self.image.word(coroutine + at["coroutine_frame"])
            if not frame:
                return 0
            state_at = frame + at["frame_state"]
            chain.stamps.append((coroutine + at["coroutine_frame"], frame.to_bytes(8, "little")))
        else:
            frame, state_at = coroutine + at["coroutine_iframe"], coroutine + at["frame_state"]
        self._stamp(chain, frame, state_at)
        state = int.from_bytes(self.image.read(state_at, 1), "little", signed=True)
        if state > at["state_executing"]:
            return 0
        name = self.objects.text(self.image.word(coroutine + at["coroutine_qualname"]))
        code = self.frames.code_of(frame)
        chain.links.append(Link(name, code.file, self.frames.line(frame), frame))
        if state == at["state_executing"]:
            chain.executing = True
            return 0
        return self._awaited(frame, state, code.address)

    def _stamp(self, chain: Chain, frame: int, state_at: int) -> None:
        at = self.frames.layout.at
        if self.frames.layout.minor <= 10:
            fields = [(frame + at["frame_stackdepth"], 4), (frame + at["frame_lasti"], 4)]
        else:
            fields = [(frame + at["frame_stacktop"], 4), (frame + at["frame_instruction"], 8)]
        chain.stamps += [(address, self.image.read(address, size)) for address, size in [*fields, (state_at, 1)]]

    def _awaited(self, frame: int, state: int, code: int) -> int:
        """As CPython's `_PyGen_yf`: the top of the stack, where the frame stands in an await."""
        at, word = self.frames.layout.at, self.image.word
        if state == at["state_created"] or (state == at["state_yielded"] != at["state_awaiting"]):
            return 0
        if at["state_yielded"] == at["state_awaiting"] and not self._in_await(frame, code):
            return 0
        if self.frames.layout.minor <= 10:
            base, height = word(frame + at["frame_stack"]), self.image.integer(frame + at["frame_stackdepth"])
        else:
            base, height = frame + at["frame_locals"], self.image.integer(frame + at["frame_stacktop"])
        if not 0 < height < 1 << 16:
            raise Odd("a frame whose stack has an impossible height")
        return word(base + 8 * (height - 1))

    def _in_await(self, frame: int, code: int) -> bool:
        instruction, layout = self.frames.instruction(frame, code), self.frames.layout
        if layout.minor <= 10:
            held = self.image.word(code + layout.at["code_code"])
            return self.image.read(held + 32 + instruction + 2, 1)[0] in layout.resume_opcodes
        opcode, argument = self.image.read(code + layout.at["code_start"] + instruction + 2, 2)
        return opcode in layout.resume_opcodes and argument & 3 >= 2

    def _of_compiled(self, chain: Chain, coroutine: int) -> int:
        kind = self.objects.type_of(coroutine)
        if kind.address not in self._compiled:
            self._compiled[kind.address] = self._find_name(coroutine)
        place = self._compiled[kind.address]
        if place is None:
            chain.links.append(Link(kind.name, f"<{kind.name}>", 0))
            chain.unreadable = kind.name
            return 0
        awaited, _, name = self.image.words(coroutine + place - 8, 3)
        chain.stamps.append((coroutine + place - 8, awaited.to_bytes(8, "little")))
        chain.links.append(Link(self.objects.text(name), f"<{kind.name}>", 0))
        if awaited:
            self.objects.type_of(awaited)
        return awaited

    def _find_name(self, coroutine: int) -> int | None:
        """Offset of the name in a Cython coroutine; the qualified name follows it, what it awaits stands before."""
        words = self.image.words(coroutine, COMPILED_BYTES // 8)
        for position in range(4, len(words) - 1):
            try:
                short, full = (self.objects.text(words[position + i]) for i in (0, 1))
            except (Odd, OSError):
                continue
            if short and full.endswith(short):
                return 8 * position
        return None
