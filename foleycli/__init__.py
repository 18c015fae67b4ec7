"""foley: silent video to synchronised sound, and back, as composable commands."""

__version__ = "0.1.0"
