"""Checkpoints by name, path or run folder -> models ready to use, loaded once a process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foleycli.generation import SoundGenerator
    from foleycli.vision.recognition import Recogniser
    from foleycli.vision.timing import TimingModel


@cache
def sound_generator(name: str, device: str) -> SoundGenerator:
    """Load the network that draws spectrograms."""
    from foleycli.checkpoints import load_checkpoint
    from foleycli.generation import KIND, SoundGenerator

    return SoundGenerator.from_checkpoint(load_checkpoint(name, kind=KIND), device)


@cache
def recogniser(name: str) -> Recogniser:
    """Load the networks that see what sounds."""
    from foleycli.checkpoints import load_checkpoint
    from foleycli.vision.recognition import Recogniser

    checkpoint = load_checkpoint(name, kind="recognition")
    return Recogniser(checkpoint.config, checkpoint.tensors)


@cache
def timing_model(name: str) -> TimingModel:
    """Load the networks that see when it sounds."""
    from foleycli.checkpoints import load_checkpoint
    from foleycli.vision.timing import TimingModel

    checkpoint = load_checkpoint(name, kind="timing")
    return TimingModel(checkpoint.config, checkpoint.tensors)
