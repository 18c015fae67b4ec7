"""``foley extract --backbone`` on clips and on published pickles."""

from __future__ import annotations

import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import save_checkpoint
from foleycli.files.arrays import load_arrays
from foleycli.files.provenance import file_sha256
from foleycli.models.bn_inception import BNInception, BNInceptionConfig
from foleycli.models.resnet import RESNET50, ResNet
from foleycli.sound_codes.conditions import load_features

INCEPTION = ("--backbone", "bninception", "--device", "cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained networks of the smallest size: of frames, and of flow."""
    folder = tmp_path_factory.mktemp("weights")
    made = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for name, channels in (("frames", 3), ("flow", 2)):
            config = BNInceptionConfig(channels, 1 / 32)
            made[name] = folder / f"{name}.safetensors"
            save_checkpoint(
                made[name],
                kind="bn-inception",
                config=asdict(config),
                tensors=BNInception(config).state_dict(),
            )
    return made


def test_features_are_written_and_can_be_read(
    foley_here, silent_clip: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    model = ("--model", weights["frames"])
    made = foley_here("extract", silent_clip, "-o", "a.features.npz", *INCEPTION, *model)
    assert (made.exit_code, made.stdout) == (0, "a.features.npz\n"), made.stderr
    assert "215 x 32 features of bninception, those of 22 frames repeated" in made.stderr
    arrays, meta = load_arrays(tmp_path / "a.features.npz", kind="features")
    assert arrays["features"].shape == (215, 32)
    assert arrays["features"].dtype == np.float32
    assert len(arrays["feature_times_s"]) == 215
    assert (meta["backbone"], meta["fps"]) == ("bninception", 21.5)
    assert meta["model_sha256"] == [file_sha256(weights["frames"])]
    track = load_features(tmp_path / "a.features.npz")
    assert (track.backbone, track.fps, track.values.shape) == ("bninception", 21.5, (215, 32))


def test_flow_is_seen_by_a_network_of_its_own_or_one_made_for_it(
    foley_here, silent_clip: Path, weights: dict[str, Path], tmp_path: Path
) -> None:
    frames, flow = ("--model", weights["frames"]), ("--model", weights["flow"])
    for name, models in (("one", frames), ("two", (*frames, *flow))):
        output = f"{name}.features.npz"
        more = ("--flow", "--all", *models)
        made = foley_here("extract", silent_clip, "-o", output, *INCEPTION, *more)
        assert made.exit_code == 0, made.stderr
    one, two = (load_features(tmp_path / f"{n}.features.npz") for n in ("one", "two"))
    assert one.backbone == "bninception+flow"
    assert one.values.shape == (22, 64)
    np.testing.assert_array_equal(one.values[:, :32], two.values[:, :32])
    assert np.abs(one.values[:, 32:] - two.values[:, 32:]).max() > 0.01
    refused = foley_here("extract", silent_clip, "-o", "x.npz", *INCEPTION, *frames, *flow)
    assert refused.exit_code == 2
    assert "give one of frames, and at most one of flow with --flow" in refused.stderr


@pytest.mark.slow
def test_resnet50_looks_too(foley_here, silent_clip: Path, tmp_path: Path) -> None:
    save_checkpoint(
        tmp_path / "resnet50.safetensors",
        kind="resnet50",
        config=asdict(RESNET50),
        tensors=ResNet(RESNET50).state_dict(),
    )
    options = ("--backbone", "resnet50", "--model", "resnet50.safetensors", "--device", "cpu")
    made = foley_here("extract", silent_clip, "-o", "out/", *options)
    assert made.exit_code == 0, made.stderr
    track = load_features(tmp_path / "out/silent.features.npz")
    assert (track.backbone, track.values.shape) == ("resnet50", (215, 2048))
    assert track.values.min() == 0


def test_without_weights_it_says_where_they_are(foley_here, silent_clip: Path) -> None:
    refused = foley_here("extract", silent_clip, "-o", "x.npz", "--backbone", "bninception")
    assert refused.exit_code == 2
    assert "foley checkpoint pull bn-inception" in refused.stderr
    assert "foley checkpoint import FILE -o bn-inception.safetensors" in refused.stderr
    assert not Path("x.npz").exists()


def test_published_features_are_brought_to_215_rows(foley_here, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = {"rgb": rng.random((214, 4), np.float32), "flow": rng.random((216, 3), np.float32)}
    for name, values in rows.items():
        folder = tmp_path / "dog" / f"feature_{name}_bninception_dim1024_21.5fps"
        folder.mkdir(parents=True)
        (folder / "video_00001.pkl").write_bytes(pickle.dumps(values, 3))
    frames = "dog/feature_rgb_bninception_dim1024_21.5fps"
    made = foley_here("extract", frames, "-o", "out/", *INCEPTION, "--flow")
    assert made.exit_code == 0, made.stderr
    track = load_features(tmp_path / "out/video_00001.features.npz")
    assert (track.backbone, track.fps) == ("bninception+flow", 21.5)
    np.testing.assert_array_equal(track.values[:214, :4], rows["rgb"])
    assert not track.values[214, :4].any()
    np.testing.assert_array_equal(track.values[:, 4:], rows["flow"][:215])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--flow",), "--flow and --all are for --backbone"),
        (("--backbone", "resnet50", "--flow"), "--flow is for --backbone bninception"),
        (("--backbone", "resnet50", "--fps", 10), "leave them out"),
        (("--backbone", "resnet50", "--class", "dog"), "leave them out"),
        (("--backbone", "resnet50", "--moments"), "--backbone writes features"),
    ],
)
def test_what_does_not_go_together_is_refused(
    options: tuple[object, ...], message: str, foley_here, silent_clip: Path
) -> None:
    refused = foley_here("extract", silent_clip, "-o", "x.npz", *options)
    assert refused.exit_code == 2
    assert message in refused.stderr
