"""Decoding, encoding and muxing: the only importer of av and soundfile."""
