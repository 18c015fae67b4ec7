"""``foley invert``: reports, references, plain arrays, post-filters, and what it must refuse."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from foleycli.cli.invert import invert
from foleycli.dsp.front_ends.names import SUMMARIES
from foleycli.dsp.front_ends.table import front_end
from foleycli.dsp.griffin_lim import MOMENTUM
from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.media.audio import read_audio, write_audio

RATE_HZ = 44_100


@pytest.fixture
def made(foley_here, tmp_path: Path) -> Path:
    """A folder with ``clips/{x,y}.wav`` and their foleygan spectrograms in ``specs/``."""
    (tmp_path / "clips").mkdir()
    time = np.arange(RATE_HZ // 2) / RATE_HZ
    for name, hertz in (("x", 440), ("y", 1500)):
        sound = 0.3 * np.sin(2 * np.pi * hertz * time) * np.exp(-8 * (time % 0.2))
        write_audio(tmp_path / f"clips/{name}.wav", sound.astype(np.float32), RATE_HZ)
    foley_here("spectrogram", "clips", "-o", "specs")
    return tmp_path


def test_report_is_a_table_and_in_json(foley_here, made: Path) -> None:
    done = foley_here("invert", "specs", "-o", "out", "--report", "--method", "pghi")
    head, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert head == ["output", "convergence_db", "lsd_db", "snr_db", "si_sdr_db"]
    assert [row[0] for row in rows] == ["out/x.wav", "out/y.wav"]
    assert all(float(row[1]) < -5 for row in rows)
    assert all(row[3:] == ["", ""] for row in rows)
    done = foley_here("invert", "specs/x.spec.npz", "-o", "x.wav", "--report", "--json")
    (output,) = json.loads(done.stdout)["outputs"]
    assert output["method"] == "istft"
    assert output["convergence_db"] < -60
    assert output["snr_db"] is None


@pytest.mark.parametrize("reference", ["clips", "clips/x.wav"])
def test_reference_gives_waveform_measures(foley_here, made: Path, reference: str) -> None:
    done = foley_here(
        "invert", "specs/x.spec.npz", "-o", "x.wav", "--reference", reference, "--json"
    )
    (output,) = json.loads(done.stdout)["outputs"]
    assert output["snr_db"] > 60
    assert output["si_sdr_db"] > 60
    kept, _ = read_audio(made / "x.wav")
    original, _ = read_audio(made / "clips/x.wav")
    assert len(kept) == len(original)


def test_reference_that_fits_no_input_is_named(foley_here, made: Path) -> None:
    (made / "clips/y.wav").unlink()
    done = foley_here("invert", "specs", "-o", "out", "--reference", "clips")
    assert done.exit_code == 1
    assert "holds 0 sounds called y; one is needed" in done.stderr
    done = foley_here("invert", "specs", "-o", "out", "--reference", "clips/x.wav")
    assert done.exit_code == 2
    assert "several inputs need a folder" in done.stderr


def test_methods_come_in_the_order_of_what_they_know(foley_here, made: Path) -> None:
    losses = {}
    for method in ("griffin-lim", "pghi+griffin-lim", "istft"):
        done = foley_here(
            *("invert", "specs/x.spec.npz", "-o", "x.wav", "--report", "--json"),
            *("--method", method, "--iterations", 8),
        )
        losses[method] = json.loads(done.stdout)["outputs"][0]["convergence_db"]
    assert losses["griffin-lim"] > losses["pghi+griffin-lim"] > losses["istft"]


def test_plain_array_needs_its_front_end(foley_here, made: Path) -> None:
    foley_here("spectrogram", "clips", "-o", "mels", "--front-end", "specvqgan", "--npy")
    done = foley_here("invert", "mels/x_mel.npy", "-o", "x.wav")
    assert done.exit_code == 2
    assert "give --front-end NAME" in done.stderr
    named = ("--front-end", "specvqgan")
    done = foley_here("invert", "mels", "-o", "out", "--reference", "clips", *named)
    assert done.exit_code == 0
    sound, rate_hz = read_audio(made / "out/x_mel.wav")
    assert (rate_hz, len(sound)) == (22_050, 860 * 256)
    done = foley_here("invert", "mels/x_mel.npy", "-o", "x.wav", "--front-end", "s2i")
    assert done.exit_code == 2
    assert "segments is (80, 860)" in done.stderr


def _spoil(path: Path, **changes: object) -> None:
    arrays, meta = load_arrays(path)
    kind = str(changes.pop("kind", "spectrogram"))
    front = {**meta["front_end"], **changes.pop("front_end", {})}  # type: ignore[dict-item]
    arrays |= changes.pop("arrays", {})  # type: ignore[arg-type]
    save_arrays(path, arrays, kind=kind, meta={**meta, "front_end": front, **changes})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "features"}, "holds 'features' where 'spectrogram' is needed"),
        ({"front_end": {"name": "mystery"}}, "unknown front end 'mystery'"),
        ({"front_end": {"rate_hz": 48_000}}, "has other constants than this foley's"),
        ({"front_end": {"name": "s2i"}}, "has other constants than this foley's"),
        ({"arrays": {"picture": np.zeros((3, 80, 9), np.float32)}}, "picture is (3, 80, 9)"),
        ({"arrays": {"picture": np.full((3, 512, 9), np.nan)}}, "picture holds NaN"),
        ({"samples": -3}, "samples"),
        ({"samples": None}, "samples"),
    ],
    ids=["kind", "name", "constants", "another", "shape", "NaN", "negative", "none"],
)
def test_wrong_spectrogram_is_one_line_and_exit_code_2(
    foley_here, made: Path, changes: dict[str, object], said: str
) -> None:
    _spoil(made / "specs/x.spec.npz", **changes)
    done = foley_here("invert", "specs/x.spec.npz", "-o", "x.wav")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not (made / "x.wav").exists()


def test_front_end_that_contradicts_the_file_is_refused(foley_here, made: Path) -> None:
    done = foley_here("invert", "specs/x.spec.npz", "-o", "x.wav", "--front-end", "lms")
    assert done.exit_code == 2
    assert "was made by the front end foleygan, not lms" in done.stderr


def test_post_filter_is_learned_kept_and_moves_nothing(foley_here, made: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("x", "y"):
        noise = 0.1 * rng.standard_normal(4 * RATE_HZ)
        write_audio(made / f"clips/{name}.wav", noise.astype(np.float32), RATE_HZ)
    foley_here("spectrogram", "clips", "-o", "specs")
    for name in ("x", "y"):  # dull originals, so that the filter must cut the treble
        noise, _ = read_audio(made / f"clips/{name}.wav")
        dull = np.convolve(noise, [0.25, 0.5, 0.25], "same").astype(np.float32)
        write_audio(made / f"clips/{name}.wav", dull, RATE_HZ)
    done = foley_here(
        *("invert", "specs", "-o", "out", "--reference", "clips"),
        *("--fit-post-filter", "filter.npz", "--json"),
    )
    assert done.exit_code == 0
    learned = [output["snr_db"] for output in json.loads(done.stdout)["outputs"]]
    done = foley_here("invert", "specs", "-o", "plain", "--reference", "clips", "--json")
    plain = [output["snr_db"] for output in json.loads(done.stdout)["outputs"]]
    assert min(learned) > max(plain) + 3  # a shift by one sample would make it worse
    taps = load_arrays(made / "filter.npz", kind="post-filter")[0]["taps"]
    assert taps.shape == (512,)
    done = foley_here("invert", "specs", "-o", "again", "--post-filter", "filter.npz")
    assert (made / "again/x.wav").read_bytes() == (made / "out/x.wav").read_bytes()


def test_given_taps_filter_and_bad_ones_are_refused(foley_here, made: Path) -> None:
    np.save(made / "half.npy", np.array([0.5]))
    foley_here("invert", "specs/x.spec.npz", "-o", "full.wav")
    foley_here("invert", "specs/x.spec.npz", "-o", "half.wav", "--post-filter", "half.npy")
    full, half = (read_audio(made / f"{name}.wav")[0] for name in ("full", "half"))
    np.testing.assert_allclose(half, full / 2, atol=2 / 32768)
    for bad in (np.zeros((2, 2)), np.zeros(0), np.array([np.nan]), np.zeros(65537)):
        np.save(made / "bad.npy", bad)
        done = foley_here("invert", "specs/x.spec.npz", "-o", "b.wav", "--post-filter", "bad.npy")
        assert done.exit_code == 2
        assert "bad.npy" in done.stderr
    done = foley_here("invert", "specs/x.spec.npz", "-o", "b.wav", "--fit-post-filter", "f.npz")
    assert done.exit_code == 2
    assert "--fit-post-filter needs --reference" in done.stderr


def test_help_states_the_momentum_that_the_library_uses() -> None:
    default = inspect.signature(invert).parameters["momentum"].default
    assert default == MOMENTUM


def test_looped_front_end_compares_with_a_looped_reference(foley_here, made: Path) -> None:
    foley_here(
        *("spectrogram", "clips/x.wav", "-o", "x.spec.npz", "--front-end", "specvqgan-dataset")
    )
    done = foley_here(
        *("invert", "x.spec.npz", "-o", "x.wav", "--reference", "clips/x.wav"),
        *("--iterations", 1, "--json"),
    )
    (output,) = json.loads(done.stdout)["outputs"]
    assert output["samples"] == 220_500
    assert output["snr_db"] is not None


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_method_of_every_front_end_goes_through_the_command(
    foley_here, made: Path, name: str
) -> None:
    fit = ("--fit", "stats.npz") if name == "specgan" else ()
    foley_here("spectrogram", "clips/x.wav", "-o", "x.spec.npz", "--front-end", name, *fit)
    for method in front_end(name).methods:
        done = foley_here(
            "invert", "x.spec.npz", "-o", "x.wav", "--method", method, "--iterations", 1
        )
        assert (done.exit_code, done.stdout) == (0, "x.wav\n"), done.stderr


def test_results_never_overwrite_what_is_read(foley_here, made: Path) -> None:
    (made / "clips/x.wav.png").write_bytes(b"a picture")
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    for arguments in (
        ("spectrogram", "clips/x.wav", "-o", "new.spec.npz", "--png", "clips/x.wav"),
        ("spectrogram", "clips/x.wav", "-o", "new.spec.npz", "--png", "new.spec.npz"),
        (
            "spectrogram",
            "clips/x.wav",
            "-o",
            "n.npz",
            "--front-end",
            "specgan",
            "--fit",
            "clips/x.wav",
        ),
        ("invert", "specs/x.spec.npz", "-o", "clips/x.wav", "--reference", "clips/x.wav"),
        ("invert", "specs", "-o", "clips", "--reference", "clips"),
        (
            "invert",
            "specs",
            "-o",
            "n",
            "--reference",
            "clips",
            "--fit-post-filter",
            "specs/x.spec.npz",
        ),
    ):
        done = foley_here(*arguments)
        assert done.exit_code != 0, arguments
        for path, contents in before.items():
            assert path.read_bytes() == contents, (arguments, path)


def test_report_is_of_the_file_as_written(foley_here, made: Path) -> None:
    loud, _ = read_audio(made / "clips/x.wav")
    write_audio(made / "loud.wav", 6 * loud, RATE_HZ, subtype="FLOAT")
    foley_here("spectrogram", "loud.wav", "-o", "loud.spec.npz")
    done = foley_here(
        "invert", "loud.spec.npz", "-o", "back.wav", "--reference", "loud.wav", "--json"
    )
    (output,) = json.loads(done.stdout)["outputs"]
    assert "clipped" in output["note"]
    assert output["snr_db"] < 20


@pytest.mark.parametrize(
    "changes", [{"measured": {}}, {"measured": {"peak_db": "loud"}}, {"samples": 10**15}]
)
def test_damaged_numbers_are_told_in_words(
    foley_here, made: Path, changes: dict[str, object]
) -> None:
    foley_here("spectrogram", "clips/x.wav", "-o", "s.spec.npz", "--front-end", "s2i")
    _spoil(made / "s.spec.npz", **changes)
    done = foley_here("invert", "s.spec.npz", "-o", "s.wav")
    assert done.exit_code == 2
    assert "make it again" in done.stderr


def test_plain_arrays_say_what_they_lack_or_come_back(foley_here, made: Path) -> None:
    for name, comes_back in (("s2i", True), ("cqt", True), ("sound2scene", False)):
        named = ("--front-end", name)
        foley_here("spectrogram", "clips/x.wav", "-o", f"{name}.npy", *named)
        done = foley_here("invert", f"{name}.npy", "-o", f"{name}.wav", *named, "--iterations", 1)
        assert (done.exit_code == 0) == comes_back
        assert comes_back or "does not say what it is relative to" in done.stderr
    assert len(read_audio(made / "s2i.wav")[0]) == RATE_HZ
