"""Sound -> picture: Sound-to-Imagination and Sound2Scene, their controls, and what is drawn."""
