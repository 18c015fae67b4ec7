"""MelGAN's trainer: segments and their mels, the published settings, exact resumption."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint
from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN_CODEC
from foleycli.dsp.front_ends.table import front_end
from foleycli.models.melgan import MelganConfig, MelganGenerator
from foleycli.training.loop import load_state
from foleycli.training.validated import train_validated
from foleycli.training.vocoder import VocoderTrainer, least_samples, start_audible
from foleycli.training.vocoder_recipe import PRESETS, preset


def _waves(count: int = 3, samples: int = 6000) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [(rng.normal(0, 3000, samples + n)).astype(np.int16) for n in range(count)]


def _trainer(waves: list[np.ndarray] | None = None, **changes: object) -> VocoderTrainer:
    recipe = preset("smoke", clips=5, **changes)
    return VocoderTrainer(recipe, waves or _waves(), _waves(2, 9000), seed=0)


def test_the_paper_preset_is_the_published_one() -> None:
    paper = PRESETS["paper"]
    assert (paper.batch, paper.rate, paper.mel, paper.starts_at) == (64, 1e-4, 0, 0)
    assert (paper.segment_samples, paper.segment_frames) == (8192, 32)
    assert (paper.normalised, paper.quietest) == (True, 0.3)


@pytest.mark.parametrize("name", PRESETS)
def test_a_frame_of_every_preset_is_a_hop(name: str) -> None:
    assert PRESETS[name].generator.hop_samples == SPECVQGAN_CODEC.grid.hop_samples
    other = replace(PRESETS[name], generator=MelganConfig(ratios=(8, 8, 2)))
    with pytest.raises(ValueError, match="their product must be 256"):
        VocoderTrainer(other, _waves(), [], 0)


def test_segments_have_the_mel_of_the_front_end_at_their_place_and_level() -> None:
    trainer = _trainer(_waves(1))
    wave = _waves(1)[0] / 2**15
    sound, mel = trainer._segments(step=3, rows=slice(None))
    assert sound.shape == (4, 1, 8 * 256)
    assert mel.shape == (4, 80, 8)
    gains = []
    for segment, picture in zip(sound[:, 0].numpy(), mel.numpy(), strict=True):
        first = int(np.correlate(wave, segment, "valid").argmax())
        gain = segment.std() / wave[first : first + len(segment)].std()
        gains.append(gain)
        np.testing.assert_allclose(segment, gain * wave[first : first + len(segment)], atol=1e-6)
        # Frames of the whole sound from the segment's beginning on, which it lies in.
        shifted = wave[first % 256 :]
        whole = encode_whole(SPECVQGAN_CODEC, gain * shifted)[0]["mel"]
        np.testing.assert_allclose(picture, whole[:, first // 256 :][:, :8], atol=1e-4)
    assert 0.3 <= min(gains) < max(gains) - 0.1 < 0.9


def test_normalised_sounds_have_one_peak_before_the_gain() -> None:
    quiet = [wave // 100 for wave in _waves(1)]
    loud, same = (_trainer(w, normalised=True, quietest=1.0) for w in (_waves(1), quiet))
    for trainer, waves in ((loud, _waves(1)), (same, quiet)):
        levelled = trainer._levelled(waves[0], waves[0])
        assert np.abs(levelled).max() == pytest.approx(0.95)
    silent = np.zeros(6000, np.int16)
    assert not loud._levelled(silent, silent).any()


def test_a_sound_of_the_least_length_is_enough() -> None:
    recipe = preset("smoke", clips=5)
    trainer = _trainer([np.ones(least_samples(recipe), np.int16)])
    assert trainer._segments(0, slice(None))[0].shape == (4, 1, 2048)


def test_an_interrupted_run_equals_a_whole_one(tmp_path: Path) -> None:
    def press_ctrl_c(done: int, total: int, losses: dict[str, float]) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    train_validated(_trainer(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="saved after step"):
        train_validated(_trainer(), tmp_path / "parts", report=press_ctrl_c)
    assert load_state(tmp_path / "parts")["step"] < 6
    train_validated(_trainer(), tmp_path / "parts", resume=True)
    for name in ("generator", "discriminator"):
        whole, parts = (load_state(tmp_path / run)[name] for run in ("whole", "parts"))
        assert all(torch.equal(whole[key], parts[key]) for key in whole), name


def test_the_discriminators_wait_for_their_step() -> None:
    trainer = _trainer(starts_at=1)
    networks = {n: getattr(trainer, n) for n in ("generator", "discriminator")}

    def moved(step: int) -> dict[str, int]:
        before = {k: [p.detach().clone() for p in n.parameters()] for k, n in networks.items()}
        trainer.train_step(step)
        return {
            k: sum(not torch.equal(p, b) for p, b in zip(n.parameters(), before[k], strict=True))
            for k, n in networks.items()
        }

    assert moved(0)["discriminator"] == 0
    everything = {k: len(list(n.parameters())) for k, n in networks.items()}
    # The bias of the logits counts alike for real and made sounds.
    assert moved(1) == {**everything, "discriminator": everything["discriminator"] - 1}


def test_without_the_distance_of_mels_the_adversary_teaches_alone() -> None:
    with_mel, without = _trainer(starts_at=0), _trainer(starts_at=0, mel=0.0)
    for trainer in (with_mel, without):
        trainer.train_step(0)
    assert without.generator.model[1].weight_v.grad.abs().max() > 0
    sizes = [t.generator.model[1].weight_v.std() for t in (with_mel, without)]
    assert sizes[0] > 2 * sizes[1]


def test_micro_batches_make_the_same_step() -> None:
    whole, parts = _trainer(starts_at=0), _trainer(starts_at=0, accumulate=3)
    scores = [trainer.train_step(0) for trainer in (whole, parts)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    for name in ("generator", "discriminator"):
        pairs = zip(*(getattr(t, name).parameters() for t in (whole, parts)), strict=True)
        for one, other in pairs:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4)


def test_validation_is_the_distance_of_the_middles() -> None:
    trainer = _trainer()
    trainer.held_out = _waves(1, 9000)
    middle = trainer.held_out[0][404 : 404 + 32 * 256] / 2**15  # (9000 - 8192) / 2
    sound = torch.from_numpy(middle.astype(np.float32))[None, None]
    with torch.no_grad():
        made = trainer.generator(trainer.distance.mel(sound)[..., :32])
        wanted = float(trainer.distance(made, sound))
    assert trainer.validate()["mel_l1"] == pytest.approx(wanted)


def test_the_model_is_what_other_commands_load(tmp_path: Path) -> None:
    model = load_checkpoint(train_validated(_trainer(steps=1), tmp_path), "vocoder")
    assert model.config["front_end"] == front_end("specvqgan").as_dict()
    generator = MelganGenerator(MelganConfig.from_dict(model.config["network"]))
    generator.load_state_dict(model.part("generator"))
    assert generator(torch.rand(1, 80, 10)).shape == (1, 1, 2560)


def test_it_learns() -> None:
    trainer = _trainer(starts_at=99, rate=3e-3)
    before = trainer.validate()["mel_l1"]
    for step in range(30):
        trainer.update(step)
    assert trainer.validate()["mel_l1"] < 0.7 * before


@pytest.mark.parametrize("name", ["mini", "small"])
def test_first_waves_can_be_heard(name: str) -> None:
    recipe = PRESETS[name]
    torch.manual_seed(0)
    generator = MelganGenerator(recipe.generator)
    mel = torch.rand(1, 80, 20)
    with torch.no_grad():
        published = generator(mel).std()
        start_audible(generator)
        assert 0.05 < generator(mel).std() < 0.9
    assert published < 1e-3
