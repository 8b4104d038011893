"""What laststep puts into training processes: standard library only, never raises into the trainer, never blocks it."""
