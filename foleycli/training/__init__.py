"""Data, losses, loop; one recipe file per system."""
