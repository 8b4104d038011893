"""Real verl runs with faults to order, watched by several observers: `make test-real`."""
