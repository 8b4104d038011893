"""Frames of another process: which code, which line, which locals; of suspended coroutines and of running threads."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.inspection.asyncio_reader.errors import Odd
from monitor.inspection.asyncio_reader.line_table import line_of
from monitor.inspection.asyncio_reader.objects import Objects

MOST_LOCALS = 512
MOST_TABLE = 1 << 20
MOST_STACK = 5000
MOST_LINE = 1 << 28


@dataclass(frozen=True)
class CodeFacts:
    """What of a code object is needed."""

    address: int
    name: str
    qualname: str
    """The plain name on 3.10, which has no other."""
    file: str
    first_line: int
    table: bytes


@dataclass(frozen=True)
class Link:
    """One frame of an await chain or of a stack."""

    function: str
    file: str
    line: int
    """0: not known."""
    frame: int = 0
    """Its address, 0 for compiled code, which has none."""


class Frames:
    """Decoders of frames and code objects. Code objects, which don't change, are kept."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.image = objects.image
        self.layout = objects.layout
        self._codes: dict[int, CodeFacts] = {}
        self._lines: dict[tuple[int, int], int] = {}

    def code(self, address: int) -> CodeFacts:
        """The code object at `address`."""
        found = self._codes.get(address)
        if found is None:
            if self.objects.type_of(address).name != "code":
                raise Odd("no code object")
            at, word = self.layout.at, self.image.word
            name = self.objects.text(word(address + at["code_name"]))
            qualname = self.objects.text(word(address + at["code_qualname"])) if "code_qualname" in at else name
            file = self.objects.text(word(address + at["code_filename"]))
            table = word(address + at["code_linetable"])
            size = word(table + 16)
            if self.objects.type_of(table).name != "bytes" or size > MOST_TABLE:
                raise Odd("no line table")
            first = self.image.integer(address + at["code_firstlineno"])
            found = CodeFacts(address, name, qualname, file, first, self.image.read(table + 32, size))
            self._codes[address] = found
        return found

    def code_of(self, frame: int) -> CodeFacts:
        """The code that a frame executes."""
        return self.code(self.image.word(frame + self.layout.at["frame_code"]))

    def instruction(self, frame: int, code: int) -> int:
        """Byte offset of the instruction that a frame stands at, as `f_lasti`."""
        at = self.layout.at
        if self.layout.minor <= 10:
            return self.image.integer(frame + at["frame_lasti"]) * 2
        return self.image.word(frame + at["frame_instruction"]) - code - at["code_start"]

    def line(self, frame: int) -> int:
        """The line that a frame stands at, 0 where its table has none."""
        code = self.code_of(frame)
        instruction = self.instruction(frame, code.address)
        if not -1024 <= instruction <= 1 << 30:
            raise Odd("a frame outside its code")
        key = (code.address, instruction)
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = line_of(self.layout.minor, code.table, code.first_line, instruction)
        return line if 0 < line < MOST_LINE else 0

    def local(self, frame: int, name: str) -> int:
        """A local variable of a frame, 0 where it has none of that name or it is not set."""
        for position, found in enumerate(self._local_names(self.code_of(frame).address)):
            value = self.image.word(frame + self.layout.at["frame_locals"] + 8 * position) if found == name else 0
            # 3.10 lists an argument that closures share twice: its first slot is empty, the second has its cell.
            if value:
                return self.objects.cell(value) if self.objects.type_of(value).name == "cell" else value
        return 0

    def _local_names(self, code: int) -> list[str]:
        at, word = self.layout.at, self.image.word
        fields = ("code_names",) if "code_names" in at else ("code_varnames", "code_cellvars", "code_freevars")
        names = [name for field in fields for name in self.objects.items(word(code + at[field]), MOST_LOCALS)]
        return [self.objects.text(name) for name in names]

    def stack(self, thread: int, most: int = MOST_STACK) -> list[Link]:
        """Frames of a running thread's Python stack, innermost first. What runs may change: `Odd` where it did."""
        at, word = self.layout.at, self.image.word
        if "thread_frame" in at:
            frame = word(thread + at["thread_frame"])
        else:
            frame = word(word(thread + at["thread_cframe"]) + at["cframe_frame"])
        links: list[Link] = []
        seen: set[int] = set()
        while frame and len(seen) < most:
            if frame in seen:
                raise Odd("a stack that bites its tail")
            seen.add(frame)
            code = self.image.word(frame + at["frame_code"])
            # Between Python frames stand entry frames of C code, without a code object or with one of no file.
            if code and self.objects.type_of(code).name == "code":
                facts = self.code(code)
                if not facts.file.startswith("<"):
                    links.append(Link(facts.qualname, facts.file, self.line(frame), frame))
            frame = word(frame + at["frame_previous"])
        return links
