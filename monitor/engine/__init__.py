"""Poll, merge, detect, store: the loop body of the watch. One engine an attached run; `tick` once a second."""
