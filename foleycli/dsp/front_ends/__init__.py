"""Front ends by name: every way in which the papers turn sound into arrays."""
