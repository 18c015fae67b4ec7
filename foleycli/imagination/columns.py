"""One sound and its controls -> the latents of a row of pictures.

A control with several values, or every second of the sound, spans the columns; the rest applies to
all of them. Only one may span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foleycli.imagination import controls as formulas

if TYPE_CHECKING:  # a command checks its options before it loads torch
    from foleycli.imagination.systems import System

MIXED_S = 10.0  # to which all sounds are repeated before they are mixed
_TOLD_S = 0.1  # less of a sound may be left out without a word

Sound = NDArray[np.float32]
Latent = NDArray[np.float32]


@dataclass(frozen=True)
class Controls:
    """What is done to a sound and to its latent; nothing by default.

    Attributes
    ----------
    gains_db : tuple of float
    mix_gains_db : tuple of float
        Of each other sound in the mix.
    mix_norm : {"none", "peak", "rms"}
        See :func:`foleycli.imagination.controls.levelled`.
    mix_weights : tuple of float
        Of the one other sound, in [0, 1]; the sound itself has what is left of 1.
    interpolation : tuple of float
        Places t on the way from the sound's latent to the target's.
    slerp : bool
        On the arc instead of the chord.
    image_weights : tuple of float
        In [0, 1]; 0 is the sound alone.
    edit_gains_db : (float, float) or None
        Of the two versions of the sound whose difference moves a photograph's latent.
    edit_strengths : tuple of float
    per_second : bool
    second : int or None
        Hear this one alone, from 0.
    reference_db : float or None
        See :meth:`foleycli.imagination.systems.S2iSystem.hear`.
    """

    gains_db: tuple[float, ...] = ()
    mix_gains_db: tuple[float, ...] = ()
    mix_norm: str = "none"
    mix_weights: tuple[float, ...] = ()
    interpolation: tuple[float, ...] = ()
    slerp: bool = False
    image_weights: tuple[float, ...] = ()
    edit_gains_db: tuple[float, float] | None = None
    edit_strengths: tuple[float, ...] = (1.0,)
    per_second: bool = False
    second: int | None = None
    reference_db: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError when controls exclude each other, or a value is out of range."""
        latents = {
            "an interpolation": self.interpolation,
            "a picture": self.image_weights,
            "an edit": self.edit_gains_db,
        }
        if sum(map(bool, latents.values())) > 1:
            raise ValueError(f"{' and '.join(n for n, v in latents.items() if v)}: give one")
        if self.edit_gains_db and (self.gains_db or self.mix_weights or self.per_second):
            raise ValueError("an edit has gains of its own, and hears one sound as a whole")
        lists = {
            "gains": self.gains_db,
            "mix weights": self.mix_weights,
            "steps of an interpolation": self.interpolation,
            "image weights": self.image_weights,
            "edit strengths": self.edit_strengths,
        }
        spanning = [name for name, values in lists.items() if len(values) > 1]
        spanning += ["seconds"] * self.per_second
        if len(spanning) > 1:
            raise ValueError(
                f"{' and '.join(spanning)} would each span the columns; give one of them several "
                "values"
            )
        for name in ("mix weights", "image weights"):
            if any(not 0 <= weight <= 1 for weight in lists[name]):
                raise ValueError(f"{name} {lists[name]}: give values from 0 to 1")
        if self.reference_db is not None and not np.isfinite(self.reference_db):
            raise ValueError(f"reference level {self.reference_db}: give a number of dB")
        if self.mix_weights and len(self.mix_gains_db) != 1:
            raise ValueError(
                f"a sweep goes to one other sound; {len(self.mix_gains_db)} are given to mix"
            )


@dataclass(frozen=True)
class Heard:
    """A row of latents and what must be said of them.

    Attributes
    ----------
    labels : list of str
        One a column; empty where there is nothing to tell apart.
    latents : list of (features,) float32
    clipped : dict of str to float
        Share of samples beyond full scale, of each version of the sound that was heard.
    notes : list of str
    """

    labels: list[str]
    latents: list[Latent]
    clipped: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def hear(
    system: System,
    sound: Sound,
    controls: Controls,
    *,
    others: Sequence[Sound] = (),
    target: Sound | None = None,
    picture: Latent | None = None,
) -> Heard:
    """Listen to a sound under its controls.

    Parameters
    ----------
    sound : (samples,) float32
        At ``system.front.rate_hz``, full scale 1.
    others : sequence of such sounds
        What is mixed with it, as many as ``controls.mix_gains_db``.
    target : such a sound, optional
        Where an interpolation goes.
    picture : (features,) float32, optional
        Unit latent of the picture that the sound is blended with or that is edited.

    Raises
    ------
    ValueError
        When a sound is empty, or does not reach the second asked for.
    """
    rate = system.front.rate_hz
    laid = _laid(sound, others, controls, rate)
    versions = _versions(controls)
    notes: list[str] = []
    first = formulas.mixed(laid, versions[0][1])
    if not np.any(first):
        notes.append("the sound is silent")
    seconds = _seconds(system, first, controls, rate, notes)
    clipped, heard = {}, []
    for label, factors in versions:
        within, clipped[label or "sound"] = formulas.clipped(formulas.mixed(laid, factors))
        heard.append(system.hear(within, seconds, controls.reference_db))
    labels = [label for label, _ in versions] if len(versions) > 1 else [""]
    latents = [latents[0] for latents in heard]
    if controls.per_second and seconds is not None:
        labels, latents = [f"{second} s" for second in seconds], list(heard[0])
    if controls.edit_gains_db and picture is not None:
        louder, quieter = latents
        labels = [f"strength {strength:g}" for strength in controls.edit_strengths]
        latents = [
            formulas.edited(picture, louder, quieter, strength)
            for strength in controls.edit_strengths
        ]
    elif controls.image_weights and picture is not None:
        labels, latents = _blended(labels, latents, picture, controls.image_weights)
    elif controls.interpolation and target is not None:
        within, clipped["target"] = formulas.clipped(target)
        its_seconds = _seconds(system, within, controls, rate, [])
        end = system.hear(within, its_seconds, controls.reference_db)[0]
        labels = [f"t {t:.3g}" for t in controls.interpolation]
        latents = [_between(system, latents[0], end, t, controls) for t in controls.interpolation]
    shares = [f"{label} {max(share, 1e-3):.1%}" for label, share in clipped.items() if share]
    if shares:
        notes.append(f"samples clipped: {', '.join(shares)}")
    return Heard(labels, latents, clipped, notes)


def _laid(
    sound: Sound, others: Sequence[Sound], controls: Controls, rate_hz: int
) -> list[NDArray[np.floating]]:
    """Bring a sound and what is mixed with it to one length and to the levels asked for."""
    if not others:
        return [sound]
    samples = max(round(MIXED_S * rate_hz), len(sound), *map(len, others))
    equal = formulas.levelled([sound, *others], controls.mix_norm)
    return [formulas.tiled(one, samples) for one in equal]


def _versions(controls: Controls) -> list[tuple[str, list[float]]]:
    """List the versions of a sound: the label of what varies, and a factor for every sound."""
    others = [formulas.factor(gain) for gain in controls.mix_gains_db]
    mixes = [("", [1.0, *others])]
    if controls.mix_weights:
        mixes = [(f"mix {w:.3g}", [1 - w, w * others[0]]) for w in controls.mix_weights]
    gains = controls.edit_gains_db or controls.gains_db
    if not gains:
        return mixes
    return [
        (label or f"{gain:g} dB", [formulas.factor(gain) * f for f in factors])
        for label, factors in mixes
        for gain in gains
    ]


def _seconds(
    system: System,
    sound: NDArray[np.floating],
    controls: Controls,
    rate_hz: int,
    notes: list[str],
) -> list[int] | None:
    """Return which seconds are heard; None is the sound as a whole."""
    if controls.per_second:
        count = formulas.seconds_in(len(sound), rate_hz)
        left_s = len(sound) / rate_hz - count
        if left_s > _TOLD_S:
            notes.append(f"the last {left_s:.2f} s, less than half a second, are left out")
        return list(range(count))
    if controls.second is not None:
        return [controls.second]
    if system.unit_latents:
        return None
    loudest = formulas.loudest_second(sound, rate_hz)
    if len(sound) > rate_hz:
        notes.append(f"heard second {loudest}, the loudest (--segment or --per-second for others)")
    return [loudest]


def _blended(
    labels: list[str], latents: list[Latent], picture: Latent, weights: tuple[float, ...]
) -> tuple[list[str], list[Latent]]:
    """Blend every latent with a picture's; several weights are of one latent."""
    if len(weights) == 1:
        return labels, [formulas.blended(latent, picture, weights[0]) for latent in latents]
    names = [f"picture {weight:.3g}" for weight in weights]
    return names, [formulas.blended(latents[0], picture, weight) for weight in weights]


def _between(system: System, start: Latent, end: Latent, t: float, controls: Controls) -> Latent:
    if not system.unit_latents:
        return ((1 - t) * start + t * end).astype(np.float32)
    formula = formulas.along_the_arc if controls.slerp else formulas.interpolated
    return formula(start, end, t)
