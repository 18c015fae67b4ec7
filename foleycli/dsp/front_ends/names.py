"""What the front ends are called and what each is for; imports nothing: ``--help`` is quick."""

from __future__ import annotations

SUMMARIES = {
    "foleygan": "FoleyGAN: log magnitude and phase, 512 bins, 44.1 kHz",
    "foleygan-mel": "the same on 512 mel bands",
    "specvqgan": "SpecVQGAN: 80 mel bands, 10 s, cut or padded, 22.05 kHz",
    "specvqgan-dataset": "the same, short sound looped as in its data set",
    "specvqgan-codec": "the same, sound of any length",
    "melgan": "MelGAN: 80 mel bands from 0 Hz, log10, 22.05 kHz",
    "s2i": "Sound-to-Imagination: bytes, 128 mel bands, segments of 1 s",
    "sound2scene": "Sound2Scene: z-scored log power, 257 x 1004, 16 kHz",
    "gansynth": "GANSynth: log magnitude, instantaneous frequency, 16 kHz",
    "gansynth-mel": "the same on 1024 mel bands (IF-Mel)",
    "specgan": "SpecGAN: 128 bins, 16 kHz; needs --statistics or --fit",
    "stft": "FoleyGAN's Table IV: linear log magnitude and phase",
    "cqt": "Table IV: constant-Q transform, 9 octaves of 56 bins",
    "ms": "Table IV: mel amplitude, 512 bands",
    "mfcc": "Table IV: cepstrum of the log mel, 512 coefficients",
    "lms": "Table IV: log mel, 512 bands",
    "log-mel": "log mel, 128 bands, 44.1 kHz",
    "log-mel-mini": "what the shipped generator draws: log mel, 64 bands",
    "log-mel-tiny": "log mel, 32 bands, 11.025 kHz, for trying things",
}
