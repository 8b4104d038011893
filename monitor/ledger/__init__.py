"""The ledger: what is kept of every run (runs, phases, scores, findings, checkpoints, reruns), and what a score may claim."""
