"""``foley train codebook|vocoder|melception|vggishish`` on folders and manifests, at smoke size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from foleycli.checkpoints import load_checkpoint

ALL = ("codebook", "vocoder", "melception", "vggishish")
QUICK = ("--preset", "smoke", "--device", "cpu")


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """Two classes of two sounds, to learn from and to be judged on, one in stereo."""
    from foleycli.media.audio import write_audio

    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        for label, gain in (("clock", 0.1), ("rain", 0.5)):
            folder = tmp_path / "sounds" / split / label
            folder.mkdir(parents=True)
            short = gain * rng.uniform(-1, 1, 2205).astype(np.float32)
            write_audio(folder / "short.wav", short, 22_050)
            stereo = gain * rng.uniform(-1, 1, (2, 44_100)).astype(np.float32)
            write_audio(folder / "stereo.wav", stereo, 44_100)
    return tmp_path / "sounds"


@pytest.mark.parametrize("kind", ALL)
def test_a_dry_run_writes_nothing(kind: str, foley_here, sounds: Path, tmp_path: Path) -> None:
    options = ("-n", "--short", "silence", "--patience", 2, "--accumulate", 2)
    settings = json.loads(foley_here("train", kind, sounds, "-o", "run", *QUICK, *options).stdout)
    recipe = settings["recipe"]
    assert settings["clips"] == 4
    assert recipe.get("short", recipe.get("sight", {}).get("short")) == "silence"
    assert (recipe["patience"], recipe["accumulate"]) == (2, 2)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ALL)
def test_a_folder_makes_a_model_and_resumes(
    kind: str, foley_here, sounds: Path, tmp_path: Path
) -> None:
    made = foley_here("train", kind, sounds, "-o", "run", *QUICK, "--steps", 3, "--json")
    assert made.exit_code == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["output"] == "run/model.safetensors"
    model = load_checkpoint(tmp_path / "run", kind=kind)
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["options"]["data_sha256"] == model.provenance["data_sha256"]
    assert told["valid"] == model.provenance["valid"]
    figures = {
        "codebook": {"mel_l1", "perplexity", "zero_hit_codes"},
        "vocoder": {"mel_l1"},
    }.get(kind, {"loss", "accuracy", "top5", "mAP", "mAUC"})
    assert told["valid"].keys() - {"step"} == figures
    assert f"foley train {kind}: valid: " in made.stderr
    again = foley_here("train", kind, sounds, "-o", "run", *QUICK, "--steps", 4, "--resume")
    assert again.stdout == "run/model.safetensors\n"
    log = (tmp_path / "run/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in log] == [1, 2, 3, 4]
    if kind in ("melception", "vggishish"):
        listened = foley_here(
            "metrics", "stats", sounds / "valid", "--network", "run", "-o", "v.npz"
        )
        assert listened.exit_code == 0, listened.stderr
    refused = foley_here("train", kind, sounds, "-o", "run", *QUICK, "--batch", 8, "--resume")
    assert refused.exit_code == 2
    assert "cannot resume: batch was 4, now 8" in refused.stderr


def test_a_codebook_listens_with_a_vggishish(foley_here, sounds: Path, tmp_path: Path) -> None:
    assert foley_here("train", "vggishish", sounds, "-o", "ears", *QUICK).exit_code == 0
    ears = ("--lpaps", "ears/model.safetensors", "--lpaps-weights", "none")
    made = foley_here("train", "codebook", sounds, "-o", "run", *QUICK, *ears, "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["valid"]["lpaps"] > 0
    recipe = load_checkpoint(tmp_path / "run").provenance["recipe"]
    assert recipe["lpaps"] == "none"
    assert len(recipe["lpaps_sha256"]) == 64
    wrong = ("--lpaps", "run/model.safetensors")
    refused = foley_here("train", "codebook", sounds, "-o", "other", *QUICK, *wrong)
    assert refused.exit_code == 2
    assert "holds a 'codebook' model where 'vggishish' is needed" in refused.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("kind", ["codebook", "vocoder"])
def test_a_plain_list_will_do_and_says_what_it_lacks(
    kind: str, foley_here, sounds: Path, tmp_path: Path
) -> None:
    paths = sorted(sounds.glob("*/*/*.wav"))
    (tmp_path / "list.txt").write_text("".join(f"{path}\n" for path in paths))
    made = foley_here("train", kind, "list.txt", "-o", "run", *QUICK, "--steps", 1)
    assert made.exit_code == 0, made.stderr
    assert "no split called valid: nothing is validated, and the model is the latest" in made.stderr
    assert json.loads((tmp_path / "run/run.json").read_text())["options"]["clips"] == 8


@pytest.mark.parametrize("kind", ["melception", "vggishish"])
def test_a_class_that_is_not_learned_is_not_asked_for(
    kind: str, foley_here, sounds: Path, tmp_path: Path
) -> None:
    (sounds / "train/clock").rename(sounds / "train/dog")
    made = foley_here("train", kind, sounds, "-o", "run", *QUICK, "--steps", 1)
    assert made.exit_code == 0, made.stderr
    config = load_checkpoint(tmp_path / "run").config
    assert config["class_names"] == ["dog", "rain"]
    refused = foley_here("train", kind, sounds, "-o", "new", *QUICK, "--classes", "rain,clock")
    assert refused.exit_code == 2
    assert "no training clips for: clock" in refused.stderr
    (sounds / "train/dog/damaged.wav").write_bytes(b"no sound")
    refused = foley_here("train", kind, sounds, "-o", "new", *QUICK)
    assert refused.exit_code == 2
    assert "dog/damaged.wav: " in refused.stderr
    assert not (tmp_path / "new").exists()
