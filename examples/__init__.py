"""Runs to try laststep on."""
