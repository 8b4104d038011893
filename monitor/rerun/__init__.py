"""Filling a missing or wrong score from a checkpoint: plan, preflight, launch, verify, record.

A rerun is a detached process of its own with a Ray of its own. It reads the run's files, writes only its own folder
under the state directory, and never signals, joins or slows down the live run's processes.
"""
