"""How many rows a parquet file holds, from its footer alone: no data is read, no library is needed.

The file ends with its metadata (Thrift, compact protocol), the metadata's length and the magic `PAR1`; the rows are
field 3 of `FileMetaData` (https://parquet.apache.org/docs/file-format/metadata/). All other fields are skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

MAGIC = b"PAR1"
TAIL_BYTES = 8
LARGEST_FOOTER = 64 << 20
ROWS_FIELD = 3
DEEPEST = 64

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(13)


def count_parquet_rows(path: Path) -> int | None:
    """Rows of a parquet file; None where it is none, is encrypted, is cut or can't be read."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL_BYTES))
            tail = file.read(TAIL_BYTES)
            length = int.from_bytes(tail[:4], "little")
            if tail[4:] != MAGIC or length > min(LARGEST_FOOTER, size - TAIL_BYTES):
                return None
            file.seek(size - TAIL_BYTES - length)
            return _Footer(file.read(length)).rows()
    except (OSError, ValueError, IndexError):
        return None


class _Footer:
    """Reads the compact protocol from the front. Raises ValueError or IndexError where it is no such thing."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def rows(self) -> int | None:
        """Field 3, None where it is not there."""
        field = 0
        while True:
            kind, field = self._field(field)
            if kind == STOP:
                return None
            if field == ROWS_FIELD and kind == I64:
                rows = self._zigzag()
                return rows if rows >= 0 else None
            self._skip(kind, 0)

    def _field(self, before: int) -> tuple[int, int]:
        head = self._byte()
        kind, step = head & 0x0F, head >> 4
        return kind, (before + step if step else self._zigzag()) if kind != STOP else 0

    def _byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 63:
                raise ValueError("a number of more than 64 bits")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, kind: int, depth: int) -> None:
        """Go past one value of a field. Booleans of a field stand in its header."""
        if depth > DEEPEST:
            raise ValueError("nested too deep")
        if kind == BYTE:
            self._at += 1
        elif kind in (I16, I32, I64):
            self._varint()
        elif kind == DOUBLE:
            self._at += 8
        elif kind == BINARY:
            length = self._varint()
            self._at += length
        elif kind in (LIST, SET):
            self._skip_list(depth)
        elif kind == STRUCT:
            field = 0
            while True:
                inner, field = self._field(field)
                if inner == STOP:
                    return
                self._skip(inner, depth + 1)
        elif kind not in (TRUE, FALSE):
            raise ValueError(f"a value of type {kind}")

    def _skip_list(self, depth: int) -> None:
        head = self._byte()
        count, kind = head >> 4, head & 0x0F
        count = self._varint() if count == 0x0F else count
        if count > len(self._data):
            raise ValueError("a list longer than the footer")
        for _ in range(count):
            if kind in (TRUE, FALSE):
                self._at += 1
            else:
                self._skip(kind, depth + 1)
