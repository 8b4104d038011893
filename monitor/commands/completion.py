"""`laststep completion SHELL`: a completion script for bash, zsh or fish, made from the calls' own parsers.

Calls, options and fixed choices are written into the script; runs are asked of the ledger when Tab is pressed.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.model.errors import LaststepError

SHELLS = ("bash", "zsh", "fish")
RUNS_SHOWN = 50

HOW = """how: bash  laststep completion bash > ~/.local/share/bash-completion/completions/laststep
     zsh   laststep completion zsh > "${fpath[1]}/_laststep"
     fish  laststep completion fish > ~/.config/fish/completions/laststep.fish"""


@dataclass(frozen=True)
class Call:
    """What can follow one call's name. `takes`: `runs`, `files`, `choices` or nothing."""

    name: str
    summary: str
    options: tuple[tuple[str, str], ...]
    """Each with its help."""
    takes: str
    choices: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words of `completion`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = HOW
    parser.add_argument("shell", choices=[*SHELLS, "runs"], metavar="SHELL", help="bash, zsh or fish")


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    if arguments.shell == "runs":
        # What the scripts call: names, one a line; a shell that asks for words gets no errors in between.
        with contextlib.suppress(LaststepError):
            print("\n".join(run_names()))
        return 0
    top = arguments.whole_parser
    calls = [*calls_of(top)]
    shown = {"bash": bash, "zsh": zsh, "fish": fish}[arguments.shell]
    print("\n".join(shown(calls, options_of(top))))
    return 0


def run_names() -> list[str]:
    """The newest runs of the ledger."""
    from monitor.ledger.store import Ledger

    with Ledger.open(read_only=True, say=lambda sentence: None) as ledger:
        return [summary.name for summary in ledger.runs(limit=RUNS_SHOWN)]


def calls_of(top: argparse.ArgumentParser) -> Iterator[Call]:
    """Every call of the command, read from argparse's own records."""
    (group,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    summaries = {action.dest: action.help or "" for action in group._choices_actions}
    for name, parser in group.choices.items():
        positionals = [action for action in parser._actions if not action.option_strings]
        fixed = tuple(str(choice) for action in positionals for choice in action.choices or () if choice != "runs")
        metavars = {str(action.metavar or action.dest) for action in positionals}
        takes = "choices" if fixed else "runs" if "RUN" in metavars else "files" if metavars else ""
        yield Call(name, unquoted(summaries[name]), options_of(parser), takes, fixed)


def options_of(parser: argparse.ArgumentParser) -> tuple[tuple[str, str], ...]:
    """The long options of a parser with their help."""
    found = []
    for action in parser._actions:
        longs = [option for option in action.option_strings if option.startswith("--")]
        text = "" if action.help in (None, argparse.SUPPRESS) else str(action.help)
        found += [(option, unquoted(text)) for option in longs]
    return tuple(found)


def unquoted(text: str) -> str:
    """A help text that can stand between a shell's single quotes."""
    return text.replace("'", "’").replace("%%", "%").replace("\n", " ")


def words_of(call: Call) -> str:
    """The fixed words that can follow a call."""
    return " ".join([*(option for option, _ in call.options), *call.choices])


def bash(calls: list[Call], top: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """For bash 4 and later, without the bash-completion package."""
    names = " ".join(call.name for call in calls)
    yield "# laststep completion for bash"
    yield "_laststep() {"
    yield "  local current=${COMP_WORDS[COMP_CWORD]} word call= words= more="
    yield '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do'
    yield f"    case $word in {names.replace(' ', '|')}) call=$word; break;; esac"
    yield "  done"
    yield "  case $call in"
    yield f"    '') words='{names} {' '.join(option for option, _ in top)}';;"
    for call in calls:
        more = call.takes if call.takes in ("runs", "files") else ""
        yield f"    {call.name}) words='{words_of(call)}'; more={more};;"
    yield "  esac"
    yield '  [ "${COMP_WORDS[COMP_CWORD-1]}" = --run ] && more=runs'
    yield '  if [ "$more" = runs ] && [[ $current != -* ]]; then'
    yield '    words="$words $(laststep completion runs 2>/dev/null)"'
    yield "  fi"
    yield '  COMPREPLY=($(compgen -W "$words" -- "$current"))'
    yield '  if [ ${#COMPREPLY[@]} -eq 0 ] && [[ $current != -* ]]; then COMPREPLY=($(compgen -f -- "$current")); fi'
    yield "}"
    yield "complete -o filenames -F _laststep laststep"


def zsh(calls: list[Call], top: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """For zsh: as a file `_laststep` in a folder of `fpath`, or by `source` after `compinit`."""
    yield "#compdef laststep"
    yield "_laststep() {"
    yield "  local call='' word; local -a words_here"
    yield "  for word in ${words[2,CURRENT-1]}; do"
    yield f"    case $word in {'|'.join(call.name for call in calls)}) call=$word; break;; esac"
    yield "  done"
    yield "  case $call in"
    yield "    '') words_here=("
    for name, text in (*((call.name, call.summary) for call in calls), *top):
        yield f"      '{_colons(name)}:{_colons(text)}'"
    yield "    );;"
    for call in calls:
        yield f"    {call.name}) words_here=("
        for name, text in (*call.options, *((choice, "") for choice in call.choices)):
            yield f"      '{_colons(name)}:{_colons(text)}'"
        yield "    )"
        if call.takes == "runs":
            yield '    words_here+=(${(f)"$(laststep completion runs 2>/dev/null)"})'
        yield "    ;;" if call.takes != "files" else "    _files;;"
    yield "  esac"
    yield "  _describe laststep words_here"
    yield "}"
    yield 'if [ "$funcstack[1]" = _laststep ]; then _laststep "$@"; else compdef _laststep laststep; fi'


def _colons(text: str) -> str:
    return text.replace(":", "\\:")


def fish(calls: list[Call], top: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """For fish 3 and later."""
    names = " ".join(call.name for call in calls)
    yield "# laststep completion for fish"
    yield "complete -c laststep -f"
    for call in calls:
        yield f"complete -c laststep -n 'not __fish_seen_subcommand_from {names}' -a {call.name} -d '{call.summary}'"
    for option, text in top:
        yield f"complete -c laststep -n 'not __fish_seen_subcommand_from {names}' -l {option[2:]} -d '{text}'"
    for call in calls:
        here = f"complete -c laststep -n '__fish_seen_subcommand_from {call.name}'"
        for option, text in call.options:
            yield f"{here} -l {option[2:]} -d '{text}'"
        for choice in call.choices:
            yield f"{here} -a '{choice}'"
        if call.takes == "runs":
            yield f"{here} -a '(laststep completion runs 2>/dev/null)'"
        elif call.takes == "files":
            yield f"{here} -F"
