"""Poll, merge, detect, store: the loop body of the watch. One engine an attached run; `tick` once a second."""

from monitor.engine.engine import Engine

__all__ = ["Engine"]
