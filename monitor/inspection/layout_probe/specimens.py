"""Functions and coroutines whose frames are looked at, compiled at a line that is found nowhere else by chance."""

from __future__ import annotations

from typing import Any

FAR_LINE = 54321
SOURCE = """async def short(thing):
    await thing


async def long(thing, other, more, still):
    other = [other, more]
    still = {"a": other}
    for entry in other:
        await thing


async def own(box, look):
    look(box)


async def finished():
    pass


def hold(sentinel, ready, lock):
    inner(sentinel, ready, lock)


def inner(sentinel, ready, lock):
    ready()
    lock.acquire()


def plain():
    yield 1
    yield 2


def delegating(source):
    yield from source


def outer(free):
    def middle(local):
        cell = local
        return lambda: (free, cell)

    return middle
"""


def compiled() -> dict[str, Any]:
    """The specimens by name."""
    space: dict[str, Any] = {}
    exec(compile("\n" * (FAR_LINE - 1) + SOURCE, "layout-probe", "exec"), space)
    return space
