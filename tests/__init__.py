"""Tests mirror the tree: one property each, its name says the property."""
