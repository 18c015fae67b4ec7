"""Files of codes: small integers that know their codebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.models.spectrogram_codebook import CodebookConfig
from foleycli.sound_codes.codec import CodeGrid
from foleycli.sound_codes.stored import StoredCodes, load_codes, save_codes

GRID = CodeGrid(CodebookConfig(codes=1024))
CODES = np.random.default_rng(0).integers(0, 1024, (5, 3))
SAMPLES = 3 * 4096 - 7


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.codes.npz"
    save_codes(path, StoredCodes(CODES, SAMPLES), GRID, "ab" * 32, {"by": "test"})
    return path


def test_codes_come_back(path: Path) -> None:
    found = load_codes(path, GRID, "ab" * 32)
    np.testing.assert_array_equal(found.codes, CODES)
    assert found.samples == SAMPLES
    arrays, meta = load_arrays(path, kind="codes")
    assert arrays["codes"].dtype == np.int16
    assert meta["by"] == "test"
    assert meta["bitrate_bps"] == pytest.approx(150 * 22_050 / SAMPLES)


def test_large_codebooks_take_32_bits(tmp_path: Path) -> None:
    grid = CodeGrid(CodebookConfig(codes=70_000))
    codes = np.full((5, 1), 69_999)
    save_codes(tmp_path / "a.codes.npz", StoredCodes(codes, 10), grid, "x", {})
    assert (load_codes(tmp_path / "a.codes.npz", grid, "x").codes == 69_999).all()


def test_codes_of_another_codebook_or_none_are_refused(path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.codes\.npz: made by another codebook \(SHA-256 abab"):
        load_codes(path, GRID, "cd" * 32)
    arrays, meta = load_arrays(path)
    for other, changes, said in (
        (CODES[:4], {}, "does not hold 5 x 3 codes"),
        (CODES, {"samples": 5 * 4096}, "does not hold 5 x 5 codes"),
        (CODES + 1024, {}, "codes are not all in 0 to 1023"),
        (CODES.astype(float), {}, "does not hold 5 x 3 codes"),
        (CODES, {"samples": None}, "does not say how many samples"),
        (CODES, {"front_end": {}}, "its front end had other constants"),
    ):
        save_arrays(path, {"codes": other}, kind="codes", meta={**meta, **changes})
        with pytest.raises(ValueError, match=said):
            load_codes(path, GRID, "ab" * 32)
    assert arrays["codes"].shape == (5, 3)
