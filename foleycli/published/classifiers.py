"""SpecVQGAN's published classifiers: their sizes from shapes, and the classes they count.

Those are VAS's 8, or VGGSound's 309. Their numbers follow the names in alphabetical order, commas
and all. VGGSound's names are those of its table of clips (H. Chen et al. 2020, CC BY 4.0), its
misspelling among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from foleycli.models.melception import MelceptionConfig
from foleycli.models.vggishish import VggishishConfig

Shapes = Mapping[str, tuple[int, ...]]

VAS_CLASSES = ("baby", "cough", "dog", "drum", "fireworks", "gun", "hammer", "sneeze")


def melception_config(shapes: Shapes) -> MelceptionConfig:
    """Read a Melception's size off its shapes; raises ``LookupError`` where one is missing."""
    auxiliary = any(name.startswith("AuxLogits.") for name in shapes)
    scale = shapes["Conv2d_1a_3x3.conv.weight"][0] / 32
    return MelceptionConfig(shapes["fc.bias"][0], scale, auxiliary)


def vggishish_config(shapes: Shapes) -> VggishishConfig:
    """Read a VGGish-ish's size off its shapes; raises ``LookupError`` where one is missing."""
    return VggishishConfig(shapes["classifier.4.bias"][0], shapes["features.0.weight"][0] / 64)


@cache
def vggsound_classes() -> tuple[str, ...]:
    """Return VGGSound's 309 names in the order of their numbers."""
    text = resources.files("foleycli.published").joinpath("vggsound.txt").read_text("utf-8")
    return tuple(text.splitlines())


def class_names(count: int) -> tuple[str, ...]:
    """Name the classes of a network that counts so many; by numbers where it is another's."""
    known = {len(names): names for names in (VAS_CLASSES, vggsound_classes())}
    return known.get(count) or tuple(map(str, range(count)))
