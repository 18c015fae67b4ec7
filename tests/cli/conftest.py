"""The command, in a process of its own or in this one, and small things for it to work on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from foleycli.cli.main import app

Foley = Callable[..., subprocess.CompletedProcess[str]]
CLASSES = ("clock", "rain")
SURVEY_RATE_HZ = 22_050


@pytest.fixture
def foley(tmp_path: Path) -> Foley:
    """``foley(*arguments)`` runs the command in ``tmp_path``."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "foleycli", *map(str, arguments)]
        given: dict[str, object] = {"capture_output": True, "text": True, "env": environment}
        return subprocess.run(command, cwd=tmp_path, **(given | options))  # type: ignore[call-overload]

    return run


@pytest.fixture
def foley_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """As ``foley``, in this process: torch, which takes seconds to load, is loaded once."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: str = "") -> Result:
        given = [str(argument) for argument in arguments]
        return CliRunner().invoke(app, given, stdin, catch_exceptions=False, prog_name="foley")

    return run


@pytest.fixture(scope="session")
def silent_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of a square that jumps at 0.5 s."""
    from foleycli.media.video import write_video

    pictures = np.full((30, 48, 64, 3), 40, np.uint8)
    for number, picture in enumerate(pictures):
        left = 8 + number // 3 + 20 * (number >= 15)
        picture[16:32, left : left + 16] = 220
    path = tmp_path_factory.mktemp("clip") / "silent.mp4"
    write_video(path, iter(pictures), 30.0)
    return path


@pytest.fixture(scope="session")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of 440 Hz at half of full scale, 16 bit, 11025 Hz."""
    from foleycli.media.audio import write_audio

    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    times = np.arange(11_025) / 11_025
    write_audio(path, (0.5 * np.sin(2 * np.pi * 440 * times)).astype(np.float32), 11_025)
    return path


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained models of the smallest size: ``recognition`` and ``timing``."""
    import torch

    from foleycli.checkpoints import save_checkpoint
    from foleycli.models.resnet import ResNet, ResNetConfig
    from foleycli.models.timing import TimingNet
    from foleycli.models.trn import RelationConfig, TemporalRelations
    from foleycli.training.timing import TimingRecipe, timing_config
    from foleycli.vision.backbone import BackboneConfig
    from foleycli.vision.recognition import RecognitionConfig

    folder = tmp_path_factory.mktemp("models")
    backbone = BackboneConfig(ResNetConfig("basic", (1, 1, 1, 1), 4, classes=0), input_size=32)
    width = backbone.network.features
    sees_what = RecognitionConfig(
        CLASSES,
        backbone,
        RelationConfig(width, 3, hidden=8),
        RelationConfig(width, 3, 2, (2,), hidden=8),
    )
    recipe = TimingRecipe(nets=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {
            "backbone": ResNet(backbone.network),
            "mtrn": TemporalRelations(sees_what.mtrn),
            "trn2": TemporalRelations(sees_what.trn2),
            "net0": TimingNet(recipe.network),
        }
    tensors = {f"{p}.{n}": t for p, m in parts.items() for n, t in m.state_dict().items()}
    made = {name: folder / f"{name}.safetensors" for name in ("recognition", "timing")}
    for name, config in (("recognition", sees_what.as_dict()), ("timing", timing_config(recipe))):
        chosen = {n: t for n, t in tensors.items() if n.startswith("net0.") == (name == "timing")}
        save_checkpoint(made[name], kind=name, config=config, tensors=chosen)
    return made


@pytest.fixture(scope="session")
def survey_sides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``videos``, ``originals``, ``ours`` and ``base`` of four clips in two classes."""
    from foleycli.media.audio import write_audio
    from foleycli.media.video import write_video

    folder = tmp_path_factory.mktemp("survey_sides")
    rng = np.random.default_rng(0)
    for number in range(4):
        name = f"{('Rain', 'Clock')[number % 2]}/{number}"
        noise = 0.1 * rng.standard_normal(SURVEY_RATE_HZ).astype(np.float32)
        for side, gain in (("originals", 1.0), ("ours", 0.5), ("base", 2.0)):
            path = folder / side / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, gain * noise, SURVEY_RATE_HZ)
        path = folder / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, iter(np.full((25, 16, 16, 3), 60 * number, np.uint8)), 25)
    return folder


@pytest.fixture(scope="session")
def survey_options(survey_sides: Path) -> list[object]:
    """The options that name those sides."""
    conditions = [f"--condition={name}={survey_sides / name}" for name in ("ours", "base")]
    originals = ["--reference", survey_sides / "originals"]
    return ["--videos", survey_sides / "videos", *conditions, *originals]


@pytest.fixture(scope="session")
def survey_pack(survey_options: list[object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of them, whose key lies beside it."""
    made = tmp_path_factory.mktemp("study") / "pack"
    words = ["survey-pack", "build", *survey_options, "-o", made, "--ratings", 6]
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return made
