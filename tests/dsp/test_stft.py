"""Framing, padding and exact inversion, whole or in blocks."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given
from hypothesis import strategies as st

from foleycli.dsp.stft import Stft, overlap_add

GRIDS = {
    "exact edges": Stft(1024, 256, before=384, after=384),
    "centred": Stft(1024, 256, before=512, after=512),
    "short window": Stft(2048, 441, 1102, "hamming", before=1024, after=1024),
    "no padding, odd hop": Stft(512, 159, window="tukey"),
    "zeros in front": Stft(2048, 512, before=3072, padding="zeros"),
    "zeros behind": Stft(256, 128, after=128, padding="zeros"),
}


def _noise(samples: int) -> np.ndarray:
    return np.random.default_rng(samples).standard_normal(samples)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
def test_inverse_returns_every_covered_sample_to_rounding(grid: Stft) -> None:
    signal = _noise(30_000)
    spectrum = grid.forward(signal)
    back = grid.inverse(spectrum, len(signal))
    assert len(back) == len(signal)
    # Without padding the outermost samples lie under a window's foot, or under no frame at all.
    first = 0 if grid.before else grid.fft_samples // 8
    last = (spectrum.shape[1] - 1) * grid.hop_samples + grid.fft_samples - grid.before
    inside = slice(first, min(last, len(signal)) - grid.fft_samples // 8)
    np.testing.assert_allclose(back[inside], signal[inside], atol=1e-9)


@pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)
@given(samples=st.integers(0, 20_000), block=st.integers(1, 9000), frames=st.integers(1, 40))
def test_stream_is_the_whole_transform_bit_for_bit(
    grid: Stft, samples: int, block: int, frames: int
) -> None:
    signal = _noise(samples).astype(np.float32)
    whole = grid.forward(signal)
    blocks = (signal[k : k + block] for k in range(0, samples, block))
    pieces = list(grid.stream(blocks, frames))
    streamed = np.concatenate([whole[:, :0], *pieces], axis=1)
    assert whole.shape == (grid.bins, grid.frames_for(samples))
    np.testing.assert_array_equal(streamed, whole)


@pytest.mark.parametrize("name", ["hann", "hamming", "tukey"])
def test_windows_are_scipys_periodic_ones(name: str) -> None:
    wanted = scipy.signal.get_window(("tukey", 0.25) if name == "tukey" else name, 512)
    np.testing.assert_allclose(Stft(512, 128, window=name).taps, wanted, atol=1e-15)


def test_centred_transform_equals_librosa_and_torch() -> None:
    signal = _noise(22_050)
    ours = GRIDS["centred"].forward(signal)
    theirs = librosa.stft(signal, n_fft=1024, hop_length=256, pad_mode="reflect")
    np.testing.assert_allclose(ours, theirs, atol=1e-10)
    short = Stft(2048, 441, 1102, "hamming", before=1024, after=1024)
    torchs = torch.stft(
        torch.from_numpy(signal),
        2048,
        441,
        1102,
        torch.hamming_window(1102, dtype=torch.float64),
        return_complex=True,
    )
    np.testing.assert_allclose(short.forward(signal), torchs.numpy(), atol=1e-10)


def test_precision_follows_the_signal() -> None:
    grid = GRIDS["centred"]
    assert grid.forward(np.zeros(5000, np.float32)).dtype == np.complex64
    assert grid.forward(np.zeros(5000)).dtype == np.complex128


def test_silence_lies_beyond_the_last_frame() -> None:
    grid = Stft(512, 128)
    back = grid.inverse(grid.forward(_noise(1024)), 2000)
    assert len(back) == 2000
    assert not back[1024:].any()
    assert back[600:900].any()


def test_overlap_add_sums_where_pieces_meet() -> None:
    np.testing.assert_array_equal(overlap_add(np.ones((3, 4)), 2), [1, 1, 2, 2, 2, 2, 1, 1])
    np.testing.assert_array_equal(overlap_add(np.ones((2, 5)), 3), [1, 1, 1, 2, 2, 1, 1, 1])
