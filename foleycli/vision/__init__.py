"""Frames -> features -> class and action series."""
