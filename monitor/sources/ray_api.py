"""Ray's State API over HTTP: unfinished calls, actors, workers, jobs and nodes, each with a deadline.

Registers no driver. Lists are filtered by the server (`state != FINISHED`), since full lists cost seconds on a long
run. A partial answer is kept and noted in `notes`. Does not start, stop or change anything.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any, TypeVar

from monitor.model.reading import SourceError
from monitor.model.snapshot import RayActor, RayCall, RayGroup
from monitor.sources import ray_records
from monitor.sources.http_get import fetch, reason
from monitor.sources.ray_discovery import NoDashboard, RayCluster
from monitor.sources.ray_records import RayJob, RayNode, RayWorker

T = TypeVar("T")

LIMIT = 10_000
"""Most records Ray's State API gives in one answer."""
LARGEST_ANSWER = 256 << 20

__all__ = ["RayApi", "RayForbidden", "RayJob", "RayNode", "RayUnreachable", "RayWorker"]


class RayUnreachable(SourceError):
    """Ray's HTTP API does not answer."""

    HELP_TEXT = "if Ray is gone, so is the run: `laststep scores` shows what the ledger kept; if not, it is overloaded"


class RayForbidden(SourceError):
    """Ray refuses the token."""

    HELP_TEXT = "set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the token this Ray was started with"


class RayApi:
    """The State API of one cluster. Every call takes at most `timeout` seconds in all."""

    def __init__(self, cluster: RayCluster, timeout: float = 3.0) -> None:
        self.cluster = cluster
        self.timeout = timeout
        self.notes: dict[str, str] = {}
        """What was incomplete in the last answer, by listing; empty where nothing was."""

    def calls(self) -> tuple[RayCall, ...]:
        """Tasks and actor calls that have not finished and not failed."""
        unfinished = "&filter_keys=state&filter_predicates=!%3D&filter_values=FINISHED"
        calls = self._list("tasks", ray_records.call, unfinished)
        return tuple(call for call in calls if call.state not in ray_records.OVER)

    def actors(self) -> tuple[RayActor, ...]:
        """Actors of all jobs, dead ones too."""
        return self._list("actors", ray_records.actor)

    def workers(self) -> tuple[RayWorker, ...]:
        """Worker and driver processes that are alive."""
        return tuple(worker for worker in self._list("workers", ray_records.worker) if worker.alive)

    def jobs(self) -> tuple[RayJob, ...]:
        """Jobs, ended ones too."""
        return self._list("jobs", ray_records.job)

    def nodes(self) -> tuple[RayNode, ...]:
        """Nodes, dead ones too."""
        return self._list("nodes", ray_records.node)

    def groups(self) -> tuple[RayGroup, ...]:
        """Placement groups, removed ones too."""
        return self._list("placement_groups", ray_records.group)

    def version(self) -> str:
        """Ray's version, `2.60.0`."""
        return str(self._get("/api/version").get("ray_version", ""))

    def _list(self, what: str, parse: Callable[[dict[str, Any]], T], extra: str = "") -> tuple[T, ...]:
        result = self._get(f"/api/v0/{what}?detail=1&limit={LIMIT}{extra}").get("data", {}).get("result", {})
        rows = result.get("result") if isinstance(result, dict) else None
        if not isinstance(rows, list):
            raise RayUnreachable(f"Ray's HTTP API at {self.cluster.dashboard_url} gave no list of {what}")
        parsed, bad = ray_records.parse_all(rows, parse)
        self._note(what, result, bad)
        return parsed

    def _note(self, what: str, result: dict[str, Any], bad: int) -> None:
        notes = [str(result.get("partial_failure_warning") or "")]
        given = len(result["result"])
        for had, kept in (
            (result.get("total"), result.get("num_after_truncation")),
            (result.get("num_filtered"), given),
        ):
            if isinstance(had, int) and isinstance(kept, int) and had > kept:
                notes.append(f"only {kept} of {had} {what} seen")
        if bad:
            notes.append(f"{bad} records of {what} not understood")
        text = "; ".join(note.strip() for note in notes if note.strip())
        self.notes = {name: note for name, note in {**self.notes, what: text}.items() if note}

    def _get(self, path: str) -> dict[str, Any]:
        url = self.cluster.dashboard_url
        try:
            headers = {"Authorization": f"Bearer {self.cluster.token}"} if self.cluster.token else {}
            status, body = fetch(url, path, headers, self.timeout, LARGEST_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            raise RayUnreachable(f"Ray's HTTP API at {url} does not answer: {reason(error)}") from error
        if status in (401, 403):
            raise RayForbidden(f"Ray's HTTP API at {url} refuses {self._token_words()} (HTTP {status})")
        if status == 404:
            raise NoDashboard(f"{url} serves no State API (HTTP 404 for {path.partition('?')[0]})")
        try:
            document = json.loads(body)
        except ValueError as error:
            text = body[:200].decode("utf-8", "replace")
            raise RayUnreachable(f"Ray's HTTP API at {url} gave HTTP {status} and no JSON: {text!r}") from error
        if status != 200 or not isinstance(document, dict) or document.get("result") is False:
            message = document.get("msg") if isinstance(document, dict) else document
            raise RayUnreachable(f"Ray's HTTP API at {url} failed (HTTP {status}): {str(message)[:300]}")
        return document

    def _token_words(self) -> str:
        origin = self.cluster.token_from
        if self.cluster.token is None:
            return (
                f"a request without a token ({origin})" if origin else "a request without a token, and none was found"
            )
        return f"the token from {origin or 'the caller'}"
