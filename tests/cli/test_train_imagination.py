"""``foley train sound2scene`` and ``foley train s2i``, whole and with what may be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from foleycli.checkpoints import load_checkpoint

SYSTEMS = ("sound2scene", "s2i")
STEPS = {"sound2scene": "2,2,2", "s2i": "2,2"}
WEAK = ("--sounds", "sounds.csv", "--pictures", "pictures", "--same", "rail=train")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Sounds of two classes and a third without pictures; pictures of two, called otherwise."""
    from foleycli.media.audio import write_audio

    rng = np.random.default_rng(0)
    rows = ["path,class,split,tier"]
    for label, gain in (("rail", 0.1), ("rain", 0.5), ("cough", 0.3)):
        for number, split in enumerate(("train", "train", "valid")):
            wave = gain * rng.uniform(-1, 1, 24_000).astype(np.float32)
            write_audio(tmp_path / f"{label}{number}.wav", wave, 16_000)
            rows.append(f"{label}{number}.wav,{label},{split},{'free' if number else 'nc'}")
    (tmp_path / "sounds.csv").write_text("\n".join(rows))
    for label, shade in (("train", 40), ("rain", 200)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(12):
            noise = rng.integers(0, 40, (20, 30, 3)) + shade
            cv2.imwrite(str(tmp_path / f"pictures/{label}/{number}.png"), noise.astype(np.uint8))
    return tmp_path


def _train(foley_here, system: str, *options: object):
    quick = ("--preset", "smoke", "--steps", STEPS[system], "--device", "cpu", "-o", "run")
    return foley_here("train", system, *quick, *options)


@pytest.mark.parametrize("system", SYSTEMS)
def test_sounds_meet_pictures_of_their_class(foley_here, data: Path, system: str) -> None:
    settings = json.loads(_train(foley_here, system, *WEAK, "-n").stdout)
    assert settings["classes"] == settings["recipe"]["classes"] == ["rail", "rain"]
    assert (settings["clips"], settings["pictures"]) == (4, 22)
    assert not (data / "run").exists()
    made = _train(foley_here, system, *WEAK, "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["output"] == "run/model.safetensors"
    assert all(np.isfinite(value) for value in json.loads(made.stdout)["valid"].values())
    model = load_checkpoint(data / "run", kind=system)
    assert sorted(model.config["classes"]) == ["rail", "rain"]
    assert model.provenance["same"] == {"rail": "train"}
    record = json.loads((data / "run/run.json").read_text())
    assert record["options"]["data_sha256"] == model.provenance["data_sha256"]
    again = _train(foley_here, system, *WEAK, "--resume")
    assert again.stdout == "run/model.safetensors\n"
    assert len((data / "run/log.jsonl").read_text().splitlines()) == 2 * len(STEPS[system][::2])
    refused = _train(foley_here, system, *WEAK, "--resume", "--seed", 3)
    assert refused.exit_code == 2
    assert "cannot resume: seed was 0, now 3" in refused.stderr


@pytest.mark.parametrize("system", SYSTEMS)
def test_clips_bring_their_own_pictures(
    foley_here, tmp_path: Path, silent_clip: Path, system: str
) -> None:
    from foleycli.media.mux import mux

    rng = np.random.default_rng(0)
    for label in ("dog", "rain"):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(2):
            sound = rng.uniform(-0.5, 0.5, 16_000).astype(np.float32)
            mux(silent_clip, sound, 16_000, tmp_path / f"clips/{label}/{number}.mp4")
    (tmp_path / "clips/rain/silent.mp4").write_bytes(silent_clip.read_bytes())
    (tmp_path / "ranked.json").write_text('{"0": [3]}')
    made = _train(foley_here, system, "clips", "--moments", "ranked.json", "--batch", 4)
    assert made.exit_code == 0, made.stderr
    assert "silent.mp4: left out: no audio stream" in made.stderr
    assert load_checkpoint(tmp_path / "run").config["classes"] == ["dog", "rain"]


def test_values_of_a_condition_may_be_several(foley_here, data: Path) -> None:
    def clips(*where: str) -> int:
        made = _train(foley_here, "s2i", *WEAK, "-n", *where)
        assert made.exit_code == 0, made.stderr
        return json.loads(made.stdout)["clips"]

    assert clips("--where", "tier=nc") == 2
    assert clips("--where", "tier=free|nc") == 4
    assert clips("--where", "tier=free|other") == 2
    assert clips("--where", "tier=F*") == 2
    assert clips("--where", "tier=*") == 4


def _licensed(data: Path) -> None:
    rows = ["path,class,licence"]
    for label in ("train", "rain"):
        for number in range(12):
            licence = ("CC0-1.0 (repo)", "MIT", "")[number % 3]
            rows.append(f"{label}/{number}.png,{label},{licence}")
    (data / "pictures" / "manifest.csv").write_text("\n".join(rows))


@pytest.mark.parametrize("system", SYSTEMS)
def test_pictures_are_chosen_by_licence_and_said(foley_here, data: Path, system: str) -> None:
    _licensed(data)
    every = json.loads(_train(foley_here, system, *WEAK, "-n").stdout)
    counts = {"CC0-1.0 (repo)": 6, "MIT": 8, "not stated": 8}  # every tenth is for validation
    assert every["picture_licences"] == counts
    made = _train(foley_here, system, *WEAK, "--pictures-where", "licence=cc0*|MIT", "--batch", 4)
    assert made.exit_code == 0, made.stderr
    assert "licences of the pictures: 8 MIT; 6 CC0-1.0 (repo)\n" in made.stderr
    kept = {"CC0-1.0 (repo)": 6, "MIT": 8}
    assert load_checkpoint(data / "run").provenance["picture_licences"] == kept


def test_conditions_on_pictures_must_be_met(foley_here, data: Path) -> None:
    def refused(*options: object) -> str:
        found = _train(foley_here, "s2i", *options)
        assert (found.exit_code, len(found.stderr.splitlines())) == (2, 1)
        return found.stderr

    assert "pictures has no manifest.csv" in refused(*WEAK, "--pictures-where", "licence=MIT")
    _licensed(data)
    assert "has no such column" in refused(*WEAK, "--pictures-where", "colour=red")
    assert "no picture has it (some: CC0-1.0 (repo), MIT)" in refused(
        *WEAK, "--pictures-where", "licence=mit"
    )
    assert "DATA takes --where" in refused("sounds.csv", "--pictures-where", "licence=MIT")


@pytest.mark.parametrize("system", SYSTEMS)
def test_wrong_usage_is_one_line(foley_here, data: Path, system: str) -> None:
    def refused(*options: object) -> str:
        found = _train(foley_here, system, *options)
        assert (found.exit_code, found.stdout) == (2, "")
        assert not (data / "run").exists()
        assert len(found.stderr.splitlines()) == 1
        return found.stderr

    assert "give DATA, or both --sounds and --pictures" in refused()
    assert "give DATA, or both" in refused("--sounds", "sounds.csv")
    assert "give DATA, or both" in refused("sounds.csv", *WEAK)
    assert "--same is for --sounds" in refused("sounds.csv", "--same", "a=b")
    assert "--same rail: write SOUND=PICTURE" in refused(*WEAK[:4], "--same", "rail")
    assert "there are no pictures of 'x'" in refused(*WEAK[:4], "--same", "rail=x")
    assert "fewer than two classes" in refused(*WEAK[:4])
    assert "nowhere: no such folder or manifest" in refused(*WEAK[:3], "nowhere")
    assert "smoke, mini, paper" in refused(*WEAK, "--preset", "huge")
    assert "--steps 5,x: write whole numbers" in refused(*WEAK, "--steps", "5,x")
    assert "the manifest has no such column" in refused(*WEAK, "--where", "colour=red")


def test_an_encoder_is_given_or_taught(foley_here, data: Path, models: dict[str, Path]) -> None:
    given = ("--picture-encoder", models["recognition"])
    both = _train(foley_here, "sound2scene", *WEAK, *given, "--teacher", "t.safetensors")
    assert both.exit_code == 2
    assert "needs no --teacher" in both.stderr
    made = _train(foley_here, "sound2scene", *WEAK, *given)
    assert made.exit_code == 0, made.stderr
    image = load_checkpoint(data / "run").config["image"]
    assert (image["pixels"], image["network"]["width"]) == (32, 4)
    wrong = _train(foley_here, "sound2scene", *WEAK, "--picture-encoder", models["timing"])
    assert "a 'timing' model has no picture encoder" in wrong.stderr
