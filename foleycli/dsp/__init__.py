"""Waveform <-> spectrogram; arrays in, arrays out; no files, no networks."""
