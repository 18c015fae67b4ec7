"""What holds for all front ends, whatever the sound."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from foleycli.dsp.front_ends.front_end import FrontEnd, encode_whole
from foleycli.dsp.front_ends.names import SUMMARIES
from foleycli.dsp.front_ends.specgan import SPECGAN, SpecGanStatistics
from foleycli.dsp.front_ends.table import FRONT_ENDS, front_end

STATISTICS = SpecGanStatistics(np.full(128, -6.0), np.full(128, 2.0))
READY = [
    replace(front, statistics=STATISTICS) if front.name == SPECGAN.name else front
    for front in FRONT_ENDS.values()
]
EVERY = pytest.mark.parametrize("front", READY, ids=lambda front: front.name)
STREAMED = pytest.mark.parametrize(
    "front", [front for front in READY if front.streamed], ids=lambda front: front.name
)


def _noise(samples: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(samples).standard_normal(samples)).astype(np.float32)


SOUNDS = {
    "one sample": np.ones(1, np.float32),
    "a few samples": _noise(100),
    "silence": np.zeros(20_000, np.float32),
    "full scale": np.sign(_noise(30_000)),
    "a click at the end": np.eye(1, 25_001, 25_000, dtype=np.float32)[0],
}


def test_names_are_those_that_help_lists() -> None:
    assert list(FRONT_ENDS) == list(SUMMARIES)
    assert all(name == front.name for name, front in FRONT_ENDS.items())
    with pytest.raises(ValueError, match="choose one of: foleygan"):
        front_end("mystery")


@EVERY
@pytest.mark.parametrize("sound", SOUNDS.values(), ids=SOUNDS)
def test_any_sound_is_encoded_finitely_drawn_and_inverted_to_its_length(
    front: FrontEnd, sound: np.ndarray
) -> None:
    arrays, measured = encode_whole(front, sound)
    front.check(arrays)
    levels = front.levels(arrays, measured)
    assert np.isfinite(levels.decibels).all()
    assert len(levels.edges_hz) == len(levels.decibels) + 1
    assert (np.diff(levels.edges_hz) > 0).all()
    samples = front.samples_kept(len(sound))
    back = front.resynthesise(
        arrays, measured, samples=samples, method=front.methods[0], iterations=1
    )
    assert (back.shape, back.dtype) == ((samples,), np.float32)
    assert np.isfinite(back).all()
    if not sound.any() and front.name != "specgan":  # whose statistics know no silence
        assert np.abs(back).max() < 1e-4


@EVERY
@pytest.mark.parametrize(
    "sound",
    [np.zeros(0, np.float32), np.array([0.1, np.nan]), np.array([np.inf, 0]), np.zeros((2, 9))],
    ids=["empty", "NaN", "infinite", "stereo"],
)
def test_what_is_no_sound_is_refused(front: FrontEnd, sound: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite mono waveform"):
        encode_whole(front, sound)


@EVERY
def test_wrong_arrays_are_refused(front: FrontEnd) -> None:
    arrays, _ = encode_whole(front, _noise(9000))
    with pytest.raises(ValueError, match=rf"no array '{front.main}'"):
        front.check({name: a for name, a in arrays.items() if name != front.main})
    shorter = np.delete(arrays[front.main], 0, axis=1 if front.time_axis == 0 else -2)
    with pytest.raises(ValueError, match=rf"{front.main} is "):
        front.check({**arrays, front.main: shorter})
    if arrays[front.main].dtype.kind == "f":
        spoilt = arrays[front.main].copy()
        spoilt[..., -1, -1] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            front.check({**arrays, front.main: spoilt})


@STREAMED
def test_blocks_do_not_change_the_arrays(front: FrontEnd) -> None:
    sound = _noise(front.rate_hz * 3 + 17)
    whole, measured = encode_whole(front, sound)
    cut = [sound[k : k + 1777] for k in range(0, len(sound), 1777)]
    assert front.measure(cut) == pytest.approx(measured, rel=1e-12)
    pieces = list(front.encode(cut, measured))
    streamed = np.concatenate([piece[front.main] for piece in pieces], axis=front.time_axis)
    np.testing.assert_array_equal(streamed, whole[front.main])


@STREAMED
def test_memory_does_not_grow_with_the_sound(front: FrontEnd) -> None:
    block = _noise(front.rate_hz)

    def peak_bytes(seconds: int) -> int:
        def sound() -> Iterator[np.ndarray]:
            for _ in range(seconds):
                yield block

        tracemalloc.start()
        for _ in front.encode(sound(), front.measure(sound())):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(2)  # filters, windows
    assert peak_bytes(400) < 1.3 * peak_bytes(130) + 1e6
