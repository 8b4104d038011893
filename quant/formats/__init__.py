"""The 4-bit formats: grids, scales and rounding, one definition each."""
