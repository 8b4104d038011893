"""Where everything begins: from `_PyRuntime` to the main interpreter, its modules, its threads, asyncio's task sets.

The addresses of modules, which stay for a process's life, are kept by the caller (`Roots.modules`) and checked on use.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.inspection.asyncio_reader.errors import UNREADABLE, Odd
from monitor.inspection.asyncio_reader.objects import Objects

TASKS_MODULE, ASYNCIO_MODULE, THREADING_MODULE = "asyncio.tasks", "asyncio", "threading"
WANTED = (TASKS_MODULE, ASYNCIO_MODULE, THREADING_MODULE)
SETS = ("_all_tasks", "_scheduled_tasks", "_eager_tasks")
"""3.10 and 3.11 keep one weak set, 3.12 and 3.13 a weak one and one of eager tasks at their first step."""
CURRENT = "_current_tasks"
RUNNING_LOOP = "__asyncio_running_event_loop__"
MOST_THREADS = 4096
WEAK_OBJECT = 16


@dataclass(frozen=True)
class ThreadFacts:
    """One thread state."""

    state: int
    ident: int
    loop: int
    """The loop that the thread runs now, 0: none."""


@dataclass
class Roots:
    """Entry points of one process."""

    objects: Objects
    runtime: int
    """Address of `_PyRuntime`."""
    modules: dict[str, int] = field(default_factory=dict)

    def interpreter(self) -> int:
        """The main interpreter. Raises `Odd` where the process has none yet, or none any more."""
        found = self.objects.image.word(self.runtime + self.objects.layout.at["runtime_main"])
        if not found:
            raise Odd("the interpreter is not running: it starts, or ends")
        return found

    def module(self, name: str) -> int | None:
        """The module called `name`, None where it is not imported."""
        kept = self.modules.get(name)
        if kept is None or not self._is_module(kept, name):
            self._find_modules()
        return self.modules.get(name)

    def _is_module(self, address: int, name: str) -> bool:
        try:
            told = self.objects.module_attribute(address, "__name__")
            return told is not None and self.objects.text(told) == name
        except UNREADABLE:
            return False

    def _find_modules(self) -> None:
        self.modules.clear()
        held = self.objects.image.word(self.interpreter() + self.objects.layout.at["interpreter_modules"])
        lengths = {len(name) for name in WANTED}
        for key, value in self.objects.entries(held):
            if self.objects.image.word(key + 16) in lengths and self.objects.type_of(key).name == "str":
                name = self.objects.text(key)
                if name in WANTED:
                    self.modules[name] = value

    def task_addresses(self, *, whole: bool = True) -> list[int]:
        """Every asyncio task of the process that is not collected, done or not. `whole`: `Odd` where some may be
        missing, since the sets changed meanwhile."""
        module = self.module(TASKS_MODULE)
        if module is None:
            return []
        found: dict[int, None] = {}
        sets = 0
        for name in SETS:
            group = self.objects.module_attribute(module, name)
            if group is not None:
                sets += 1
                found.update(dict.fromkeys(self._of_set(group, whole)))
        if not sets:
            raise Odd("asyncio keeps its tasks elsewhere")
        return list(found)

    def _of_set(self, group: int, whole: bool) -> list[int]:
        if self.objects.is_a(group, "set"):
            return self.objects.members(group, whole=whole)
        data = self.objects.attribute(group, "data")
        if data is None:
            raise Odd("a weak set without data")
        references = self.objects.members(data, whole=whole)
        held = []
        for reference in references:
            try:
                held.append(self.objects.image.word(reference + WEAK_OBJECT))
            except UNREADABLE:
                continue
        return [address for address in held if address and not address & 7]

    def current_tasks(self) -> dict[int, int]:
        """The task that each loop executes now."""
        module = self.module(TASKS_MODULE)
        held = self.objects.module_attribute(module, CURRENT) if module else None
        return dict(self.objects.entries(held)) if held else {}

    def asyncio_folder(self) -> str:
        """The folder of the target's own asyncio package, empty where it has none."""
        module = self.module(ASYNCIO_MODULE)
        told = self.objects.module_attribute(module, "__file__") if module else None
        return self.objects.text(told).rpartition("/")[0] if told and self.objects.is_a(told, "str") else ""

    def threads(self) -> list[ThreadFacts]:
        """Every Python thread, with the loop that it runs."""
        at, word = self.objects.layout.at, self.objects.image.word
        found: list[ThreadFacts] = []
        state = word(self.interpreter() + at["interpreter_threads"])
        seen: set[int] = set()
        while state and len(found) < MOST_THREADS:
            if state in seen:
                raise Odd("a list of threads that bites its tail")
            seen.add(state)
            found.append(ThreadFacts(state, word(state + at["thread_ident"]), self._loop_of(state)))
            state = word(state + at["thread_next"])
        return found

    def _loop_of(self, state: int) -> int:
        at, word = self.objects.layout.at, self.objects.image.word
        if "thread_loop" in at:
            return word(state + at["thread_loop"])
        held = word(state + at["thread_dict"])
        value = self.objects.in_dict(held, RUNNING_LOOP) if held else None
        if not value or self.objects.type_of(value).name == "NoneType":
            return 0
        loop = word(value + at["holder_loop"]) if at["holder_loop"] else value
        return 0 if not loop or self.objects.type_of(loop).name == "NoneType" else loop

    def thread_names(self) -> dict[int, tuple[str, int]]:
        """Name and kernel id of every thread that `threading` knows, by its identifier."""
        module = self.module(THREADING_MODULE)
        active = self.objects.module_attribute(module, "_active") if module else None
        found: dict[int, tuple[str, int]] = {}
        for key, thread in self.objects.entries(active) if active else ():
            try:
                name = self.objects.attribute(thread, "_name")
                native = self.objects.attribute(thread, "_native_id")
                told = self.objects.text(name) if name else ""
                found[self.objects.number(key)] = (told, self.objects.number(native) if native else 0)
            except UNREADABLE:
                continue
        return found
