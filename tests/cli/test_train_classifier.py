"""``foley train classifier`` on folders and manifests, whole and with what may be wrong in them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foleycli.checkpoints import load_checkpoint

QUICK = ("--smoke", "--steps", 2, "--device", "cpu")


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two classes of two sounds: 0.1 s of mono, and a second of stereo at 44.1 kHz."""
    from foleycli.media.audio import write_audio

    rng = np.random.default_rng(0)
    for label, gain in (("clock", 0.1), ("rain", 0.5)):
        (tmp_path / "sounds" / label).mkdir(parents=True)
        short = gain * rng.uniform(-1, 1, 2205).astype(np.float32)
        write_audio(tmp_path / "sounds" / label / "short.wav", short, 22_050)
        stereo = gain * rng.uniform(-1, 1, (2, 44_100)).astype(np.float32)
        write_audio(tmp_path / "sounds" / label / "stereo.wav", stereo, 44_100)
    return tmp_path / "sounds"


def test_a_dry_run_writes_nothing(foley_here, sounds: Path, tmp_path: Path) -> None:
    settings = json.loads(foley_here("train", "classifier", sounds, "-o", "run", "-n").stdout)
    assert settings["clips"] == 4
    assert settings["recipe"]["network"]["resnet"]["classes"] == 2
    assert not (tmp_path / "run").exists()


def test_a_folder_makes_a_classifier_and_resumes(foley_here, sounds: Path, tmp_path: Path) -> None:
    made = foley_here("train", "classifier", sounds, "-o", "run", *QUICK)
    assert made.exit_code == 0, made.stderr
    assert made.stdout == "run/model.safetensors\n"
    model = load_checkpoint(tmp_path / "run", kind="classifier")
    assert model.config["classes"] == ["clock", "rain"]
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["options"]["data_sha256"] == model.provenance["data_sha256"]
    again = foley_here("train", "classifier", sounds, "-o", "run", *QUICK, "--resume")
    assert again.stdout == "run/model.safetensors\n"
    other = (*QUICK, "--resume", "--arch", "melception")
    refused = foley_here("train", "classifier", sounds, "-o", "run", *other)
    assert refused.exit_code == 2
    assert "cannot resume: " in refused.stderr


def test_a_manifests_valid_rows_are_only_recognised(
    foley_here, sounds: Path, tmp_path: Path
) -> None:
    clips = [(p, p.parent.name, "train") for p in sorted(sounds.glob("*/*.wav"))]
    (tmp_path / "damaged.wav").write_bytes(b"no sound")
    clips += [(clips[0][0], "clock", "valid"), (tmp_path / "damaged.wav", "rain", "valid")]
    rows = [f"{path},{label},{split}" for path, label, split in clips]
    (tmp_path / "list.csv").write_text("\n".join(["path,class,split", *rows]))
    made = foley_here("train", "classifier", "list.csv", "-o", "run", *QUICK, "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["valid"]["clips"] == 1
    assert "damaged.wav: left out of the validation: " in made.stderr
    assert "valid: " in made.stderr
    assert json.loads((tmp_path / "run/run.json").read_text())["options"]["clips"] == 4


def test_what_cannot_be_learned_is_refused_before_anything_is_written(
    foley_here, sounds: Path, tmp_path: Path
) -> None:
    def refused(*options: str) -> str:
        found = foley_here("train", "classifier", sounds, "-o", "run", *QUICK, *options)
        assert found.exit_code == 2
        assert found.stdout == ""
        assert not (tmp_path / "run").exists()
        message = found.stderr.splitlines()[-1]
        return message

    assert "need at least two classes, got: rain" in refused("--classes", "rain")
    assert "no training clips for: dog" in refused("--classes", "rain,clock,dog")
    assert "small, resnet50, melception, vggishish" in refused("--arch", "alexnet")
    (sounds / "rain/damaged.wav").write_bytes(b"no sound")
    assert "rain/damaged.wav: " in refused()
