"""``foley train timing`` and ``foley train recognition`` with recipes cut down to seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foleycli.checkpoints import load_checkpoint


@pytest.fixture
def clips(tmp_path: Path, silent_clip: Path) -> Path:
    """Class folders with a sounding clip, and one with none."""
    from foleycli.media.mux import mux

    sound = np.zeros(22_050, np.float32)
    sound[11_025:13_000] = np.random.default_rng(0).uniform(-0.5, 0.5, 1975)
    for label in ("clock", "rain"):
        (tmp_path / "data" / label).mkdir(parents=True)
        mux(silent_clip, sound, 22_050, tmp_path / "data" / label / "a.mp4")
    (tmp_path / "data/rain/silent.mp4").write_bytes(silent_clip.read_bytes())
    return tmp_path / "data"


def test_timing_makes_a_model_that_extract_takes(
    foley_here,
    tmp_path: Path,
    clips: Path,
    silent_clip: Path,
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from foleycli.training import timing

    tiny = timing.TimingRecipe(nets=1, steps=2, scenes=1)
    monkeypatch.setattr(timing, "TimingRecipe", lambda: tiny)
    made = foley_here("train", "timing", clips, "-o", "run", "--seed", 3)
    assert made.exit_code == 0, made.stderr
    assert made.stdout == "run/model.safetensors\n"
    assert "silent.mp4: left out: no audio stream" in made.stderr
    provenance = load_checkpoint(tmp_path / "run", kind="timing").provenance
    assert (provenance["clips"], provenance["seed"]) == (2, 3)
    record = json.loads((tmp_path / "run/run.json").read_text())
    assert record["options"]["data_sha256"] == provenance["data_sha256"]
    seen = foley_here(
        *("extract", silent_clip, "-o", "c.npz"),
        *("--timing", "run", "--recognition", models["recognition"]),
    )
    assert seen.exit_code == 0, seen.stderr


def test_recognition_makes_a_model(
    foley_here, tmp_path: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foleycli.models.resnet import ResNetConfig
    from foleycli.training import recognition
    from foleycli.vision.backbone import BackboneConfig

    backbone = BackboneConfig(ResNetConfig("basic", (1, 1, 1, 1), 4, classes=0), input_size=32)
    recipe = recognition.RecognitionRecipe

    def tiny(**settings):
        for part, sizes in (("training", {"views": 1}), ("relations", {"hidden": 8})):
            settings[part] = replace(settings[part], steps=2, batch=4, **sizes)
        return recipe(**settings, backbone=backbone, films=1)

    monkeypatch.setattr(recognition, "RecognitionRecipe", tiny)
    made = foley_here(
        "train", "recognition", clips, "-o", "run", "--classes", "rain,clock", "--json"
    )
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["output"] == "run/model.safetensors"
    assert load_checkpoint(tmp_path / "run", kind="recognition").config["classes"] == [
        "rain",
        "clock",
    ]
