"""Bytes of a text file as UTF-8, whatever it is packed or encoded in: plain, gzip, zstd, UTF-16 with its mark.

Streams: memory is a chunk, whatever the file's size. A file that is no text, or can't be unpacked, raises `NotText`
with one sentence; of one that breaks off what could be read is given first.
"""

from __future__ import annotations

import codecs
import importlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from monitor.model.errors import LaststepError

CHUNK = 4 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_GZIP_WINDOW = 31
"""zlib's word for "with a gzip header"."""
_ZSTD_PIECE = 512
_CUT = "its {} stream is cut or damaged; what stands before was read"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_MOST_CONTROLS = 0.03
"""Share of NUL and other control bytes in the first bytes above which a file is no text."""


class NotText(LaststepError):
    """A file that can't be read as text."""

    HELP_TEXT = "the rest was audited without it"


def text_chunks(path: Path) -> Iterator[bytes]:
    """The file in chunks of UTF-8. Raises `NotText`, also after some chunks."""
    with open_regular(path) as file:
        head = file.read(4096)
        file.seek(0)
        if head.startswith(_GZIP):
            yield from _encoded(_gunzipped(file))
        elif head.startswith(_ZSTD):
            yield from _encoded(_unzstded(file))
        else:
            yield from _encoded(_plain(file))


def open_regular(path: Path) -> Any:
    """The file, opened for reading; a pipe, a device or a socket is refused, never waited for. Raises `NotText`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotText(f"can't be read: {error.strerror}", "give this user the right to read it") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotText("is no regular file")
    return os.fdopen(descriptor, "rb")


def _plain(file: Any) -> Iterator[bytes]:
    while True:
        try:
            chunk = file.read(CHUNK)
        except OSError as error:
            raise NotText(f"can't be read to its end: {error.strerror}") from error
        if not chunk:
            return
        yield chunk


def _gunzipped(file: Any) -> Iterator[bytes]:
    """All members of a gzip file. Own loop: `gzip` gives nothing of the chunk in which a stream breaks off."""
    member, begun = zlib.decompressobj(_GZIP_WINDOW), False
    for packed in _plain(file):
        while packed:
            if member.eof:
                packed = packed.lstrip(b"\0")
                member, begun = zlib.decompressobj(_GZIP_WINDOW), False
                continue
            try:
                chunk = member.decompress(packed, CHUNK)
            except zlib.error as error:
                raise NotText(_CUT.format("gzip")) from error
            begun = True
            packed = member.unused_data if member.eof else member.unconsumed_tail
            if chunk:
                yield chunk
    if begun and not member.eof:
        raise NotText(_CUT.format("gzip"))


def _unzstded(file: Any) -> Iterator[bytes]:
    """All frames of a zstd file, fed in pieces so small that none can unpack to more than some 16 MiB."""
    new_frame, damaged = _zstd()
    frame, begun = new_frame(), False
    held = bytearray()
    try:
        for packed in _plain(file):
            for start in range(0, len(packed), _ZSTD_PIECE):
                piece = packed[start : start + _ZSTD_PIECE]
                while piece:
                    frame, begun = (new_frame(), True) if frame.eof else (frame, True)
                    held += frame.decompress(piece)
                    piece = frame.unused_data if frame.eof else b""
                if len(held) >= CHUNK:
                    yield bytes(held)
                    held.clear()
    except damaged as error:
        yield bytes(held)
        raise NotText(_CUT.format("zstd")) from error
    yield bytes(held)
    if begun and not frame.eof:
        raise NotText(_CUT.format("zstd"))


def _zstd() -> tuple[Callable[[], Any], type[Exception]]:
    """A maker of one-frame unpackers, and the error they raise. Raises `NotText` where the module isn't there."""
    try:
        module = importlib.import_module("zstandard")
    except ImportError:
        cure = "install `zstandard`, or unpack it: `zstd -d FILE`"
        raise NotText("is zstd, which this Python can't unpack", cure) from None
    return module.ZstdDecompressor().decompressobj, module.ZstdError


def _encoded(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """UTF-8 of the chunks. Raises `NotText` where the first one is no text."""
    decoder: codecs.IncrementalDecoder | None = None
    first = True
    for chunk in chunks:
        if first:
            first = False
            name = next((name for mark, name in _MARKS if chunk.startswith(mark)), None)
            if name is not None:
                decoder = codecs.getincrementaldecoder(name)("replace")
            elif looks_binary(chunk[:65536]):
                raise NotText("is binary, no log")
        yield decoder.decode(chunk).encode() if decoder is not None else chunk


def looks_binary(head: bytes) -> bool:
    """True where too many bytes are controls that no log holds (escape, tab and line ends are text)."""
    if not head:
        return False
    controls = sum(head.count(bytes([value])) for value in (*range(7), 14, 15, 16, 17, 18, 19, 20, 127))
    return controls / len(head) > _MOST_CONTROLS
