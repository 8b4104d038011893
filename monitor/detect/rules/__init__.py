"""One hang class a file: a pure rule from a judged stretch to findings."""
