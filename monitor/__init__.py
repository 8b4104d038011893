"""laststep's monitor: watches a reinforcement-learning run on Ray from outside, proves hangs, keeps the ledger."""

__version__ = "0.1.0"
