"""Which real recording each generated sample belongs to, by the stems of their names.

A stem is a file name without folder and suffix. Several samples of one clip are told apart by what
follows ``_sample_``: ``dog_12_sample_0`` and ``dog_12_sample_1`` belong to ``dog_12`` (SpecVQGAN's
convention).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_SAMPLE = re.compile(r"_sample_[^_]*$")
_NAMED = 5  # stems that an error lists


@dataclass(frozen=True)
class Pairing:
    """Indices of what belongs together, ordered by stem.

    Attributes
    ----------
    real, generated : tuple of int
        Positions in the two lists; one entry a generated sample that has a recording.
    without_generated, without_real : tuple of str
        Stems left over: real ones of which nothing was generated, generated ones of nothing real.
    """

    real: tuple[int, ...]
    generated: tuple[int, ...]
    without_generated: tuple[str, ...]
    without_real: tuple[str, ...]


def pair_key(stem: str) -> str:
    """Name the clip that a generated sample belongs to: its stem before ``_sample_``."""
    return _SAMPLE.sub("", stem)


def pair_stems(
    real: Sequence[str], generated: Sequence[str], *, allow_unpaired: bool = False
) -> Pairing:
    """Pair generated samples with real recordings.

    Raises
    ------
    ValueError
        When a stem is there twice, when stems are left over and ``allow_unpaired`` is not set, or
        when nothing pairs.
    """
    for side, stems in (("real", real), ("generated", generated)):
        repeated = sorted(stem for stem, times in Counter(stems).items() if times > 1)
        if repeated:
            raise ValueError(f"several {side} files share a stem: {_some(repeated)}")
    position = {stem: index for index, stem in enumerate(real)}
    keys = [stem if stem in position else pair_key(stem) for stem in generated]
    order = sorted((i for i, key in enumerate(keys) if key in position), key=generated.__getitem__)
    without_real = sorted(s for s, key in zip(generated, keys, strict=True) if key not in position)
    without_generated = sorted(position.keys() - set(keys))
    if not order:
        raise ValueError(f"no generated sample has a real recording: {_some(without_real)}")
    if not allow_unpaired and (without_real or without_generated):
        sides = (
            ("generated without real", without_real),
            ("real without generated", without_generated),
        )
        left = "; ".join(f"{title}: {_some(stems)}" for title, stems in sides if stems)
        raise ValueError(f"unpaired files: {left}")
    return Pairing(
        tuple(position[keys[i]] for i in order),
        tuple(order),
        tuple(without_generated),
        tuple(without_real),
    )


def _some(stems: Sequence[str]) -> str:
    more = f" and {len(stems) - _NAMED} more" if len(stems) > _NAMED else ""
    return ", ".join(stems[:_NAMED]) + more
