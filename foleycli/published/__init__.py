"""Checkpoints as their authors published them: read, recognised, and written in our layout."""
