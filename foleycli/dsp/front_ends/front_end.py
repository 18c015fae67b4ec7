"""What every front end is: sound in blocks -> columns of arrays, and what an inversion starts from.

A front end is a frozen specification: constants stand in it once and shapes are derived. Sound
comes in blocks and arrays leave in blocks, so that an hour needs no more memory than a minute.
Where the arrays depend on the whole sound (its loudest moment, its mean), :meth:`FrontEnd.measure`
hears it first and :meth:`FrontEnd.encode` hears it again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp.griffin_lim import MOMENTUM
from foleycli.dsp.invert import Analysis, invert

Arrays = Mapping[str, NDArray[Any]]
Blocks = Iterable[NDArray[np.floating]]
Measured = Mapping[str, float]


@dataclass(frozen=True)
class Levels:
    """A spectrogram to look at.

    Attributes
    ----------
    decibels : (rows, columns) float
        Low frequencies first.
    edges_hz : (rows + 1,) float
        Where the rows' bands meet, in Hz, increasing.
    hop_s, first_s : float
        Seconds from column to column, and the time of the first column's centre.
    floor_db, ceiling_db : float
        The range worth drawing.
    unit : str
        What 0 dB is.
    """

    decibels: NDArray[np.floating]
    edges_hz: NDArray[np.float64]
    hop_s: float
    first_s: float
    floor_db: float
    ceiling_db: float
    unit: str = "dB"


@dataclass(frozen=True)
class FrontEnd(ABC):
    """One way to turn mono sound into arrays.

    Attributes
    ----------
    name : str
        What ``--front-end`` calls it.
    rate_hz : int
        Sample rate of the sound that it takes.
    main, npy_suffix : str
        The array that the reference tools read, when one alone is asked for, and how they name it.
    chain : {"float", "s16", "s16-looped"}
        How the sound is read: at full precision and in time with the picture, or through 16-bit
        files as the published features were made, looped where it is short.
    time_axis : int
        Along which the arrays grow with the sound: the last, or 0 for a list of segments.
    measures : tuple of str
        What :meth:`measure` finds that :meth:`analysis` and :meth:`levels` need.
    streamed : bool
        Whether a sound of any length fits into constant memory.
    methods : tuple of str
        How ``foley invert`` may get the sound back, the best first.
    """

    name: str
    rate_hz: int
    main: ClassVar[str] = "picture"
    npy_suffix: ClassVar[str] = ".npy"
    time_axis: ClassVar[int] = -1
    streamed: ClassVar[bool] = True
    chain: ClassVar[str] = "float"
    measures: ClassVar[tuple[str, ...]] = ()
    methods: ClassVar[tuple[str, ...]] = ("pghi+griffin-lim", "griffin-lim", "pghi")

    def as_dict(self) -> dict[str, Any]:
        """Return the constants as plain values: what a file says of how it was made."""
        return asdict(self)

    def samples_kept(self, samples: int) -> int:
        """Return how many samples of a sound the arrays stand for: all of them, unless told."""
        return samples

    def measure(self, sound: Blocks) -> dict[str, float]:
        """Hear the whole sound for what :meth:`encode` must know beforehand; mostly nothing."""
        return {}

    @abstractmethod
    def encode(self, sound: Blocks, measured: Measured) -> Iterator[dict[str, NDArray[Any]]]:
        """Turn mono sound at ``rate_hz``, full scale 1, into arrays, some columns at a time."""

    def constants(self) -> dict[str, NDArray[Any]]:
        """Return arrays that do not grow with the sound and belong with the others."""
        return {}

    def with_constants(self, arrays: Arrays) -> FrontEnd:
        """Return this front end with the :meth:`constants` that a file of it holds."""
        return self

    @abstractmethod
    def check(self, arrays: Arrays) -> None:
        """Raise ValueError, saying what is wrong, when arrays cannot be of this front end."""

    @abstractmethod
    def analysis(self, arrays: Arrays, measured: Measured) -> Analysis:
        """Return what the arrays say of the sound's spectrum."""

    def resynthesise(
        self,
        arrays: Arrays,
        measured: Measured,
        *,
        samples: int,
        method: str,
        iterations: int = 32,
        momentum: float = MOMENTUM,
        seed: int = 0,
    ) -> NDArray[np.float32]:
        """Turn arrays back into ``samples`` of sound by one of :attr:`methods`."""
        return invert(
            self.analysis(arrays, measured),
            samples=samples,
            method=method,
            iterations=iterations,
            momentum=momentum,
            seed=seed,
        )

    @abstractmethod
    def levels(self, arrays: Arrays, measured: Measured) -> Levels:
        """Return the arrays as a picture for people."""


def encode_whole(
    front: FrontEnd, waveform: NDArray[np.floating]
) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
    """Encode a sound that is in memory.

    Parameters
    ----------
    waveform : (samples,) float
        Mono, at ``front.rate_hz``, full scale 1.

    Returns
    -------
    arrays : dict of str to ndarray
    measured : dict of str to float
        What :meth:`FrontEnd.measure` found.

    Raises
    ------
    ValueError
        When the waveform is not one-dimensional, is empty, or holds NaN or infinity.
    """
    require_sound(waveform)
    measured = front.measure([waveform])
    pieces = list(front.encode([waveform], measured))
    arrays = {
        name: np.concatenate([piece[name] for piece in pieces], axis=front.time_axis)
        for name in pieces[0]
    }
    return arrays | front.constants(), measured


def whole_hops(sound: Blocks, hop_samples: int) -> Iterator[NDArray[np.floating]]:
    """Add silence up to a whole hop, so that no sample lies beyond the last frame."""
    samples = 0
    for block in sound:
        samples += len(block)
        yield block
    yield np.zeros(-samples % hop_samples, np.float32)


def require_sound(waveform: NDArray[np.floating]) -> None:
    """Raise ValueError unless the waveform is mono, not empty, and finite."""
    if waveform.ndim != 1 or not len(waveform) or not np.isfinite(waveform).all():
        raise ValueError(f"need a finite mono waveform, got shape {waveform.shape}")


def require_shape(arrays: Arrays, name: str, *shape: int | None) -> NDArray[Any]:
    """Return an array, or raise ValueError unless it is finite and of this shape (None: any)."""
    if name not in arrays:
        raise ValueError(f"has no array {name!r} (has: {', '.join(sorted(arrays)) or 'none'})")
    array = arrays[name]
    fits = array.ndim == len(shape) and all(
        wanted in (None, there) for wanted, there in zip(shape, array.shape, strict=False)
    )
    if not fits or not array.size:
        wanted = " x ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} is {array.shape}; this front end's is {wanted}")
    if array.dtype.kind not in "fui" or not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return array
