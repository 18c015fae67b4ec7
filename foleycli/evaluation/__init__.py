"""Files in, figures out: sets of sounds or pictures are measured, compared and reported on."""
