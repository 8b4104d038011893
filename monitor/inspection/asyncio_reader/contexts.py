"""The Ray task in a task's context: Ray keeps its id in a context variable, Python the variables in a hash trie.

Nodes of the trie are told by their types' names (CPython `Python/hamt.c`). The id's place inside Ray's `TaskID` is that
of Ray 2.60 and is checked: the bytes must be those of a task, never zeros, of a job number that can be.
"""

from __future__ import annotations

from monitor.inspection.asyncio_reader.errors import Odd
from monitor.inspection.asyncio_reader.objects import Objects
from monitor.inspection.object_refs import JOB_ID, MOST_JOBS, TASK_ID_BYTES

VARIABLE = "async_task_id"
TASK_ID_OFFSET = 32
MOST_NODES = 4096
CONTEXT_BYTES = 64
BITMAP, ARRAY, COLLISION = "hamt_bitmap_node", "hamt_array_node", "hamt_collision_node"


def context_task_id(objects: Objects, context: int) -> str | None:
    """The TaskID (hex) that Ray put into a context, None where there is none or it can't be read for certain."""
    if not context or objects.type_of(context).short != "Context":
        return None
    for word in objects.image.words(context + 16, CONTEXT_BYTES // 8 - 2):
        if word and _is(objects, word, "hamt"):
            return _in_trie(objects, objects.image.word(word + 16))
    return None


def _is(objects: Objects, address: int, name: str) -> bool:
    try:
        return objects.type_of(address).short == name
    except (Odd, OSError):
        return False


def _in_trie(objects: Objects, root: int) -> str | None:
    waiting, seen = [root], 0
    while waiting:
        node = waiting.pop()
        seen += 1
        if seen > MOST_NODES:
            raise Odd("a context without an end")
        kind = objects.type_of(node).short
        if kind == ARRAY:
            waiting += [child for child in objects.image.words(node + 16, 32) if child]
            continue
        if kind not in (BITMAP, COLLISION):
            raise Odd("no context")
        count = objects.image.word(node + 16)
        if count > 4096:
            raise Odd("a context of impossible size")
        pairs = objects.image.words(node + 32, count & ~1)
        for key, value in zip(pairs[::2], pairs[1::2]):
            if not key:
                waiting.append(value)
            elif _is_variable(objects, key):
                return _task_id(objects, value)
    return None


def _is_variable(objects: Objects, key: int) -> bool:
    if objects.type_of(key).short != "ContextVar":
        return False
    return objects.text(objects.image.word(key + 16)) == VARIABLE


def _task_id(objects: Objects, value: int) -> str | None:
    kind = objects.type_of(value)
    if kind.short != "TaskID" or kind.size < TASK_ID_OFFSET + TASK_ID_BYTES:
        return None
    raw = objects.image.read(value + TASK_ID_OFFSET, TASK_ID_BYTES)
    job = int.from_bytes(raw[JOB_ID], "little")
    return raw.hex() if 0 < job < MOST_JOBS and any(raw[:20]) else None
