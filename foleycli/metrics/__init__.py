"""How good generated sounds and pictures are: pure functions of arrays, one file per metric."""
