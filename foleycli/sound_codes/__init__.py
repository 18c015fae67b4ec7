"""SpecVQGAN's sounds as codes: to and from sound, drawn for a picture, and ranked."""
