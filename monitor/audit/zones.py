"""Times that a log writes without a zone, made UTC: by the log's own zone, a given one, or that of the repository.

Nothing is guessed: without any of these the start stays as it is written and no window is judged by it.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from dataclasses import dataclass

from monitor.model.errors import LaststepError

_OFFSET = re.compile(r"^(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)$")


class BadZone(LaststepError):
    """A zone that isn't one."""

    HELP_TEXT = "give an offset (`--zone +0800`), `UTC`, or a name (`--zone Asia/Shanghai`)"


@dataclass(frozen=True)
class Zone:
    """The zone of logs that name none. `info` None: not known."""

    info: datetime.tzinfo | None = None
    words: str = ""
    """Where it is from: `+0800 (given)`."""

    def resolve(self, written: str | None, known_at: float | None) -> tuple[float | None, str | None]:
        """Seconds since the epoch of a start, and in words how its zone was known (None: it was UTC already)."""
        if written is None:
            return known_at, None
        day, clock, own = [*written.split(), "", "", ""][:3]
        try:
            moment = datetime.datetime.fromisoformat(f"{day} {clock}")
        except ValueError:
            return known_at, None
        if own:
            return _stamp(moment, parse_zone(own)), f"{own} (written in the log)"
        if self.info is None:
            return known_at, None
        return _stamp(moment, self.info), self.words


def _stamp(moment: datetime.datetime, info: datetime.tzinfo) -> float | None:
    try:
        return moment.replace(tzinfo=info).timestamp()
    except (OverflowError, ValueError):
        return None


def parse_zone(text: str) -> datetime.tzinfo:
    """`+0800`, `+08:00`, `Z`, `UTC` or an IANA name. Raises `BadZone`."""
    if text in ("Z", "UTC", "utc"):
        return datetime.timezone.utc
    match = _OFFSET.match(text)
    if match is not None:
        minutes = int(match["hours"]) * 60 + int(match["minutes"])
        if minutes < 24 * 60:
            return datetime.timezone(datetime.timedelta(minutes=-minutes if match["sign"] == "-" else minutes))
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadZone(f"`{text}` is no zone") from error


def zone_of_offset(minutes: int | None) -> Zone:
    """The zone of a repository's commits, minutes east of UTC; of None, the unknown one."""
    if minutes is None:
        return Zone()
    sign, hours = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    info = datetime.timezone(datetime.timedelta(minutes=minutes))
    return Zone(info, f"{sign}{hours[0]:02d}{hours[1]:02d} (of the repository's commits)")
