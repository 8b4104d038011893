"""What can go wrong with a bundle, each as one sentence and its cure."""

from __future__ import annotations

from monitor.model.errors import ExitCode, LaststepError


class BundleError(LaststepError):
    """A bundle that can't be written or read."""

    exit_code = ExitCode.USAGE


class BundleNotWritten(BundleError):
    """No bundle: the disk is full, or the folder can't be written."""

    HELP_TEXT = "free space in the state directory, or set XDG_STATE_HOME to a folder with room; then `laststep dump`"


class NoBundle(BundleError):
    """There is no bundle at that path."""

    HELP_TEXT = "name the folder that a finding or `laststep dump` gave"


class BundleDamaged(BundleError):
    """A bundle that is cut, changed, hostile, or of a later version."""

    HELP_TEXT = "capture it again with `laststep dump`, or ask for the bundle as it was written"


class BundlesDiffer(BundleError):
    """Bundles that are not of one run."""

    HELP_TEXT = "join only bundles of the same run, one a node"
