"""Sound embeddings: any length, any blocks, bounded memory, published files, honest refusals."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.checkpoints import (
    Checkpoint,
    find_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.table import front_end
from foleycli.media.audio import stream_audio
from foleycli.models.melception import Melception, MelceptionConfig
from foleycli.models.resnet import ResNetConfig
from foleycli.models.sound_classifier import (
    SoundClassifierConfig,
    architecture,
    build_classifier,
)
from foleycli.sound_embedding import KIND, SoundEmbedder, View, published_tensors
from foleycli.training.data import read_examples

CLASSES = ["clock", "rain"]
TINY = SoundClassifierConfig(ResNetConfig("basic", (1, 1, 1, 1), 4, stem_pool=False, classes=2))


def _checkpoint(front_end_name: str = "log-mel-tiny", window_frames: int = 64) -> Checkpoint:
    """An untrained classifier, as training saves one."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_classifier(TINY)
    view = View(front_end(front_end_name), window_frames)
    tensors = {f"network.{name}": t for name, t in network.state_dict().items()}
    tensors |= {"rows.mean": torch.full((view.bands,), -0.5), "rows.std": torch.ones(view.bands)}
    config = {
        "architecture": architecture(TINY),
        "network": asdict(TINY),
        "classes": CLASSES,
        "front_end": view.front.as_dict(),
        "window_frames": window_frames,
    }
    return Checkpoint(KIND, json.loads(json.dumps(config)), tensors)


@pytest.fixture(scope="module")
def embedder() -> SoundEmbedder:
    return SoundEmbedder.from_checkpoint(_checkpoint())


def _noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.3, 0.3, samples).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 500, 11_025, 100_000])
def test_a_sound_of_any_length_has_one_embedding(embedder: SoundEmbedder, samples: int) -> None:
    embedding, logits = embedder.embed(_noise(samples))
    assert embedding.shape == (embedder.features,) == (32,)
    assert logits.shape == (2,)
    assert embedding.dtype == logits.dtype == np.float32
    assert np.isfinite(embedding).all()


@given(st.lists(st.integers(0, 90_000), max_size=6))
@settings(max_examples=25)
def test_blocks_do_not_matter(cuts: list[int]) -> None:
    view = View(front_end("log-mel-tiny"), 64)
    sound = _noise(90_000)
    parts = np.split(sound, sorted(cuts))
    for one, other in zip(view.windows([sound]), view.windows(parts), strict=True):
        assert np.array_equal(one, other)


def test_logits_are_the_last_layer_of_the_embedding(embedder: SoundEmbedder) -> None:
    embedding, logits = embedder.embed(_noise(150_000))
    weight = _checkpoint().part("network")["resnet.fc.weight"].numpy()
    np.testing.assert_allclose(logits - embedder.bias, weight @ embedding, atol=1e-6)


def test_windows_cover_the_sound_and_overlap_by_half() -> None:
    view = View(front_end("log-mel-tiny"), 64)
    sound = _noise(64 * 512 * 3 + 20 * 512)  # 212 frames
    whole, _ = encode_whole(view.front, sound)
    starts = [0, 32, 64, 96, 128, 148]  # the last ends where the sound does
    windows = list(view.windows([sound]))
    assert len(windows) == len(starts)
    for window, start in zip(windows, starts, strict=True):
        assert np.array_equal(window, whole["picture"][0, :, start : start + 64])


def test_a_rest_of_a_few_frames_has_no_window_of_its_own() -> None:
    view = View(front_end("log-mel-tiny"), 64)
    assert len(list(view.windows([_noise(71 * 512)]))) == 1
    assert len(list(view.windows([_noise(72 * 512)]))) == 2


def test_short_sounds_are_filled_up_with_silence() -> None:
    for name, silence in (("log-mel-tiny", -1.0), ("specvqgan-codec", 0.0)):
        view = View(front_end(name), 96)
        (window,) = view.windows([_noise(10 * view.hop_samples)])
        assert window.shape == (view.bands, 96)
        assert (window[:, 12:] == silence).all()
        assert (window[:, :10] > silence).any()


def test_melception_sees_the_published_crop_of_ten_seconds() -> None:
    view = View(front_end("specvqgan"), 848)
    sound = _noise(300_000)
    mel = encode_whole(view.front, sound)[0]["mel"]
    (window,) = view.windows([sound])
    np.testing.assert_allclose(window, mel[:, 6:854], atol=1e-7)


def test_ten_minutes_take_no_more_memory_than_one(embedder: SoundEmbedder) -> None:
    def blocks(seconds: int) -> Iterator[np.ndarray]:
        second = _noise(11_025)
        for _ in range(seconds):
            yield second

    embedder.embed(blocks(60))
    peaks = []
    for seconds in (60, 600):
        tracemalloc.start()
        embedder.embed(blocks(seconds))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_what_is_no_sound_is_refused(embedder: SoundEmbedder) -> None:
    for wrong in (np.zeros(0, np.float32), np.zeros((2, 100), np.float32), np.array([np.nan])):
        with pytest.raises(ValueError, match="sound"):
            embedder.embed(wrong)
    with pytest.raises(ValueError, match="empty"):
        embedder.embed([])


def test_front_ends_that_are_no_levels_are_refused() -> None:
    for name in ("foleygan", "s2i", "mfcc", "cqt"):
        with pytest.raises(ValueError, match=f"cannot look at {name}"):
            View(front_end(name), 512)
    with pytest.raises(ValueError, match="log-mel-mini must have 256 frames, not 64"):
        View(front_end("log-mel-mini"), 64)


def test_checkpoints_that_do_not_fit_are_refused() -> None:
    good = _checkpoint()

    def broken(**changes: Any) -> Checkpoint:
        return Checkpoint(KIND, {**good.config, **changes}, good.tensors)

    with pytest.raises(ValueError, match="3 names for 2 classes"):
        SoundEmbedder.from_checkpoint(broken(classes=["a", "b", "c"]))
    with pytest.raises(ValueError, match="other constants"):
        SoundEmbedder.from_checkpoint(
            broken(front_end={**good.config["front_end"], "rate_hz": 8000})
        )
    other = front_end("specvqgan-codec").as_dict()
    with pytest.raises(ValueError, match="80 bands, not 32"):
        SoundEmbedder.from_checkpoint(broken(front_end=other))
    missing = {name: t for name, t in good.tensors.items() if not name.endswith("fc.bias")}
    with pytest.raises(ValueError, match="tensors do not fit"):
        SoundEmbedder.from_checkpoint(Checkpoint(KIND, good.config, missing))


def test_a_stored_classifier_comes_back(tmp_path: Path, embedder: SoundEmbedder) -> None:
    made = _checkpoint()
    path = tmp_path / "c.safetensors"
    save_checkpoint(path, kind=KIND, config=made.config, tensors=made.tensors)
    again = SoundEmbedder.from_checkpoint(load_checkpoint(path, kind=KIND))
    for one, other in zip(embedder.embed(_noise(9000)), again.embed(_noise(9000)), strict=True):
        assert np.array_equal(one, other)


def test_sounds_do_not_depend_on_those_before_them(embedder: SoundEmbedder) -> None:
    first, again = _noise(60_000), embedder.embed(_noise(60_000))
    embedder.embed(_noise(90_000, seed=1))
    for one, other in zip(embedder.embed(first), again, strict=True):
        assert np.array_equal(one, other)


def test_a_manifest_can_say_which_network_listened(embedder: SoundEmbedder) -> None:
    said = json.loads(json.dumps(embedder.describe()))
    assert (said["architecture"], said["features"], said["classes"]) == ("resnet", 32, CLASSES)
    assert (said["front_end"]["name"], said["window_frames"]) == ("log-mel-tiny", 64)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Melception]:
    """A file laid out as SpecVQGAN's Melception, its table of means, and the network in it."""
    folder = tmp_path_factory.mktemp("published")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Melception(MelceptionConfig(classes=4)).eval()
    state = {f"model.{name}": t for name, t in network.state_dict().items()}
    around = {"loss": 1.5, "metrics": {"mAP": np.float64(0.5), "top1": 0.4}, "epoch": 3}
    torch.save({"model": state, "optimizer": {}, **around}, folder / "melception.pt")
    rows = np.random.default_rng(0).uniform(0.1, 0.9, (80, 2))
    np.savetxt(folder / "means.txt", rows)
    return folder / "melception.pt", folder / "means.txt", network


def test_published_melception_listens_to_standardised_rows(
    published: tuple[Path, Path, Melception],
) -> None:
    weights, table, network = published
    embedder = SoundEmbedder.from_published(weights, table)
    assert embedder.classes == ("0", "1", "2", "3")
    assert (embedder.view.front.rate_hz, embedder.view.front.chain) == (22_050, "s16")
    sound = _noise(220_500)
    embedding, logits = embedder.embed(sound)
    mel = encode_whole(front_end("specvqgan"), sound)[0]["mel"][:, 6:854]
    mean, std = np.loadtxt(table).T[:, :, None]
    with torch.inference_mode():
        wanted = network(torch.from_numpy(((mel - mean) / std).astype(np.float32))[None, None])
    np.testing.assert_allclose(logits, wanted[0][0].numpy(), atol=1e-5)
    np.testing.assert_allclose(embedding, wanted[1][0].numpy(), atol=1e-5)


def test_published_files_are_opened_without_running_them(tmp_path: Path) -> None:
    evil = tmp_path / "evil.pt"
    evil.write_bytes(b"cos\nsystem\n(S'touch pwned'\ntR.")
    with pytest.raises(ValueError, match="not a readable file of weights"):
        published_tensors(evil)
    assert not Path("pwned").exists()


def test_published_files_that_are_something_else_are_named(
    published: tuple[Path, Path, Melception], tmp_path: Path
) -> None:
    weights, table, _ = published
    pointer = tmp_path / "pointer.pt"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    with pytest.raises(ValueError, match=r"pointer\.pt: a Git LFS pointer"):
        SoundEmbedder.from_published(pointer, table)
    other = tmp_path / "other.pt"
    torch.save({"module.conv.weight": torch.zeros(1)}, other)
    assert list(published_tensors(other)) == ["conv.weight"]
    with pytest.raises(ValueError, match="neither Melception nor VGGish-ish"):
        SoundEmbedder.from_published(other, table)
    torch.save([1, 2], other)
    with pytest.raises(ValueError, match="holds no table of weights"):
        published_tensors(other)
    with pytest.raises(ValueError, match=r"absent\.txt: not a table"):
        SoundEmbedder.from_published(weights, tmp_path / "absent.txt")
    np.savetxt(tmp_path / "short.txt", np.ones((79, 2)))
    with pytest.raises(ValueError, match="80 bands, not 79"):
        SoundEmbedder.from_published(weights, tmp_path / "short.txt")
    with pytest.raises(ValueError, match="5 names for 4 classes"):
        SoundEmbedder.from_published(weights, table, classes=list("abcde"))


@pytest.fixture(scope="module")
def shipped() -> SoundEmbedder:
    return SoundEmbedder.from_checkpoint(load_checkpoint("classifier", kind=KIND))


def test_the_shipped_classifier_is_small(shipped: SoundEmbedder) -> None:
    assert find_checkpoint("classifier").stat().st_size < 700_000
    assert 64 <= shipped.features <= 128
    assert {"break", "footstep", "rain", "typing"} <= set(shipped.classes)


def test_the_shipped_embedding_moves_further_the_more_is_done_to_a_sound(
    shipped: SoundEmbedder,
) -> None:
    rng = np.random.default_rng(0)
    rate_hz = shipped.view.front.rate_hz
    time = np.arange(3 * rate_hz) / rate_hz
    sound = 0.3 * rng.standard_normal(len(time)) * np.exp(-20 * (time % 0.5))
    noise = rng.standard_normal(len(time)) * np.sqrt(np.mean(sound**2))
    clean, _ = shipped.embed(sound)
    away = [
        float(np.linalg.norm(shipped.embed(sound + noise * 10 ** (-snr_db / 20))[0] - clean))
        for snr_db in (60, 30, 15, 0)
    ]
    assert away == sorted(away)
    assert away[0] < 0.25 * away[-1]


def test_the_shipped_classifier_knows_held_out_recordings(
    shipped: SoundEmbedder, shared: Path
) -> None:
    examples = read_examples(
        shared / "data/manifest.csv",
        classes=["baby", "clock", "rain", "thunder", "typing", "gunshot"],
        split="valid",
        where={"tier": "free"},
    )[::3]
    right = [
        shipped.classes[int(shipped.embed(stream_audio(e.path, 22_050))[1].argmax())] == e.label
        for e in examples
    ]
    assert len(right) >= 12
    assert np.mean(right) > 0.75
