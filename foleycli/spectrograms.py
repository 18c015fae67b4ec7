"""Spectrogram files: what a front end made, where it came from, and how to hear it again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foleycli.dsp import quality
from foleycli.dsp.front_ends.front_end import Arrays, FrontEnd, Measured, encode_whole
from foleycli.dsp.front_ends.table import front_end
from foleycli.dsp.post_filter import MOST_TAPS
from foleycli.files.arrays import load_arrays, load_plain

KIND = "spectrogram"
POST_FILTER = "post-filter"


def about(front: FrontEnd, samples: int, measured: Measured) -> dict[str, Any]:
    """Return what a spectrogram file's ``meta`` must say for the sound to come back."""
    return {"front_end": front.as_dict(), "samples": samples, "measured": dict(measured)}


@dataclass(frozen=True)
class StoredSpectrogram:
    """A spectrogram as it was read.

    Attributes
    ----------
    front : FrontEnd
    arrays : mapping of str to ndarray
    measured : mapping of str to float
        What :meth:`FrontEnd.measure` found in the sound.
    samples : int
        Of the sound that comes back.
    """

    front: FrontEnd
    arrays: Arrays
    measured: Measured
    samples: int

    def method(self, wanted: str) -> str:
        """Return the method for ``auto`` or a method's name; ValueError when it cannot be used."""
        methods = self.front.methods
        if wanted not in ("auto", *methods):
            raise ValueError(
                f"{self.front.name} cannot be inverted by {wanted}; it can by: {', '.join(methods)}"
            )
        return methods[0] if wanted == "auto" else wanted

    def sound(
        self, method: str, iterations: int, momentum: float, seed: int
    ) -> NDArray[np.float32]:
        """Invert: (samples,) float32 at ``front.rate_hz``; the method is one of the front end's."""
        return self.front.resynthesise(
            self.arrays,
            self.measured,
            samples=self.samples,
            method=method,
            iterations=iterations,
            momentum=momentum,
            seed=seed,
        )

    def loss(
        self, waveform: NDArray[np.float32], reference: NDArray[np.float32] | None = None
    ) -> dict[str, float | None]:
        """Measure what an inversion lost, in dB.

        Parameters
        ----------
        waveform : (samples,) float32
            What came back.
        reference : (any,) float32, optional
            The original; compared over the length that both have.

        Returns
        -------
        dict
            ``convergence_db`` and ``lsd_db`` of these levels against those of the waveform
            analysed again; ``snr_db`` and ``si_sdr_db`` against the reference. None where there is
            nothing to compare, or the ratio is infinite.
        """
        arrays, measured = encode_whole(self.front, waveform)
        wanted = self.front.levels(self.arrays, self.measured).decibels
        got = self.front.levels(arrays, measured).decibels
        if "peak_db" in self.measured:  # levels under each sound's own loudest
            got = got + (measured["peak_db"] - self.measured["peak_db"])
        frames = min(wanted.shape[1], got.shape[1])  # a plain array may end within a hop
        wanted, got = (10 ** (levels[:, :frames].astype(float) / 20) for levels in (wanted, got))
        found: dict[str, float | None] = {
            "convergence_db": quality.spectral_convergence_db(wanted, got),
            "lsd_db": quality.log_spectral_distance_db(wanted, got),
            "snr_db": None,
            "si_sdr_db": None,
        }
        if reference is not None:
            samples = min(len(reference), len(waveform))
            found["snr_db"] = quality.snr_db(reference[:samples], waveform[:samples])
            found["si_sdr_db"] = quality.si_sdr_db(reference[:samples], waveform[:samples])
        return {
            name: None if value is None or not np.isfinite(value) else round(value, 3)
            for name, value in found.items()
        }


def read_spectrogram(path: str | os.PathLike[str], front_end_name: str = "") -> StoredSpectrogram:
    """Read what ``foley spectrogram`` wrote, or a reference tool's plain ``.npy``.

    Parameters
    ----------
    front_end_name : str
        What an ``.npy`` holds; an ``.npz`` says it itself and must agree.

    Raises
    ------
    ValueError
        When the file is damaged, or not what its front end makes.
    """
    path = Path(path)
    if path.suffix == ".npy":
        if not front_end_name:
            raise ValueError(f"{path}: an .npy does not say what it holds; give --front-end NAME")
        front = front_end(front_end_name)
        arrays: Arrays = {front.main: load_plain(path)}
        if set(front.measures) - {"peak_db"} or front.name == "specgan":
            raise ValueError(f"{path}: an .npy of {front.name} does not say what it is relative to")
        front.check(arrays)
        measured = dict.fromkeys(front.measures, 0.0)  # loudest at full scale
        drawn = front.levels(arrays, measured)
        samples = round(drawn.decibels.shape[1] * drawn.hop_s * front.rate_hz)
        return StoredSpectrogram(front, arrays, measured, samples)
    arrays, made = load_arrays(path, kind=KIND)
    constants = made.get("front_end") if isinstance(made, dict) else None
    if not isinstance(constants, dict):
        raise ValueError(f"{path}: does not say which front end made it; make it again")
    front = front_end(str(constants.get("name")))
    if front_end_name not in ("", front.name):
        raise ValueError(f"{path}: was made by the front end {front.name}, not {front_end_name}")
    if front.as_dict() != constants:
        raise ValueError(
            f"{path}: its front end {front.name} has other constants than this foley's; make it "
            "again"
        )
    front.check(arrays)
    samples, known = made.get("samples"), made.get("measured")
    if not isinstance(samples, int) or not 1 <= samples < 1 << 40:
        raise ValueError(f"{path}: does not say how many samples it stands for; make it again")
    levels = known if isinstance(known, dict) else {}
    numbers = [levels.get(name) for name in front.measures]
    if not all(isinstance(number, int | float) and np.isfinite(number) for number in numbers):
        raise ValueError(f"{path}: does not say what its levels are relative to; make it again")
    return StoredSpectrogram(front.with_constants(arrays), arrays, levels, samples)


def read_taps(path: str | os.PathLike[str], rate_hz: int) -> NDArray[np.floating]:
    """Read a post-filter: what ``--fit-post-filter`` wrote, or an ``.npy`` of taps.

    Returns
    -------
    (n,) float

    Raises
    ------
    ValueError
        When the file is damaged, holds no usable taps, or is for another sample rate.
    """
    if Path(path).suffix == ".npy":
        taps = load_plain(path)
    else:
        arrays, meta = load_arrays(path, kind=POST_FILTER)
        taps = arrays["taps"]
        if meta.get("rate_hz") != rate_hz:
            raise ValueError(f"{path}: is for {meta.get('rate_hz')} Hz, and the sound {rate_hz} Hz")
    fits = taps.ndim == 1 and 1 <= len(taps) <= MOST_TAPS and taps.dtype.kind == "f"
    if not fits or not np.isfinite(taps).all():
        raise ValueError(f"{path}: not 1 to {MOST_TAPS} finite taps, but {taps.shape} {taps.dtype}")
    return taps
