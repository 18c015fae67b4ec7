"""The classes that SpecVQGAN's published networks count: VAS's 8, or VGGSound's 309.

Their numbers follow the names in alphabetical order, commas and all. VGGSound's names are those of
its table of clips (H. Chen et al. 2020, CC BY 4.0), its misspelling among them.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

VAS_CLASSES = ("baby", "cough", "dog", "drum", "fireworks", "gun", "hammer", "sneeze")


@cache
def vggsound_classes() -> tuple[str, ...]:
    """Return VGGSound's 309 names in the order of their numbers."""
    text = resources.files("foleycli.published").joinpath("vggsound.txt").read_text("utf-8")
    return tuple(text.splitlines())


def class_names(count: int) -> tuple[str, ...]:
    """Name the classes of a network that counts so many; by numbers where it is another's."""
    known = {len(names): names for names in (VAS_CLASSES, vggsound_classes())}
    return known.get(count) or tuple(map(str, range(count)))
