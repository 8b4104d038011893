"""Faults injected into small real programs, and the harness that watches them."""
