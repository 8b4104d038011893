"""What a trainer's source does with the validation of its last step, by its syntax tree. Pure; nothing is executed.

Each loop body (or function without a loop) that calls a validation is walked as it would run on the last step:
conditions are true, false or unknown there (three-valued), a branch that can't be taken is left out, and what ends the
iteration ends the walk. Covers Python's syntax of the running interpreter. Does not cover validations called under a
name that the configuration doesn't list, or conditions hidden in another function: those stay unknown.
"""

from __future__ import annotations

import ast
import enum
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from monitor.settings import build, config_directory, load_yaml

LONGEST_SOURCE = 2_000_000
"""Characters; a longer file is no trainer."""


@dataclass(frozen=True)
class SourceWords:
    """Names and limits of `configs/audit/validation_source.yaml`."""

    validate_calls: tuple[str, ...]
    last_step_names: tuple[str, ...]
    step_counters: tuple[str, ...]
    step_totals: tuple[str, ...]
    frequencies: tuple[str, ...]
    suspect_words: str
    reverting_subject: str
    reverting_body: str
    touched: str
    files: tuple[str, ...]
    deadline_seconds: float
    most_commits: int
    most_versions: int


class Effect(str, enum.Enum):
    """What becomes of the last step's validation."""

    VALIDATES = "validates"
    SKIPS = "skips"
    """On the last step no path leads to a validation that other steps have."""
    ONLY_MULTIPLES = "only-multiples"
    """The last step is validated only where the frequency divides it."""
    ABSENT = "absent"
    """No validation is called anywhere."""
    UNKNOWN = "unknown"
    """It isn't Python that this interpreter reads."""


@dataclass(frozen=True)
class Place:
    """What one function does with the last step's validation."""

    function: str
    """`RayPPOTrainer.fit`."""
    effect: Effect
    line: int


@cache
def source_words() -> SourceWords:
    """The shipped words."""
    path = config_directory() / "audit" / "validation_source.yaml"
    return build(SourceWords, load_yaml(path), str(path))


def places(source: str, words: SourceWords | None = None) -> tuple[Place, ...]:
    """Each function of `source` that validates, with what it does on the last step; empty: none does."""
    words = words or source_words()
    if not any(name in source for name in words.validate_calls):
        return ()
    tree = _parsed(source)
    if tree is None:
        return (Place("?", Effect.UNKNOWN, 1),)
    found: list[Place] = []
    rows = source.splitlines()
    for name, function in _functions(tree, ""):
        own = "\n".join(rows[function.lineno - 1 : function.end_lineno])
        if not any(word in own for word in words.validate_calls):
            continue
        if function.name in words.validate_calls:
            found += _judged_validation(name, function, words)
        else:
            found += [_judged(name, block, words) for block in _units(function, words)]
    return tuple(found)


def effect_of(source: str, words: SourceWords | None = None) -> tuple[Effect, Place | None]:
    """The whole file: the worst of its functions, and that one."""
    known = places(source, words)
    for effect in (Effect.SKIPS, Effect.ONLY_MULTIPLES, Effect.UNKNOWN, Effect.VALIDATES):
        for place in known:
            if place.effect is effect:
                return effect, place
    return Effect.ABSENT, None


def _parsed(source: str) -> ast.Module | None:
    if len(source) > LONGEST_SOURCE:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield prefix + child.name, child
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def _inside(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes below, without nested functions and classes."""
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        yield node
        stack.extend(ast.iter_child_nodes(node))


def _calls_validation(nodes: Sequence[ast.AST], words: SourceWords) -> bool:
    return any(isinstance(node, ast.Call) and _last_name(node.func) in words.validate_calls for node in _inside(nodes))


def _units(function: ast.FunctionDef | ast.AsyncFunctionDef, words: SourceWords) -> Iterator[list[ast.stmt]]:
    """The innermost loop bodies that validate; without one, the function itself where it asks for the last step."""
    loops = [node for node in _inside(function.body) if isinstance(node, (ast.For, ast.AsyncFor, ast.While))]
    validating = [loop for loop in loops if _calls_validation(loop.body, words)]
    innermost = [
        loop
        for loop in validating
        if not any(other is not loop and other in set(_inside(loop.body)) for other in validating)
    ]
    if innermost:
        yield from (loop.body for loop in innermost)
    elif not loops and _calls_validation(function.body, words) and _asks_for_last_step(function.body, words):
        yield function.body


def _asks_for_last_step(nodes: Sequence[ast.AST], words: SourceWords) -> bool:
    return any(isinstance(node, ast.If) and _truth(node.test, words) is not None for node in _inside(nodes))


def _judged(name: str, block: list[ast.stmt], words: SourceWords) -> Place:
    walk = _Walk(words)
    walk.block(block)
    if not walk.validates:
        return Place(name, Effect.SKIPS, walk.culprit or block[0].lineno)
    if walk.only_multiples:
        return Place(name, Effect.ONLY_MULTIPLES, walk.only_multiples)
    return Place(name, Effect.VALIDATES, block[0].lineno)


def _judged_validation(
    name: str, function: ast.FunctionDef | ast.AsyncFunctionDef, words: SourceWords
) -> Iterator[Place]:
    """The validation itself: does it give up at its start on the last step?"""
    for statement in function.body:
        if isinstance(statement, ast.If) and _truth(statement.test, words) is True:
            ends = any(isinstance(node, ast.Return) for node in statement.body)
            yield Place(name, Effect.SKIPS if ends else Effect.VALIDATES, statement.lineno)


class _Walk:
    """One pass over a block as it would run on the last step."""

    def __init__(self, words: SourceWords) -> None:
        self._words = words
        self.validates = False
        self.culprit: int | None = None
        self.only_multiples: int | None = None

    def block(self, statements: Sequence[ast.stmt]) -> bool:
        """Walk `statements`; True where the iteration ends inside them for certain."""
        for statement in statements:
            if isinstance(statement, ast.If):
                if self._branch(statement):
                    return True
            elif isinstance(statement, (ast.With, ast.AsyncWith)):
                if self.block(statement.body):
                    return True
            elif isinstance(statement, ast.Try):
                self.block([*statement.body, *statement.orelse, *statement.finalbody])
            else:
                if _calls_validation([statement], self._words):
                    self.validates = True
                if isinstance(statement, (ast.Return, ast.Break, ast.Continue, ast.Raise)):
                    return True
        return False

    def _branch(self, statement: ast.If) -> bool:
        truth = _truth(statement.test, self._words)
        before = self.validates
        if truth is None:
            ended = [self.block(statement.body), bool(statement.orelse) and self.block(statement.orelse)]
            if self.validates and not before and self._on_frequency_alone(statement):
                self.only_multiples = statement.lineno
            return all(ended)
        taken, other = (statement.body, statement.orelse) if truth else (statement.orelse, statement.body)
        ended_here = self.block(taken)
        left_out = _calls_validation(other, self._words) and not _calls_validation(taken, self._words)
        if self.culprit is None and self.validates == before and (left_out or ended_here):
            self.culprit = statement.lineno
        return ended_here

    def _on_frequency_alone(self, statement: ast.If) -> bool:
        """The condition is `… % test_freq == 0` and doesn't ask for the last step."""
        names = {_last_name(node) for node in ast.walk(statement.test)}
        divides = any(
            isinstance(node, ast.BinOp)
            and isinstance(node.op, ast.Mod)
            and {_last_name(item) for item in ast.walk(node.right)} & set(self._words.frequencies)
            for node in ast.walk(statement.test)
        )
        return divides and not names & set(self._words.last_step_names)


def _truth(node: ast.expr, words: SourceWords) -> bool | None:
    """A condition's value on the last step, None where that depends on something else."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return True if _last_name(node) in words.last_step_names else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = _truth(node.operand, words)
        return None if inner is None else not inner
    if isinstance(node, ast.BoolOp):
        values = [_truth(item, words) for item in node.values]
        decisive = isinstance(node.op, ast.Or)
        if decisive in values:
            return decisive
        return None if None in values else not decisive
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _compared(node, words)
    return None


def _compared(node: ast.Compare, words: SourceWords) -> bool | None:
    if _last_name(node.left) not in words.step_counters or _last_name(node.comparators[0]) not in words.step_totals:
        return None
    if isinstance(node.ops[0], (ast.GtE, ast.Eq)):
        return True
    return False if isinstance(node.ops[0], (ast.Lt, ast.NotEq)) else None


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
