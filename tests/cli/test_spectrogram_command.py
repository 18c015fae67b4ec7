"""``foley spectrogram``: every front end from any media, bad input, statistics, plain arrays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foleycli.dsp.front_ends.names import SUMMARIES
from foleycli.files.arrays import load_arrays
from foleycli.media.audio import read_audio, write_audio

PLAIN = [name for name in SUMMARIES if name != "specgan"]


def _write(path: Path, samples: int, rate_hz: int, channels: int = 1) -> Path:
    sound = 0.2 * np.random.default_rng(samples).standard_normal((channels, samples))
    path.parent.mkdir(exist_ok=True)
    write_audio(path, sound.clip(-1, 1).astype(np.float32), rate_hz)
    return path


@pytest.mark.parametrize("name", PLAIN)
def test_every_front_end_goes_there_and_back(foley_here, tmp_path: Path, name: str) -> None:
    _write(tmp_path / "a.wav", 20_000, 16_000)
    made = foley_here(
        *("spectrogram", "a.wav", "-o", "a.spec.npz", "--front-end", name, "--png", "a.png")
    )
    assert (made.exit_code, made.stdout, made.stderr) == (0, "a.spec.npz\n", "")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    arrays, meta = load_arrays(tmp_path / "a.spec.npz", kind="spectrogram")
    assert meta["front_end"]["name"] == name
    assert all(np.isfinite(array).all() for array in arrays.values())
    made = foley_here("invert", "a.spec.npz", "-o", "a-back.wav", "--iterations", 1)
    assert made.exit_code == 0
    back, rate_hz = read_audio(tmp_path / "a-back.wav")
    kept_s = 10.0 if name == "specvqgan-dataset" else 1.25  # which fills ten seconds
    assert len(back) == pytest.approx(kept_s * rate_hz, abs=1)


@pytest.mark.parametrize(
    ("rate_hz", "channels", "samples"),
    [(8_000, 1, 4_000), (48_000, 8, 9_600), (192_000, 2, 38_400), (22_050, 2, 1)],
    ids=["8 kHz mono", "7.1", "192 kHz", "one sample"],
)
@pytest.mark.parametrize("name", ["foleygan", "specvqgan", "s2i", "sound2scene"])
def test_any_rate_layout_and_length_is_taken(
    foley_here, tmp_path: Path, name: str, rate_hz: int, channels: int, samples: int
) -> None:
    _write(tmp_path / "a.wav", samples, rate_hz, channels)
    made = foley_here("spectrogram", "a.wav", "-o", "a.spec.npz", "--front-end", name)
    assert (made.exit_code, made.stderr) == (0, "")
    arrays, _ = load_arrays(tmp_path / "a.spec.npz")
    assert all(np.isfinite(array).all() for array in arrays.values())


@pytest.mark.parametrize("name", ["foleygan", "specvqgan", "sound2scene", "cqt"])
@pytest.mark.parametrize(
    ("sound", "said"),
    [
        (np.zeros(0, np.float32), "the sound is empty (0 samples)|no sound decodes"),
        (np.array([0.1, np.nan] * 500, np.float32), "are NaN or infinite"),
    ],
    ids=["empty", "NaN"],
)
def test_no_sound_is_one_line_and_exit_code_2(
    foley_here, tmp_path: Path, name: str, sound: np.ndarray, said: str
) -> None:
    from scipy.io import wavfile

    wavfile.write(tmp_path / "a.wav", 22_050, sound)
    made = foley_here("spectrogram", "a.wav", "-o", "a.spec.npz", "--front-end", name)
    assert made.exit_code == 2
    assert made.stderr.count("\n") == 1
    assert any(reason in made.stderr for reason in said.split("|"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_npy_is_the_plain_array_by_the_reference_tools_name(foley_here, tmp_path: Path) -> None:
    _write(tmp_path / "in/dog.wav", 30_000, 22_050)
    options = ("in", "-o", "out", "--front-end", "specvqgan")
    assert foley_here("spectrogram", *options, "--npy").stdout == "out/dog_mel.npy\n"
    assert foley_here("spectrogram", *options).stdout == "out/dog.spec.npz\n"
    plain = np.load(tmp_path / "out/dog_mel.npy", allow_pickle=False)
    arrays, _ = load_arrays(tmp_path / "out/dog.spec.npz")
    np.testing.assert_array_equal(plain, arrays["mel"])
    assert (plain.shape, plain.dtype) == ((80, 860), np.float32)
    made = foley_here("spectrogram", "in/dog.wav", "-o", "x.npy", "--front-end", "specvqgan")
    assert (tmp_path / "x.npy").read_bytes() == (tmp_path / "out/dog_mel.npy").read_bytes()
    assert made.exit_code == 0


def test_specgan_takes_its_statistics_from_a_training_set(foley_here, tmp_path: Path) -> None:
    for number in range(3):
        _write(tmp_path / f"train/{number}.wav", 16_384 * (number + 1), 16_000)
    _write(tmp_path / "test/a.wav", 16_384, 16_000)
    specgan = ("--front-end", "specgan")
    made = foley_here("spectrogram", "train", "-o", "specs", *specgan, "--fit", "stats.npz")
    assert made.exit_code == 0
    assert "stats.npz: statistics of 3 sounds" in made.stderr
    pictures = [
        load_arrays(tmp_path / f"specs/{number}.spec.npz")[0]["picture"][0] for number in range(3)
    ]
    assert pictures[0].shape == (128, 128)
    together = np.concatenate(pictures, axis=1) * 3  # in standard deviations, but for the clipping
    np.testing.assert_allclose(together.mean(1), 0, atol=0.05)
    np.testing.assert_allclose(together.std(1), 1, atol=0.1)  # clipping takes a little
    made = foley_here("spectrogram", "test", "-o", "specs", *specgan, "--statistics", "stats.npz")
    assert made.exit_code == 0
    record = json.loads((tmp_path / "specs/run.json").read_text())
    assert len(record["options"]["uses"]) == 1
    again = foley_here(
        "spectrogram", "train", "-o", "part", *specgan, "--fit", "again.npz", "--shard", "1/3"
    )
    assert again.stdout == "part/1.spec.npz\n"
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "stats.npz").read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        ("--front-end", "specgan"),
        ("--front-end", "lms", "--statistics", "s.npz"),
        ("--front-end", "specgan", "--statistics", "s.npz", "--fit", "t.npz"),
        ("--front-end", "specgan", "--statistics", "a.wav"),
        ("--front-end", "mel"),
        ("--rainbowgram", "--npy"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    foley_here, tmp_path: Path, options: tuple[str, ...]
) -> None:
    _write(tmp_path / "a.wav", 2000, 16_000)
    made = foley_here("spectrogram", "a.wav", "-o", "a.spec.npz", *options)
    assert made.exit_code == 2
    assert made.stderr.count("\n") == 1
    assert not (tmp_path / "a.spec.npz").exists()


def test_jobs_do_not_change_the_bytes(foley, tmp_path: Path) -> None:
    for number in range(3):
        _write(tmp_path / f"in/{number}.wav", 20_000 + number, 44_100)
    for jobs in (1, 2):
        foley("spectrogram", "in", "-o", f"out{jobs}", "--front-end", "lms", "-j", jobs)
    for number in range(3):
        one, two = (tmp_path / f"out{jobs}/{number}.spec.npz" for jobs in (1, 2))
        assert one.read_bytes() == two.read_bytes()


def test_two_sounds_share_a_rainbowgram_in_the_order_given(foley_here, tmp_path: Path) -> None:
    for name in ("b.wav", "a.wav"):
        _write(tmp_path / name, 8000, 16_000)
    made = foley_here("spectrogram", "b.wav", "a.wav", "--rainbowgram", "-o", "ba.png")
    assert (made.exit_code, made.stdout) == (0, "ba.png\n")
    foley_here("spectrogram", "a.wav", "b.wav", "--rainbowgram", "-o", "ab.png")
    assert (tmp_path / "ba.png").read_bytes() != (tmp_path / "ab.png").read_bytes()
    made = foley_here("spectrogram", "a.wav", "b.wav", "--rainbowgram", "-o", "each/")
    assert made.stdout.split() == ["each/a.png", "each/b.png"]


def test_long_sound_is_refused_by_what_needs_it_whole(foley_here, tmp_path: Path) -> None:
    write_audio(tmp_path / "long.flac", np.zeros(8000 * 21 * 60, np.float32), 8000)
    made = foley_here("spectrogram", "long.flac", "-o", "a.spec.npz", "--front-end", "cqt")
    assert made.exit_code == 2
    assert "cqt transforms a sound whole, which is kept to 20 minutes" in made.stderr


def test_result_that_cannot_be_written_is_exit_code_1(foley_here, tmp_path: Path) -> None:
    _write(tmp_path / "a.wav", 2000, 16_000)
    made = foley_here("spectrogram", "a.wav", "-o", "a.wav/b.spec.npz")
    assert made.exit_code == 1
    assert "a.wav/b.spec.npz: " in made.stderr


def test_resume_makes_a_lost_drawing_again(foley_here, tmp_path: Path) -> None:
    _write(tmp_path / "in/a.wav", 2000, 16_000)
    options = ("spectrogram", "in", "-o", "out", "--png", "out", "--resume", "-v")
    assert "left as it is" not in foley_here(*options).stderr
    assert "left as it is" in foley_here(*options).stderr
    (tmp_path / "out/a.png").unlink()
    assert "left as it is" not in foley_here(*options).stderr
    assert (tmp_path / "out/a.png").is_file()
