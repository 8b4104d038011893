"""The ledger: runs, phases, scores, findings, checkpoints and reruns on disk, and what a score may claim."""
