"""vLLM's counts of requests, from a real server of the test's own that answers well, badly, slowly or not at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from monitor import settings
from monitor.model.reading import Reading
from monitor.model.run import EngineRequests
from monitor.sources.vllm_metrics import VllmMetrics, parse_metrics
from tests.sources.http_stub import Answer, dashboard, send

METRICS = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="policy"} 12.0
vllm:num_requests_running{engine="1",model_name="policy"} 3.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="policy"} 1.0e+02
vllm:num_requests_waiting{engine="1",model_name="policy"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="policy",reason="capacity"} 7.0
vllm:kv_cache_usage_perc{engine="0",model_name="policy"} 0.5
"""


def _settled(metrics: VllmMetrics, wanted: Callable[[Reading[tuple[EngineRequests, ...]]], object]) -> object:
    """What `wanted` gives of the first reading of which it gives something."""
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        found = wanted(metrics.poll(100.0))
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("no such reading")


def _failure(answer: Answer, timeout: float = 5.0) -> str:
    with dashboard(answer) as server:
        metrics = VllmMetrics([f"{server.dashboard_url}/metrics"], timeout)
        return str(_settled(metrics, lambda reading: reading.unknown and reading.unknown.because))


def test_running_and_waiting_are_read_of_each_engine() -> None:
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        send(handler, 200, METRICS)

    with dashboard(answer) as server:
        where = server.dashboard_url.removeprefix("http://")
        rows = _settled(VllmMetrics([f"{server.dashboard_url}/metrics"], 5.0), lambda reading: reading.value)
    assert rows == (EngineRequests(f"{where} engine 0", 12, 100), EngineRequests(f"{where} engine 1", 3, 0))
    assert set(asked) == {"/metrics"}


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, b"# nothing of vLLM\nray_tasks 3\n", "HTTP 200 and no count of requests"),
        (200, b'vllm:num_requests_running{engine="0"} NaN\n', "no count of requests"),
        (404, b"Not Found", "HTTP 404 and no metrics"),
    ],
)
def test_an_answer_without_the_counts_is_unknown_and_never_zero(status: int, body: bytes, words: str) -> None:
    assert words in _failure(lambda handler: send(handler, status, body))


def test_a_server_that_never_answers_holds_up_no_poll_and_is_told() -> None:
    release = threading.Event()
    with dashboard(lambda handler: (release.wait(60), None)[1]) as server:
        metrics = VllmMetrics([f"{server.dashboard_url}/metrics"], 0.3)
        assert metrics.poll(100.0) == Reading(100.0), "asked, and not waited for"
        because = _settled(metrics, lambda reading: reading.unknown and reading.unknown.because)
        release.set()
    assert "does not answer" in str(because) or "gave no answer" in str(because)


def test_a_server_that_is_gone_is_unknown_since_then_and_comes_back() -> None:
    up = {"now": True}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        send(handler, 200 if up["now"] else 503, METRICS if up["now"] else b"")

    with dashboard(answer) as server:
        metrics = VllmMetrics([f"{server.dashboard_url}/metrics"], 5.0)
        _settled(metrics, lambda reading: reading.value)
        up["now"] = False
        unknown = _settled(metrics, lambda reading: reading.unknown)
        assert getattr(unknown, "since", None) == 100.0 and "disable_log_stats" in getattr(unknown, "cure", "")
        up["now"] = True
        assert _settled(metrics, lambda reading: reading.value)


def test_an_engine_with_one_of_its_two_counts_is_left_out() -> None:
    assert parse_metrics('vllm:num_requests_running{engine="0"} 3.0\n', "here") == ()
    assert parse_metrics("vllm:num_requests_running 3\nvllm:num_requests_waiting 0\n", "here") == (
        EngineRequests("here engine 0", 3, 0),
    )


@pytest.mark.parametrize("url", ["localhost:8000", "http://", "http://h:port/metrics", "ftp://h/metrics"])
def test_what_is_no_address_is_refused_with_an_example(tmp_path: Path, url: str) -> None:
    own = tmp_path / "monitor.yaml"
    own.write_text(f"vllm_metrics_urls: '{url}'\n")
    with pytest.raises(settings.BadConfig, match="is no address") as refusal:
        settings.load(own)
    assert "http://127.0.0.1:8000/metrics" in refusal.value.HELP_TEXT
