"""No proof rests on a process having no connections, where what it has open could not be told."""

from __future__ import annotations

import pytest

from monitor.detect.judge import judge
from tests.detect import snapshots as made


@pytest.mark.parametrize("name", ["control-queue", "lost-wakeup"])
def test_a_server_whose_connections_are_not_known_is_not_proved_to_hang(name: str) -> None:
    samples = made.HANGS[name](hooks=True)
    assert judge(samples).findings
    hidden = made.changed(samples, made.ROLLOUT, descriptors_unknown="what it has open may not be looked at")
    assert not judge(hidden).findings
