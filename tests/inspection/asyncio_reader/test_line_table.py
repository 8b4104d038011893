"""Lines decoded from a table are those that Python itself gives; hostile tables give 0 and end."""

from __future__ import annotations

import sys
from types import CodeType

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.inspection.asyncio_reader import line_table
from monitor.inspection.asyncio_reader.line_table import line_of
from tests.inspection.asyncio_reader import target


def _codes(code: CodeType) -> list[CodeType]:
    inner = [held for held in code.co_consts if isinstance(held, CodeType)]
    return [code, *(found for held in inner for found in _codes(held))]


def test_every_instruction_of_real_modules_has_the_line_that_python_gives() -> None:
    seen = 0
    for file in (target.__file__, line_table.__file__, st.__file__):
        with open(file, encoding="utf-8") as source:
            module = compile(source.read(), file, "exec")
        for code in _codes(module):
            for start, end, line in code.co_lines():
                for instruction in range(start, end, 2):
                    told = line_of(sys.version_info[1], code.co_linetable, code.co_firstlineno, instruction)
                    assert told == (line or 0)
                    seen += 1
    assert seen > 1000


def test_a_frame_that_has_not_begun_stands_at_its_first_line() -> None:
    assert line_of(10, b"", 7, -2) == line_of(11, b"", 7, -2) == 7


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([10, 11, 12, 13]), st.binary(max_size=400), st.integers(-4, 1 << 20))
def test_any_table_gives_an_integer(minor: int, table: bytes, instruction: int) -> None:
    assert isinstance(line_of(minor, table, 1, instruction), int)
