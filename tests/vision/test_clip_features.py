"""SpecVQGAN's visual features: the published frames, pictures, rows and their number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr

from foleycli.media.video import read_frames, write_video
from foleycli.models.bn_inception import BNInception, BNInceptionConfig
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.vision.clip_features import (
    FPS,
    InceptionEye,
    ResnetEye,
    at_nearest,
    clip_rows,
    flow_network,
)
from foleycli.vision.published_pictures import (
    FlowPictures,
    inception_picture,
    quantised,
    resized,
    resnet_picture,
    squeezed,
)

TINY = BNInceptionConfig(scale=1 / 32)
PUBLISHED = {  # clip: rows before any were repeated
    "cough/vas_00331": 216,
    "gunshot/vas_00819": 172,
    "drum/vas_02542": 215,
}


def _picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth enough for flow, with detail in it."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second at 30 frames a second, each brighter than the one before."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, (np.full((64, 96, 3), 16 * k + 8, np.uint8) for k in range(15)), 30.0)
    return path


def _resnet() -> ResnetEye:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ResnetEye(ResNet(ResNetConfig("basic", (1, 1, 1, 1), 4, classes=0)))


def _inception() -> BNInception:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BNInception(TINY)


@pytest.mark.parametrize("rate", [12.0, 21.5, 24.0, 30.0, 60.0])
def test_frames_come_as_ffmpegs_fps_filter_gives_them(rate: float, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, (np.full((16, 16, 3), 5 * k + 8, np.uint8) for k in range(45)), rate)
    graph = av.filter.Graph()
    with av.open(str(path)) as container:
        source = graph.add_buffer(template=container.streams.video[0])
        graph.link_nodes(source, graph.add("fps", "fps=21.5"), graph.add("buffersink")).configure()
        for frame in container.decode(video=0):
            graph.push(frame)
        graph.push(None)
        theirs = []
        while True:
            try:
                theirs.append(graph.pull().to_ndarray(format="gray").mean())
            except (av.error.EOFError, av.error.BlockingIOError):
                break
    ours = [frame.gray().mean() for frame in at_nearest(read_frames(path), FPS)]
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours, theirs, atol=2)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_features_change_when_these_frames_do(name: str, shared: Path) -> None:
    stored = shared / "goldens/specvqgan/features" / f"{Path(name).name}.npz"
    with np.load(stored) as file:
        theirs = file["resnet50"].astype(np.float32)
    frames = at_nearest(read_frames(shared / "data/video" / f"{name}.mp4"), FPS)
    ours = np.stack([frame.gray(56, 56) for frame in frames]).astype(np.float32)
    count = PUBLISHED[name]
    assert len(ours) == count
    if count < 215:
        np.testing.assert_array_equal(theirs[count:], theirs[: 215 - count])
    count = min(count, 215)
    moved = np.abs(np.diff(ours[:count], axis=0)).mean((1, 2))
    changed = np.linalg.norm(np.diff(theirs[:count], axis=0), axis=1)
    here, early, late = (
        spearmanr(*pair).statistic
        for pair in ((moved, changed), (moved[1:], changed[:-1]), (moved[:-1], changed[1:]))
    )
    assert here > 0.65
    assert here > max(early, late) + 0.1


@pytest.mark.parametrize("size", [(256, 340), (720, 1280), (360, 202), (100, 90), (257, 256)])
def test_pictures_are_resized_as_pillow_does(size: tuple[int, int]) -> None:
    picture = _picture(*size)
    given = Image.fromarray(picture)
    theirs = np.asarray(given.resize((224, 224), Image.Resampling.BILINEAR), np.int16)
    assert np.abs(resized(picture, 224, 224) - theirs).max() <= 1
    shorter = min(size)
    tall, wide = (int(256 * side / shorter) for side in size)
    whole = given.resize((wide, tall), Image.Resampling.BILINEAR)
    top, left = round((tall - 224) / 2), round((wide - 224) / 2)
    cut = np.asarray(whole.crop((left, top, left + 224, top + 224)), np.int16)
    assert np.abs(resnet_picture(picture) - cut).max() <= 1


def test_inception_sees_all_of_a_frame_blue_first() -> None:
    frame = np.zeros((90, 400, 3), np.uint8)
    frame[:, -40:, 2] = 255
    seen = inception_picture(squeezed(frame))
    assert seen.shape == (224, 224, 3)
    assert seen[100, -4, 0] == 255
    assert seen[..., 1:].max() == 0


def test_flow_is_stored_in_eight_bits() -> None:
    stored = quantised(np.array([-30.0, -20, 0, 0.1, 10, 20, 25]))
    assert stored.tolist() == [0, 0, 128, 128, 191, 255, 255]


def test_flow_pictures_tell_how_far_things_moved() -> None:
    wide = _picture(280, 400)
    before, after = wide[12:268, 30:370], wide[15:271, 25:365]  # 5 to the right, 3 up
    seen = FlowPictures()(before, after)[60:160, 60:160].astype(np.float64)
    moved = seen.mean((0, 1)) / 255 * 40 - 20
    np.testing.assert_allclose(moved, (5, -3), atol=0.3)


def test_row_k_of_inception_is_of_frame_k_plus_1_and_the_flow_to_it() -> None:
    wide = _picture(256, 400)
    frames = [wide[:, left : left + 340] for left in (0, 4, 12)]
    eye = InceptionEye(_inception(), flow_network(_inception()))
    looped, whole = (list(eye.pictures(frames, repeat=repeat)) for repeat in (True, False))
    for rows, after in ((looped, (1, 2, 0)), (whole, (1, 2, 2))):
        assert len(rows) == 3
        for row, frame in zip(rows, after, strict=True):
            np.testing.assert_array_equal(row[0], inception_picture(frames[frame]))
    shifts = [np.median(row[1][60:160, 60:160, 0]) / 255 * 40 - 20 for row in looped]
    np.testing.assert_allclose(shifts, (-4, -8, 12), atol=0.5)
    assert np.median(whole[-1][1]) in (127, 128)


def test_a_network_of_flow_is_made_of_that_of_frames() -> None:
    frames, name = _inception(), "conv1_7x7_s2.weight"
    flow = flow_network(frames).state_dict()[name]
    torch.testing.assert_close(flow[:, 0], frames.state_dict()[name].mean(1))
    assert torch.equal(flow[:, 0], flow[:, 1])


def test_a_short_clip_is_repeated_and_all_of_it_can_be_had(clip: Path) -> None:
    told: list[tuple[int, int]] = []
    rows = clip_rows(clip, _resnet(), progress=lambda *done: told.append(done))
    assert (rows.frames, rows.duration_s) == (11, 0.5)
    assert rows.values.shape == (215, 32)
    np.testing.assert_array_equal(rows.values[11:], rows.values[: 215 - 11])
    np.testing.assert_allclose(rows.times_s[:12] * FPS, [*range(11), 0], atol=1e-9)
    assert told == [(11, 11)]
    every = clip_rows(clip, _resnet(), every=True)
    np.testing.assert_array_equal(every.values, rows.values[:11])
    assert len(np.unique(every.values, axis=0)) == 11


class _Brightness:
    """Sees how bright the corner of a frame is."""

    name = "brightness"

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead

    def pictures(self, frames: Iterable[np.ndarray], *, repeat: bool) -> Iterator[list[np.ndarray]]:
        if self.ahead:
            return InceptionEye(_inception()).pictures(frames, repeat=repeat)
        return ([resnet_picture(frame)] for frame in frames)

    def embed(self, pictures: list[torch.Tensor]) -> torch.Tensor:
        return pictures[0][:, 0, 0].float()


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_long_clip_is_cut_or_kept_whole(ahead: int, tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    write_video(path, [np.full((16, 16, 3), 20 * k + 8, np.uint8) for k in range(11)], 1.0)
    rows = clip_rows(path, _Brightness(ahead))
    assert (len(rows.values), rows.frames) == (215, 215)
    np.testing.assert_allclose(rows.times_s * FPS, np.arange(215) + ahead)
    every = clip_rows(path, _Brightness(ahead), every=True)
    assert len(every.values) == 237
    rows_of = np.minimum(np.arange(237) + ahead, 236)
    np.testing.assert_allclose(every.times_s * FPS, rows_of)
    shown = ((rows_of + 0.5) / FPS - 1e-6).astype(int)  # a frame is new half a row late
    np.testing.assert_allclose(every.values[:, 0], 20 * shown + 8, atol=3)


def test_features_do_not_depend_on_what_else_is_in_the_batch(clip: Path) -> None:
    frames = [frame.rgb() for frame in at_nearest(read_frames(clip), FPS)]
    eye = InceptionEye(_inception(), flow_network(_inception()))
    pictures = list(eye.pictures(frames, repeat=True))
    means = ((104, 117, 128), (128, 128))
    networks = (_inception().eval(), flow_network(_inception()).eval())
    alone = []
    with torch.no_grad():
        for picture, mean, network in zip(pictures[3], means, networks, strict=True):
            centred = torch.from_numpy(picture).float() - torch.tensor(mean, dtype=torch.float32)
            alone.append(network(centred.permute(2, 0, 1)[None])[0])
    seen = clip_rows(clip, eye).values[3]
    np.testing.assert_allclose(seen, torch.cat(alone).numpy(), rtol=1e-4, atol=1e-5)
