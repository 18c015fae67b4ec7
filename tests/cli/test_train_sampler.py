"""``foley train sampler`` on folders, with classes, features, both and nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint, save_checkpoint
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN
from foleycli.files.arrays import save_arrays
from foleycli.files.provenance import file_sha256
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook
from foleycli.sound_codes.loading import load_sound_codes

CODEBOOK = CodebookConfig(
    codes=16, code_width=4, channels=4, multiples=(1, 1, 1, 1, 1), residual_blocks=1, groups=2,
    frames=64,
)  # fmt: skip
QUICK = ("--codebook", "codebook.safetensors", "--preset", "smoke", "--device", "cpu")


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two classes of two sounds, to learn from and to be judged on; a codebook; features."""
    from foleycli.media.audio import write_audio

    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        for label, gain in (("clock", 0.1), ("rain", 0.5)):
            folder = tmp_path / "sounds" / split / label
            folder.mkdir(parents=True)
            for name, samples in (("short", 2205), ("long", 44_100)):
                noise = gain * rng.uniform(-1, 1, samples).astype(np.float32)
                write_audio(folder / f"{name}.wav", noise, 22_050)
                values = rng.random((30, 6), np.float32)
                about = {"fps": 21.5, "backbone": "bninception"}
                target = tmp_path / "features" / split / label / f"{name}.features.npz"
                save_arrays(target, {"features": values}, kind="features", meta=about)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tensors = SpectrogramCodebook(CODEBOOK).state_dict()
    save_checkpoint(
        tmp_path / "codebook.safetensors",
        kind="codebook",
        config={"network": CODEBOOK.as_dict(), "front_end": SPECVQGAN.as_dict()},
        tensors={f"codebook.{name}": tensor for name, tensor in tensors.items()},
    )
    return tmp_path / "sounds"


@pytest.mark.parametrize(
    ("options", "condition", "classes", "count"),
    [
        ((), "class", ["clock", "rain"], 0),
        (("--features", "features/"), "features", [], 5),
        (
            ("--features", "features/", "--condition", "features+class", "--count", 2),
            *("features+class", ["clock", "rain"], 2),
        ),
        (("--condition", "none"), "noise", [], 1),
    ],
)
def test_a_folder_makes_a_sampler_of_each_condition(
    options: tuple[object, ...],
    condition: str,
    classes: list[str],
    count: int,
    foley_here,
    sounds: Path,
    tmp_path: Path,
) -> None:
    made = foley_here("train", "sampler", sounds, "-o", "run", *QUICK, *options, "--json")
    assert made.exit_code == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["output"] == "run/model.safetensors"
    assert told["valid"].keys() == {"step", "loss", "perplexity", "accuracy"}
    config = load_checkpoint(tmp_path / "run", kind="sampler").config
    assert (config["network"]["condition"], config["network"]["features"]) == (condition, count)
    assert config["classes"] == classes
    if condition.startswith("features"):
        assert config["features"] == {"backbone": "bninception", "count": count, "width": 6}
    else:
        assert config["features"] is None
    assert config["codebook_sha256"] == file_sha256(tmp_path / "codebook.safetensors")
    models = [str(tmp_path / "run"), str(tmp_path / "codebook.safetensors")]
    sampler = load_sound_codes(models, ("codebook", "sampler")).sampler
    assert sampler is not None
    assert sampler.wants_features == condition.startswith("features")
    assert sampler.wants_class == bool(classes)


def test_codes_are_kept_and_a_run_resumed(foley_here, sounds: Path, tmp_path: Path) -> None:
    first = foley_here("train", "sampler", sounds, "-o", "run", *QUICK, "--steps", 3)
    assert first.exit_code == 0, first.stderr
    codes = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/codes").iterdir()}
    assert len(codes) == 8
    again = foley_here("train", "sampler", sounds, "-o", "run", *QUICK, "--steps", 4, "--resume")
    assert again.stdout == "run/model.safetensors\n"
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run/codes").iterdir()} == codes
    log = (tmp_path / "run/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2, 3, 4]
    other = ("--condition", "none", "--resume")
    refused = foley_here("train", "sampler", sounds, "-o", "run", *QUICK, *other)
    assert refused.exit_code == 2
    assert "cannot resume: classes was ('clock', 'rain'), now ()" in refused.stderr


def test_a_dry_run_writes_nothing(foley_here, sounds: Path, tmp_path: Path) -> None:
    options = ("-n", "--features", "features", "--batch", 8, "--base-rate", 0.5, "--patience", 7)
    shown = foley_here("train", "sampler", sounds, "-o", "run", *QUICK, *options)
    recipe = json.loads(shown.stdout)["recipe"]
    assert (recipe["batch"], recipe["base_rate"], recipe["patience"]) == (8, 0.5, 7)
    assert (recipe["network"]["rows"], recipe["network"]["columns"]) == (5, 4)
    assert len(recipe["features"]["sha256"]) == 64
    assert not (tmp_path / "run").exists()


def test_what_is_missing_is_named(foley_here, sounds: Path, tmp_path: Path) -> None:
    (tmp_path / "features/train/rain/long.features.npz").unlink()
    for options, message in (
        (("--features", "features"), "train/rain/long.features.npz: no such features (1 of 4"),
        (("--condition", "features"), "--condition features needs --features DIR"),
        (("--condition", "class", "--count", 5), "not for --condition class"),
        (("--condition", "none", "--features", "features"), "not for --condition none"),
        (("--codebook", "nothing"), "nothing: no such model"),
    ):
        refused = foley_here("train", "sampler", sounds, "-o", "run", *QUICK, *options)
        assert refused.exit_code == 2
        assert message in refused.stderr
    assert not (tmp_path / "run").exists()
