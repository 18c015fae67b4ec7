"""Each command end to end on small inputs."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from foleycli.files.arrays import load_arrays
from foleycli.media.audio import read_audio
from foleycli.training.loop import load_state


def test_spectrogram_and_invert_give_the_sound_back(foley_here, tmp_path: Path, tone: Path) -> None:
    made = foley_here(
        "spectrogram", tone, "-o", "t.spec.npz", "--png", "t.png", "--front-end", "foleygan"
    )
    assert (made.exit_code, made.stdout) == (0, "t.spec.npz\n")
    assert made.stderr == ""
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    arrays, meta = load_arrays(tmp_path / "t.spec.npz", kind="spectrogram")
    assert arrays["picture"].shape == (3, 512, 512)
    assert meta["samples"] == 44_100
    made = foley_here("invert", "t.spec.npz", "-o", "t.wav")
    assert (made.exit_code, made.stdout) == (0, "t.wav\n")
    before, _ = read_audio(tone, rate_hz=44_100)
    after, rate_hz = read_audio(tmp_path / "t.wav")
    assert rate_hz == 44_100
    assert len(after) == len(before)
    error = np.sum((after - before) ** 2) / np.sum(before**2)
    assert error < 1e-4


def test_spectrogram_is_the_same_file_every_time(foley_here, tmp_path: Path, tone: Path) -> None:
    for folder in ("a", "b"):
        foley_here("spectrogram", tone, "-o", f"{folder}/", "--front-end", "log-mel-tiny")
    assert (tmp_path / "a/tone.spec.npz").read_bytes() == (
        tmp_path / "b/tone.spec.npz"
    ).read_bytes()
    record = json.loads((tmp_path / "a/run.json").read_text())
    assert record["outputs"]["tone.spec.npz"]["input"] == str(tone)


def test_griffin_lim_depends_on_the_seed_only(foley_here, tmp_path: Path, tone: Path) -> None:
    foley_here("spectrogram", tone, "-o", "t.spec.npz", "--front-end", "log-mel-tiny")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        made = foley_here(
            "invert", "t.spec.npz", "-o", f"{name}.wav", "--seed", seed, "--iterations", 2
        )
        assert made.exit_code == 0
    a, b, c = ((tmp_path / f"{name}.wav").read_bytes() for name in "abc")
    assert a == b != c


def test_mel_has_no_phase_to_invert_with(foley_here, tone: Path) -> None:
    foley_here("spectrogram", tone, "-o", "t.spec.npz", "--front-end", "log-mel-tiny")
    made = foley_here("invert", "t.spec.npz", "-o", "t.wav", "--method", "istft")
    assert made.exit_code == 2
    assert "log-mel-tiny cannot be inverted by istft" in made.stderr


def test_commands_pipe_into_each_other(foley_here, tmp_path: Path, tone: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    shutil.copy(tone, tmp_path / "in/deep/x.wav")
    shutil.copy(tone, tmp_path / "in/y.wav")
    first = foley_here("spectrogram", "in", "-o", "spec", "--front-end", "log-mel-tiny")
    assert first.stdout.split() == ["spec/deep/x.spec.npz", "spec/y.spec.npz"]
    second = foley_here("invert", "-", "-o", "out/", "--iterations", 1, stdin=first.stdout)
    assert second.exit_code == 0
    assert second.stdout.split() == ["out/spec/deep/x.wav", "out/spec/y.wav"]


def test_bad_media_is_named_and_the_rest_goes_on(foley_here, tmp_path: Path, tone: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(tone, tmp_path / "in/good.wav")
    (tmp_path / "in/empty.mp4").touch()
    (tmp_path / "in/text.mp4").write_text("hello")
    made = foley_here("spectrogram", "in", "-o", "out", "--front-end", "log-mel-tiny")
    assert made.exit_code == 1
    assert made.stdout == "out/good.spec.npz\n"
    lines = made.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines[:2]] == ["in/empty.mp4", "in/text.mp4"]
    assert lines[2] == "foley spectrogram: 2 of 3 failed"


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_absent_device_is_wrong_usage(
    foley_here, tmp_path: Path, silent_clip: Path, device: str
) -> None:
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")
    (tmp_path / "data/rain").mkdir(parents=True)
    shutil.copy(silent_clip, tmp_path / "data/rain")
    made = foley_here(
        "train", "foleygan", "data", "-o", "run", "--preset", "smoke", "--device", device
    )
    assert made.exit_code == 2
    assert f"--device {device}" in made.stderr


def extract(foley_here, clip: Path, models: dict[str, Path], *more: object):
    given = [f"--{name}={path}" for name, path in models.items()]
    return foley_here("extract", clip, *given, *more)


def test_extract_writes_features_classes_and_series(
    foley_here, tmp_path: Path, silent_clip: Path, models: dict[str, Path]
) -> None:
    made = extract(foley_here, silent_clip, models, "-o", "c.features.npz")
    assert (made.exit_code, made.stdout) == (0, "c.features.npz\n"), made.stderr
    arrays, meta = load_arrays(tmp_path / "c.features.npz", kind="features")
    assert meta["classes"] == ["clock", "rain"]
    assert meta["duration_s"] == pytest.approx(1.0)
    assert len(arrays["features"]) == 10
    np.testing.assert_allclose(arrays["feature_times_s"], np.arange(10) / 10)
    assert arrays["class_probabilities"].shape == (2,)
    assert arrays["trn2_series"].shape == (10,)
    assert arrays["timing_series"].shape == arrays["timing_times_s"].shape == (30,)
    assert arrays["action_spectrogram"].shape == (3, 64, 256)
    for name, array in arrays.items():
        assert np.isfinite(array).all(), name


def test_extract_looks_at_the_rate_asked_for(
    foley_here, tmp_path: Path, silent_clip: Path, models: dict[str, Path]
) -> None:
    made = extract(foley_here, silent_clip, models, "-o", "-", "--fps", 25)
    (tmp_path / "c.npz").write_bytes(made.stdout_bytes)
    arrays, meta = load_arrays(tmp_path / "c.npz", kind="features")
    assert meta["fps"] == 25
    assert len(arrays["features"]) == 25


def test_extract_needs_a_picture(foley_here, tone: Path, models: dict[str, Path]) -> None:
    made = extract(foley_here, tone, models, "-o", "c.features.npz")
    assert made.exit_code == 2
    assert made.stderr.startswith(f"foley extract: {tone}: no video stream")


def test_unknown_model_is_wrong_usage(foley_here, silent_clip: Path) -> None:
    made = foley_here("extract", silent_clip, "-o", "c.npz", "--recognition", "nobody")
    assert made.exit_code == 2
    assert "nobody: no such model" in made.stderr


@pytest.fixture
def sounds(tmp_path: Path, tone: Path) -> Path:
    """A folder of class folders of sounds."""
    for label in ("rain", "clock"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(2):
            shutil.copy(tone, tmp_path / "data" / label / f"{number}.wav")
    return tmp_path / "data"


def test_train_foleygan_makes_a_run_folder(foley_here, tmp_path: Path, sounds: Path) -> None:
    made = foley_here("train", "foleygan", sounds, "-o", "run", "--preset", "smoke", "--steps", 2)
    assert (made.exit_code, made.stdout) == (0, "run/model.safetensors\n"), made.stderr
    assert "step 2 of 2" in made.stderr
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["options"]["recipe"]["classes"] == ["clock", "rain"]
    assert record["options"]["clips"] == 4
    assert record["outputs"]["model.safetensors"]["sha256"]


def test_train_dry_run_prints_the_recipe(foley_here, tmp_path: Path, sounds: Path) -> None:
    made = foley_here("train", "foleygan", sounds, "-o", "run", "--preset", "paper", "-n")
    assert json.loads(made.stdout)["recipe"]["accumulate"] == 16
    assert not (tmp_path / "run").exists()


def test_interrupted_training_says_so_and_resumes(foley, tmp_path: Path, sounds: Path) -> None:
    arguments = ["train", "foleygan", str(sounds), "-o", "run", "--preset", "smoke"]
    process = subprocess.Popen(
        [sys.executable, "-m", "foleycli", *arguments, "--steps", "100000"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "run/log.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "saved after step" in said
    assert "Traceback" not in said
    done = len((tmp_path / "run/log.jsonl").read_text().splitlines())
    made = foley(*arguments, "--steps", done + 1, "--resume")
    assert made.returncode == 0, made.stderr
    assert len((tmp_path / "run/log.jsonl").read_text().splitlines()) == done + 1


def test_killed_training_resumes_from_its_last_save(foley, tmp_path: Path, sounds: Path) -> None:
    train = [sys.executable, "-m", "foleycli", "train", "foleygan", str(sounds), "-o", "run"]
    train += ["--preset", "smoke", "--steps", "1000000"]
    process = subprocess.Popen(train, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 300
    while not (tmp_path / "run/model.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.kill()  # no chance to save
    process.communicate()
    done = load_state(tmp_path / "run")["step"]
    assert done >= 100
    resumed = foley(*train[3:-1], str(done + 2), "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert load_state(tmp_path / "run")["step"] == done + 2
    lines = (tmp_path / "run/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, done + 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["foleygan", "none"], "no such folder"),
        (["foleygan", "data", "--preset", "huge"], "unknown preset"),
        (["foleygan", "data", "--where", "tier"], "write COLUMN=VALUE"),
        (["foleygan", "data", "--resume", "--preset", "smoke"], "nothing to resume"),
        (["recognition", "none"], "needs pictures"),
    ],
)
def test_wrong_training_is_two(
    foley_here, sounds: Path, arguments: list[str], message: str
) -> None:
    made = foley_here("train", *arguments, "-o", "run")
    assert made.exit_code == 2
    assert message in made.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zero_bytes.mp4", "empty file"),
        ("text_renamed.mp4", "not a media file"),
        ("audio_only.m4a", "no video stream (found: audio/aac)"),
        ("truncated.mp4", "not a media file"),
        ("png_renamed.mp4", "no frame decodes"),
    ],
)
def test_what_cannot_be_watched_says_why(
    foley_here, shared: Path, models: dict[str, Path], name: str, reason: str
) -> None:
    made = extract(foley_here, shared / "data/odd" / name, models, "-o", "c.npz")
    assert made.exit_code == 2
    assert made.stdout == ""
    assert made.stderr.startswith(f"foley extract: {shared / 'data/odd' / name}: {reason}")
    assert made.stderr.count("\n") == 1
