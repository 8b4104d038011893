"""The diagnosis on injected faults and on healthy but strange programs, and its peers on the same ones."""
