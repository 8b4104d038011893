"""Snapshots of a live run, bundles of them on disk, and replay."""
