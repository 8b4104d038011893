"""Python objects of another process as values: types, strings, numbers, containers, attributes. Every read is bounded.

What a version fixes (heads of strings, dicts, integers) stands here, for 3.10 to 3.13 with the GIL; it is never trusted
as such: a layout is used only after all of this gave the truth about a process of the same build (`self_check`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.inspection.asyncio_reader.errors import Odd
from monitor.inspection.asyncio_reader.image import Image
from monitor.inspection.asyncio_reader.layout import INLINE_VALUES, MANAGED_DICT, Layout

MOST_ITEMS = 1 << 20
MOST_CHARACTERS = 4096
MOST_BASES = 32
LARGEST_OBJECT = 1 << 24
TYPE_NAME, TYPE_SIZE, TYPE_FLAGS, TYPE_BASE, TYPE_DICT = 24, 32, 168, 256, 288


@dataclass(frozen=True)
class TypeFacts:
    """What of a type is needed."""

    address: int
    name: str
    """As its C code or class statement names it: `_asyncio.Task`, `Event`."""
    size: int
    flags: int
    base: int
    dict_offset: int

    @property
    def short(self) -> str:
        """The name without its module."""
        return self.name.rpartition(".")[2]


class Objects:
    """Decoders over one image, which keep types and strings. Each raises `MemoryUnreadable` or `Odd`."""

    def __init__(self, image: Image, layout: Layout) -> None:
        self.image = image
        self.layout = layout
        self._types: dict[int, TypeFacts] = {}
        self._texts: dict[int, str] = {}
        self._names: dict[int, dict[str, int]] = {}

    # -- types

    def type_of(self, address: int) -> TypeFacts:
        """The type of an object."""
        return self.type_at(self.image.word(address + 8))

    def type_at(self, address: int) -> TypeFacts:
        """The type object at `address`."""
        found = self._types.get(address)
        if found is None:
            if address & 7 or address < 4096:
                raise Odd("no object: its type is nowhere")
            name, size = self.image.words(address + TYPE_NAME, 2)
            flags, base = self.image.word(address + TYPE_FLAGS), self.image.word(address + TYPE_BASE)
            offset = struct.unpack("<q", self.image.read(address + TYPE_DICT, 8))[0]
            text = self._c_string(name)
            if not 0 < size < LARGEST_OBJECT or not -LARGEST_OBJECT < offset < LARGEST_OBJECT:
                raise Odd("no object: its type has an impossible size")
            found = self._types[address] = TypeFacts(address, text, size, flags, base, offset)
        return found

    def is_a(self, address: int, name: str) -> bool:
        """The object's type, or one of its bases, is called `name`."""
        kind = self.type_of(address)
        for _ in range(MOST_BASES):
            if kind.name == name:
                return True
            if not kind.base:
                return False
            kind = self.type_at(kind.base)
        return False

    def _c_string(self, address: int) -> str:
        raw = self.image.read(address, 128).partition(b"\0")[0]
        text = raw.decode("utf-8")
        if not raw or len(raw) > 120 or not text.replace(".", "").replace("_", "").isalnum():
            raise Odd("no object: its type has no name")
        return text

    # -- values

    def text(self, address: int) -> str:
        """A string, its first `MOST_CHARACTERS`."""
        found = self._texts.get(address)
        if found is None:
            found = self._texts[address] = self._text(address)
        return found

    def _text(self, address: int) -> str:
        head = self.image.read(address, 40)
        kind, length = struct.unpack_from("<QQ", head, 8)
        state = struct.unpack_from("<I", head, 32)[0]
        if self.type_at(kind).name != "str":
            raise Odd("no string")
        width, compact, ascii_only = state >> 2 & 7, state >> 5 & 1, state >> 6 & 1
        if not compact or width not in (1, 2, 4) or length > 1 << 32:
            raise Odd("no string that can be read")
        short = self.layout.minor >= 12
        start = (40 if short else 48) if ascii_only else (56 if short else 72)
        raw = self.image.read(address + start, min(length, MOST_CHARACTERS) * width)
        if ascii_only:
            return raw.decode("ascii")
        return raw.decode({1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}[width], "surrogatepass")

    def number(self, address: int) -> int:
        """An int of at most 120 bits."""
        if not self.is_a(address, "int"):
            raise Odd("no int")
        size = struct.unpack("<q", self.image.read(address + 16, 8))[0]
        if self.layout.minor >= 12:
            negative, digits = size & 3 == 2, size >> 3
        else:
            negative, digits = size < 0, abs(size)
        if not 0 <= digits <= 4:
            raise Odd("an int out of range")
        parts = struct.unpack(f"<{digits}I", self.image.read(address + 24, 4 * digits)) if digits else ()
        value = sum(int(part) << 30 * position for position, part in enumerate(parts))
        return -value if negative else value

    def real(self, address: int) -> float:
        """A float."""
        if self.type_of(address).name != "float":
            raise Odd("no float")
        return float(struct.unpack("<d", self.image.read(address + 16, 8))[0])

    def truth(self, address: int) -> bool:
        """True or False, or a number's truth."""
        return self.number(address) != 0

    # -- containers

    def items(self, address: int, most: int = 4096) -> tuple[int, ...]:
        """Items of a tuple or a list, at most `most`."""
        kind = self.type_of(address)
        count = self.image.word(address + 16)
        if count > MOST_ITEMS:
            raise Odd("a list of impossible length")
        if kind.name == "list":
            return self.image.words(self.image.word(address + 24), min(count, most)) if count else ()
        if not self.is_a(address, "tuple"):
            raise Odd("neither list nor tuple")
        return self.image.words(address + 24, min(count, most))

    def size(self, address: int) -> int:
        """Length of a tuple, a list or a dict."""
        return self.image.word(address + 16)

    def members(self, address: int, *, whole: bool = True) -> list[int]:
        """Members of a set. `whole`: `Odd` where it changed meanwhile and some may be missing."""
        if not self.is_a(address, "set"):
            raise Odd("no set")
        head = self.image.fresh(address + 16, 32)
        _, used, mask, table = struct.unpack("<4Q", head)
        if mask > MOST_ITEMS * 8 or mask & (mask + 1) or used > mask + 1:
            raise Odd("a set of impossible size")
        found = []
        for key, mark in struct.iter_unpack("<Qq", self.image.fresh(table, 16 * (mask + 1))):
            # Left over entries hold a dummy, whose hash is -1.
            if key and mark != -1:
                found.append(key)
        if whole and (len(found) != used or not self.image.unchanged([(address + 16, head)])):
            raise Odd("a set that changed while it was read")
        return found

    def entries(self, address: int) -> list[tuple[int, int]]:
        """Keys and values of a dict."""
        if not self.is_a(address, "dict"):
            raise Odd("no dict")
        keys, values = self.image.words(address + 32, 2)
        pairs = self._pairs(keys)
        if not values:
            return [(key, value) for key, value in pairs if key and value]
        return self._with_values(pairs, values + (8 if self.layout.minor >= 13 else 0))

    def _with_values(self, pairs: list[tuple[int, int]], values: int) -> list[tuple[int, int]]:
        held = self.image.words(values, len(pairs))
        return [(key, value) for (key, _), value in zip(pairs, held) if key and value]

    def _pairs(self, keys: int) -> list[tuple[int, int]]:
        """Keys and own values of a table of keys; a table that is shared between instances has no values."""
        if self.layout.minor >= 11:
            log_size, log_bytes, kind = self.image.read(keys + 8, 3)
            if log_size > 28 or log_bytes > 31:
                raise Odd("a dict of impossible size")
            count, start, wide = self.image.word(keys + 24), keys + 32 + (1 << log_bytes), kind == 0
        else:
            slots = self.image.word(keys + 8)
            if slots > 1 << 28:
                raise Odd("a dict of impossible size")
            width = 1 if slots <= 0xFF else 2 if slots <= 0xFFFF else 4
            count, start, wide = self.image.word(keys + 32), keys + 40 + slots * width, True
        if count > MOST_ITEMS:
            raise Odd("a dict of impossible size")
        block = self.image.read(start, count * (24 if wide else 16))
        if wide:
            return [(key, value) for _, key, value in struct.iter_unpack("<QQQ", block)]
        return [(key, value) for key, value in struct.iter_unpack("<QQ", block)]

    def named(self, address: int) -> Iterator[tuple[str, int]]:
        """Entries of a dict whose keys are strings."""
        for key, value in self.entries(address):
            if self.type_of(key).name == "str":
                yield self.text(key), value

    # -- attributes

    def attribute(self, address: int, name: str) -> int | None:
        """The value of an instance's own attribute, None where it has none of that name."""
        kind = self.type_of(address)
        if kind.flags & MANAGED_DICT:
            return self._managed(address, kind, name)
        if kind.dict_offset <= 0:
            return None
        held = self.image.word(address + kind.dict_offset)
        return self.in_dict(held, name) if held else None

    def _managed(self, address: int, kind: TypeFacts, name: str) -> int | None:
        held = self.image.word(address - 24)
        if self.layout.minor == 11:
            values = self.image.word(address - 32)
            return self._in_values(kind, values, name) if values else self.in_dict(held, name) if held else None
        if self.layout.minor == 12 and held & 1:
            return self._in_values(kind, held + 1, name)
        if self.layout.minor >= 13 and kind.flags & INLINE_VALUES:
            values = address + kind.size
            if self.image.read(values + 3, 1) == b"\x01":
                return self._in_values(kind, values + 8, name)
        return self.in_dict(held, name) if held else None

    def _in_values(self, kind: TypeFacts, values: int, name: str) -> int | None:
        keys = self.image.word(kind.address + self.layout.at["type_cached_keys"])
        for position, (key, _) in enumerate(self._pairs(keys)):
            if key and self.text(key) == name:
                return self.image.word(values + 8 * position) or None
        return None

    def in_dict(self, address: int, name: str) -> int | None:
        """The value that a dict keeps under a string."""
        wanted = len(name)
        for key, value in self.entries(address):
            if self.image.word(key + 16) == wanted and self.type_of(key).name == "str" and self.text(key) == name:
                return value
        return None

    def module_attribute(self, module: int, name: str) -> int | None:
        """A global of a module."""
        if not self.is_a(module, "module"):
            raise Odd("no module")
        return self.in_dict(self.image.word(module + 16), name)

    # -- functions

    def closure(self, callback: int) -> tuple[int, ...]:
        """What the cells of a function's (or method's) closure hold; empty cells are passed over."""
        if self.type_of(callback).name == "method":
            callback = self.image.word(callback + 16)
        if self.type_of(callback).name != "function":
            return ()
        cells = self.image.word(callback + self.layout.at["function_closure"])
        held = (self.cell(cell) for cell in self.items(cells, 64)) if cells else ()
        return tuple(value for value in held if value)

    def cell(self, address: int) -> int:
        """What a cell holds, 0 for an empty one."""
        if self.type_of(address).name != "cell":
            raise Odd("no cell")
        return self.image.word(address + 16)
