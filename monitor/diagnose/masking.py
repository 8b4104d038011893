"""Secrets out of bundles: values of telling names, tokens of known forms, credentials in URLs and in key material.

Pure. Errs on the side of masking in text; ids of Ray (hex) and numbers stay, since a bundle must replay to the same
verdict. Names of things are kept, their values are not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

MASK = "[masked]"

_SECRET_WORDS = (
    r"(?:token|secret|passwd|password|passphrase|api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?key|private[_-]?key|"
    r"credentials?|authorization|auth[_-]?key|session[_-]?key|cookie)"
)
_SECRET_NAME = re.compile(rf"(?i)(?:^|[_\-.\s]|(?<=[a-z])(?=[A-Z])){_SECRET_WORDS}$")
_ASSIGNED = re.compile(
    rf"(?i)(?P<name>[\"']?[\w.\-]*{_SECRET_WORDS}[\"']?)(?P<between>\s*[=:]\s*|\s+)(?P<quote>[\"']?)"
    rf"(?P<value>[^\s\"',;)}}\]]+)"
)
_FLAG = re.compile(r"(?:^|\s)-{1,2}$")
_FORMS = tuple(
    re.compile(form)
    for form in (
        r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=\-]{8,}",
        r"\bhf_[A-Za-z0-9]{16,}",
        r"\b(?:sk|pk|rk)-[A-Za-z0-9_\-]{16,}",
        r"\bgh[pousr]_[A-Za-z0-9]{20,}",
        r"\bgithub_pat_[A-Za-z0-9_]{20,}",
        r"\bglpat-[A-Za-z0-9_\-]{16,}",
        r"\bxox[abprs]-[A-Za-z0-9\-]{10,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_\-]{30,}",
        r"\beyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]*",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    )
)
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*://)[^/\s:@]*(?::[^/\s@]*)?@")
_QUERY = re.compile(rf"(?i)(?P<name>[?&][\w\-]*(?:{_SECRET_WORDS}|signature|sig|key)=)[^&\s\"'#]+")
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?%?$", re.IGNORECASE)
_PLAIN = frozenset({"none", "null", "true", "false", "***", "is", "was", "not", "for", "of", "from", "and", "or", "in"})


REMEMBERED, REMEMBERED_CHARACTERS = 4096, 400
"""A thousand asyncio tasks stand at the same few lines: their names are masked once."""


def is_secret_name(name: str) -> bool:
    """The name of a field, variable or flag whose value is not to be shown."""
    return bool(_SECRET_NAME.search(name))


def masked_text(text: str) -> str:
    """`text` without the secrets that can be told by their form or by the name before them."""
    if len(text) < 8:
        return text
    return _masked_short(text) if len(text) <= REMEMBERED_CHARACTERS else _masked(text)


@lru_cache(maxsize=REMEMBERED)
def _masked_short(text: str) -> str:
    return _masked(text)


def _masked(text: str) -> str:
    for form in _FORMS:
        text = form.sub(MASK, text)
    text = _URL.sub(rf"\g<scheme>{MASK}@", text)
    text = _QUERY.sub(rf"\g<name>{MASK}", text)
    return _ASSIGNED.sub(_masked_assignment, text)


def _masked_assignment(match: re.Match[str]) -> str:
    value, between = match["value"], match["between"]
    said = not between.strip()
    if said and not match["name"].lstrip("\"'").startswith("-"):
        # Words after a telling word, as in `token is missing`: only an assignment or a flag gives a value.
        return match[0]
    if _NUMBER.match(value) or value.lower() in _PLAIN or value.startswith(MASK[:4]):
        return match[0]
    return f"{match['name']}{between}{match['quote']}{MASK}"


def masked(document: Any, name: str = "") -> Any:
    """A JSON document with every string masked, and whole values where their key is a telling one."""
    if isinstance(document, dict):
        return {key: masked(value, str(key)) for key, value in document.items()}
    if isinstance(document, (list, tuple)):
        return [masked(value, name) for value in document]
    if isinstance(document, str):
        return MASK if document and name and is_secret_name(name) else masked_text(document)
    return document


def printable(text: str) -> str:
    """`text` without control characters, line breaks and tabs kept: terminals and Markdown get nothing to obey."""
    return "".join(letter if letter in "\n\t" or (letter.isprintable() or letter == " ") else "�" for letter in text)
