"""What is measured, each by one command; the figures with date and command are kept in RESULTS.md."""
