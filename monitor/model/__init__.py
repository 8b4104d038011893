"""What crosses a boundary between parts of the monitor: frozen dataclasses, no I/O, no behaviour beyond derivation."""
