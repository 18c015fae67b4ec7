"""One file per network: a frozen config and an nn.Module; no files, no training."""
