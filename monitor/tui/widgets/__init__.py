"""The few widgets there are: a canvas of lines that repaints only what changed, and a one-line prompt."""
