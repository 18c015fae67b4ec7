"""File formats that commands share; numpy and the standard library only."""
