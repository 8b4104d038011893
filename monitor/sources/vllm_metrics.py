"""Requests running and waiting in vLLM's engines, from the Prometheus endpoints that a setting or a profile names.

Each endpoint is asked in a thread of its own with a deadline, so that one that hangs costs no tick of the watch. A
reading is fresh, or unknown with since when and why. Counts are no progress: an engine may count requests that it never
finishes. Reads vLLM's `/metrics` alone (vllm/v1/metrics/loggers.py), whose names start with `vllm:`.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

from monitor.model.reading import Reading, Unknown
from monitor.model.run import EngineRequests
from monitor.sources.http_get import fetch, reason

WHAT = "vllm metrics"
LARGEST_ANSWER = 16 << 20
CURE = (
    "the engine serves them only with `disable_log_stats=False`, and its port may differ at each start: set "
    "`vllm_metrics_urls` to the address, or leave it empty"
)
_SAMPLE = re.compile(
    r"^vllm:num_requests_(?P<what>running|waiting)(?:\{(?P<labels>[^}]*)\})?\s+(?P<value>[0-9.eE+]+)(?:\s|$)"
)
_ENGINE = re.compile(r'(?:^|,)\s*engine="(?P<engine>[^"]*)"')


def parse_metrics(text: str, where: str) -> tuple[EngineRequests, ...]:
    """Each engine with both of its counts, over all models, in the order of the engines' numbers."""
    counts: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        if match is None:
            continue
        engine = _ENGINE.search(match["labels"] or "")
        known = counts.setdefault(engine["engine"] if engine else "0", {})
        try:
            known[match["what"]] = known.get(match["what"], 0) + int(float(match["value"]))
        except (ValueError, OverflowError):
            continue
    return tuple(
        EngineRequests(f"{where} engine {engine}", known["running"], known["waiting"])
        for engine, known in sorted(counts.items(), key=lambda item: (len(item[0]), item[0]))
        if len(known) == 2
    )


class VllmMetrics:
    """Asks every endpoint, one thread each while it is asked."""

    def __init__(self, urls: Iterable[str], timeout: float) -> None:
        self._endpoints = [_Endpoint(url, timeout) for url in urls]
        self._since: float | None = None

    def poll(self, now: float) -> Reading[tuple[EngineRequests, ...]]:
        """What the endpoints last answered; unknown where one of them doesn't. Waits for none of them."""
        for endpoint in self._endpoints:
            endpoint.ask(now)
        failures = [endpoint.failure for endpoint in self._endpoints if endpoint.failure]
        if failures:
            self._since = now if self._since is None else self._since
            return Reading(now, unknown=Unknown(WHAT, self._since, "; ".join(failures), CURE))
        self._since = None
        times = [endpoint.answered_at for endpoint in self._endpoints]
        answered = [at for at in times if at is not None]
        if len(answered) < len(times):
            return Reading(now)
        return Reading(min(answered, default=now), tuple(row for e in self._endpoints for row in e.rows))


class _Endpoint:
    """One address: its last answer, or why there is none."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._where = urlsplit(url).netloc
        self._thread: threading.Thread | None = None
        self._asked = 0.0
        self.rows: tuple[EngineRequests, ...] = ()
        self.answered_at: float | None = None
        self.failure = ""

    def ask(self, now: float) -> None:
        """Start asking, unless the last question is still under way."""
        if self._thread is not None and self._thread.is_alive():
            if time.monotonic() - self._asked > 2 * self._timeout:
                self.failure = f"{self._url} gave no answer within {self._timeout:g} s"
            return
        self._asked = time.monotonic()
        self._thread = threading.Thread(target=self._take, args=(now,), name=f"vllm metrics {self._where}", daemon=True)
        self._thread.start()

    def _take(self, now: float) -> None:
        try:
            status, body = fetch(self._url, "", {}, self._timeout, LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            self.failure = f"{self._url} does not answer: {reason(error)}"
            return
        rows = parse_metrics(body.decode("utf-8", "replace"), self._where) if status == 200 else ()
        if not rows:
            what = "and no count of requests" if status == 200 else "and no metrics"
            self.failure = f"{self._url} gave HTTP {status} {what}"
            return
        self.rows, self.answered_at, self.failure = rows, now, ""
