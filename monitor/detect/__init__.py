"""Pure rules: facts folded into a run's state, stalls, and hangs proved from snapshots. No I/O."""
