"""Code objects and suspended coroutines: where they stand, what they await, and in which state they are."""

from __future__ import annotations

import asyncio
import contextlib
import opcode
import struct
import sys
from collections.abc import Iterable
from typing import Any

from .own_memory import Unlike, integer, integers, least, place, places, read, word
from .specimens import FAR_LINE

NEW = sys.version_info >= (3, 11)
MOST_DEPTH = 64
COROUTINE_BYTES = 256


def offsets(specimens: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Everything of this module; `found` holds the frame offsets of `interpreter`. Raises `Unlike`."""
    return {**_codes(specimens), **_suspended(specimens, found)}


def _codes(specimens: dict[str, Any]) -> dict[str, int]:
    first = specimens["short"].__code__
    code = specimens["outer"](None).__code__
    found = {
        "code_firstlineno": least("co_firstlineno", integers(id(first), FAR_LINE)),
        "code_filename": place("co_filename", id(code), id(code.co_filename)),
        "code_linetable": place("co_linetable", id(code), id(code.co_linetable)),
        "code_name": place("co_name", id(code), id(code.co_name)),
    }
    if NEW:
        found["code_qualname"] = place("co_qualname", id(code), id(code.co_qualname))
        return {**found, "code_names": _localsplus_names(specimens["long"].__code__)}
    for name in ("co_code", "co_varnames", "co_cellvars", "co_freevars"):
        found[f"code_{name[3:]}"] = place(name, id(code), id(getattr(code, name)))
    return found


def _localsplus_names(code: Any) -> int:
    """`co_localsplusnames` has no name in Python: it is the tuple whose items are a code's own local names."""
    names = [id(name) for name in code.co_varnames]
    for offset in range(16, 256, 8):
        held = word(id(code) + offset)
        if held and word(held + 8) == id(tuple) and [word(held + 24 + 8 * i) for i in range(len(names))] == names:
            return offset
    raise Unlike("co_localsplusnames was not found")


def _suspended(specimens: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    loop = asyncio.new_event_loop()
    pair = [specimens["short"](loop.create_future()), specimens["long"](loop.create_future(), 1, 2, 3)]
    for coroutine in pair:
        coroutine.send(None)
    try:
        told: dict[str, Any] = {"coroutine_qualname": _qualname(pair)}
        if NEW:
            code = places(id(pair[0]), id(pair[0].cr_code), COROUTINE_BYTES)
            if not code:
                raise Unlike("the frame of a coroutine was not found")
            # A coroutine may keep its code a second time, before its frame.
            told["coroutine_iframe"] = start = code[-1] - found["frame_code"]
            told.update(_new_frame(pair, found["frame_locals"], start))
        else:
            told["coroutine_frame"] = place("the frame", id(pair[0]), id(pair[0].cr_frame), 128)
            told.update(_old_frame(pair, found["frame_locals"]))
        told.update(_states(specimens, pair, told, found))
        told["resume_opcodes"] = _resume_opcodes(specimens, told, found)
        return told
    finally:
        for coroutine in pair:
            coroutine.close()
        loop.close()


def _qualname(pair: list[Any]) -> int:
    both = [set(places(id(c), id(c.__qualname__), COROUTINE_BYTES)) for c in pair]
    if not both[0] & both[1]:
        raise Unlike("the name of a coroutine was not found")
    # `__name__` comes first and is the same object for a function of a module.
    return max(both[0] & both[1])


def _old_frame(pair: list[Any], local: int) -> dict[str, int]:
    """3.10: `f_valuestack`, `f_stackdepth` and `f_lasti` of frame objects."""
    lasti = [integers(id(c.cr_frame), c.cr_frame.f_lasti // 2, local) for c in pair]
    for stack in range(16, local, 8):
        for depth in range(16, local, 4):
            if all(_top(word(id(c.cr_frame) + stack), integer(id(c.cr_frame) + depth)) == id(c.cr_await) for c in pair):
                told = {"frame_stack": stack, "frame_stackdepth": depth}
                return {**told, "frame_lasti": least("f_lasti", lasti[0] & lasti[1])}
    raise Unlike("what a coroutine awaits was not found")


def _new_frame(pair: list[Any], local: int, start: int) -> dict[str, int]:
    """3.11 and later: the instruction pointer and the height of the stack in an interpreter frame."""
    tops, instructions = [], []
    for c in pair:
        base = id(c) + start
        heights = range(16, local, 4)
        tops.append({i for i in heights if _top(base + local, integer(base + i)) == id(c.cr_await)})
        behind = [(i, word(base + i) - c.cr_frame.f_lasti - id(c.cr_code)) for i in range(0, local, 8)]
        instructions.append({(i, delta) for i, delta in behind if 0 < delta < 400})
    both = instructions[0] & instructions[1]
    if not both:
        raise Unlike("the instruction pointer was not found")
    instruction, code_start = min(both)
    top = least("the height of the stack", tops[0] & tops[1])
    return {"frame_stacktop": top, "frame_instruction": instruction, "code_start": code_start}


def _top(stack: int, height: int) -> int:
    return word(stack + 8 * (height - 1)) if 0 < height < MOST_DEPTH else 0


def _states(specimens: dict[str, Any], pair: list[Any], told: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """The byte that tells a frame's state, and its values: by coroutines that are in known states."""
    executing: list[bytes] = []
    created = specimens["short"](None)
    running: Any = specimens["own"](None, lambda _: executing.append(_state_bytes(running, told, found)))
    yielding = specimens["plain"]()
    next(yielding)
    awaited = [_state_bytes(c, told, found) for c in pair]
    made, yields = _state_bytes(created, told, found), _state_bytes(yielding, told, found)
    with contextlib.suppress(StopIteration):
        running.send(None)
    created.close()
    for offset in range(16, min(map(len, (*awaited, made, *executing)))):
        values = [struct.unpack_from("<b", raw, offset)[0] for raw in (made, awaited[0], executing[0])]
        same = awaited[0][offset] == awaited[1][offset]
        if same and values[0] < values[1] < values[2] == 0 and values[0] >= -4:
            yielded = struct.unpack_from("<b", yields, offset)[0]
            return {
                "frame_state": offset,
                "state_created": values[0],
                "state_awaiting": values[1],
                "state_yielded": yielded,
                "state_executing": values[2],
            }
    raise Unlike("the state of a frame was not found")


def _state_bytes(coroutine: Any, told: dict[str, Any], found: dict[str, Any]) -> bytes:
    """Where the state is kept: in the coroutine before its frame (3.11 and later), or in the frame object."""
    if NEW:
        return read(id(coroutine), told["coroutine_iframe"])
    return read(word(id(coroutine) + told["coroutine_frame"]), found["frame_locals"])


def _resume_opcodes(specimens: dict[str, Any], told: dict[str, Any], found: dict[str, Any]) -> list[int]:
    """Opcodes that stand behind (3.10: at) a suspended `yield from` or `await`, fresh and specialized."""
    if not NEW:
        return [opcode.opmap["YIELD_FROM"]]
    seen = {opcode.opmap["RESUME"]}
    for _ in range(64):
        generator = specimens["delegating"](iter([1, 2]))
        for _ in _steps(generator):
            base = id(generator) + told["coroutine_iframe"]
            seen.add(read(word(base + told["frame_instruction"]) + 2, 1)[0])
    return sorted(seen)


def _steps(generator: Any) -> Iterable[None]:
    for _ in generator:
        yield
