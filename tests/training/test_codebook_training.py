"""The codebook's trainer: the paper's settings, exact resumption, and what every part does."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint, save_checkpoint
from foleycli.dsp.front_ends.table import front_end
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook
from foleycli.models.vggishish import Vggishish, VggishishConfig
from foleycli.training.codebook import CodebookTrainer, perplexity
from foleycli.training.codebook_perceptual import load_lpaps
from foleycli.training.codebook_recipe import PRESETS, preset
from foleycli.training.loop import load_state
from foleycli.training.validated import train_validated


def _mels(count: int = 5) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    rise = np.linspace(0, 1, 80)[:, None]
    return [
        np.clip(rise * rng.random() + rng.normal(0.2, 0.05, (80, 70 + n)), 0, 1).astype(np.float16)
        for n in range(count)
    ]


def _trainer(**changes: object) -> CodebookTrainer:
    recipe = preset("smoke", clips=5, **changes)  # type: ignore[arg-type]
    return CodebookTrainer(recipe, _mels(), _mels(3), seed=0)


def _weights(trainer: CodebookTrainer, part: str) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in getattr(trainer, part).named_parameters()}


def _moved(trainer: CodebookTrainer, part: str, before: dict[str, torch.Tensor]) -> list[str]:
    return [n for n, p in _weights(trainer, part).items() if not torch.equal(p, before[n])]


def test_the_presets_are_the_papers() -> None:
    paper, vas = PRESETS["paper"], PRESETS["vas"]
    assert (paper.network, vas.network) == (CodebookConfig(), CodebookConfig(codes=128))
    assert (paper.loss.starts_at, vas.loss.starts_at) == (30_001, 2_001)
    assert paper.loss.adversarial == vas.loss.adversarial == 0.8
    assert preset("paper", 9, adversarial=0.2).loss == replace(paper.loss, adversarial=0.2)
    assert paper.rate == pytest.approx(8 * 4.5e-6)
    assert preset("vas", 100, batch=6).rate == pytest.approx(6e-6)
    assert preset("paper", 156_487).validate_every == 156_487 // 8
    assert (paper.sight.frames, paper.sight.whole, paper.revive_every) == (848, False, 0)


@pytest.mark.parametrize("name", PRESETS)
def test_windows_of_a_preset_are_whole_codes(name: str) -> None:
    assert PRESETS[name].sight.frames % PRESETS[name].network.factor == 0
    assert PRESETS[name].network.mels % PRESETS[name].network.factor == 0


def test_an_interrupted_run_equals_a_whole_one(tmp_path: Path) -> None:
    def press_ctrl_c(done: int, total: int, losses: dict[str, float]) -> None:
        if done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    train_validated(_trainer(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="saved after step"):
        train_validated(_trainer(), tmp_path / "parts", report=press_ctrl_c)
    assert load_state(tmp_path / "parts")["step"] < 6
    train_validated(_trainer(), tmp_path / "parts", resume=True)
    for name in ("network", "judge", "use"):
        whole, parts = (load_state(tmp_path / run)[name] for run in ("whole", "parts"))
        assert all(torch.equal(whole[key], parts[key]) for key in whole), name
    first, second = (load_checkpoint(tmp_path / run) for run in ("whole", "parts"))
    assert first.provenance == second.provenance
    assert all(torch.equal(first.tensors[n], second.tensors[n]) for n in first.tensors)


def test_the_discriminator_waits_for_its_step() -> None:
    trainer = _trainer(starts_at=1)
    judge, network = _weights(trainer, "judge"), _weights(trainer, "network")
    assert set(trainer.train_step(0)) == {"reconstruction", "quantiser", "perplexity"}
    assert _moved(trainer, "judge", judge) == []
    assert len(_moved(trainer, "network", network)) == len(network)
    assert {"adversarial", "discriminator"} <= set(trainer.train_step(1))
    assert len(_moved(trainer, "judge", judge)) == len(judge)


def test_the_discriminator_is_heard() -> None:
    heard, alone = _trainer(starts_at=0), _trainer(starts_at=9)
    scores = heard.train_step(0)
    alone.train_step(0)
    weights = [t.network.decoder.conv_out.weight.grad for t in (heard, alone)]
    assert not torch.allclose(*weights)
    assert scores["adversarial"] != 0
    assert scores["discriminator"] == pytest.approx(1, abs=0.3)  # it knows nothing yet


def test_micro_batches_make_the_same_step() -> None:
    whole, parts = _trainer(starts_at=9), _trainer(starts_at=9, accumulate=3)
    scores = [trainer.train_step(0) for trainer in (whole, parts)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    steps = [trainer.network.decoder.conv_in.weight.grad for trainer in (whole, parts)]
    torch.testing.assert_close(*steps, rtol=1e-3, atol=1e-5)


def test_codes_that_are_not_used_are_put_where_sounds_are() -> None:
    trainer = _trainer(starts_at=9, revive_every=2)
    trainer.train_step(0)
    trainer.use.hits[9:] = 0
    used = trainer.use.hits > 0
    assert used.sum() > 0
    book = trainer.network.quantize.embedding.weight
    with torch.no_grad():
        book[~used] = 100.0
        kept = book[used].clone()
    trainer._revive(2)
    assert torch.equal(book[used], kept)
    assert book[~used].abs().max() < 10
    assert trainer.use.hits.sum() == 0
    trainer._revive(3)  # not its turn: nothing has been used since, and all stay
    assert torch.equal(book[used], kept)


def test_validation_tells_what_it_says() -> None:
    trainer = _trainer()
    found = trainer.validate()
    mels = [torch.from_numpy(m[:, 3:67].astype(np.float32)) for m in _mels(1)]
    trainer.held_out = _mels(1)
    alone = trainer.validate()
    with torch.no_grad():
        drawn, quantised = trainer.network.eval()(2 * mels[0][None, None] - 1)
    assert alone["mel_l1"] == pytest.approx(float(((drawn + 1) / 2 - mels[0]).abs().mean()))
    assert alone["perplexity"] == pytest.approx(float(quantised.perplexity))
    assert alone["zero_hit_codes"] == 16 - len(quantised.codes.unique())
    assert found["zero_hit_codes"] <= alone["zero_hit_codes"]


def test_the_first_held_out_window_is_the_middle() -> None:
    assert _mels(1)[0].shape[1] - PRESETS["smoke"].sight.frames == 6


def test_perplexity_counts_codes_that_are_used_alike() -> None:
    assert perplexity(torch.tensor([2.0, 2, 0, 2])) == pytest.approx(3)


@pytest.fixture
def ears(tmp_path: Path) -> Path:
    """A VGGish-ish as ``foley train vggishish`` writes it."""
    torch.manual_seed(0)
    rows = {"mean": [0.3] * 80, "std": [0.1] * 80}
    config = {"classes": 2, "scale": 1 / 32, "class_names": ["a", "b"], "rows": rows}
    network = Vggishish(VggishishConfig(2, 1 / 32))
    path = tmp_path / "ears.safetensors"
    save_checkpoint(path, kind="vggishish", config=config, tensors=network.state_dict())
    return path


@pytest.mark.parametrize("weights", ["uniform", "none"])
def test_lpaps_listens_with_what_it_is_given(ears: Path, weights: str) -> None:
    nothing = (np.zeros(80), np.ones(80))
    lpaps, own_rows = load_lpaps(ears, weights, nothing)  # type: ignore[arg-type]
    assert own_rows
    stored = load_checkpoint(ears).tensors["features.0.weight"]
    assert torch.equal(lpaps.net.slice1[0].weight, stored)
    mel = torch.full((1, 1, 80, 64), 2 * 0.3 - 1)
    assert lpaps.scaling_layer(mel).abs().max() < 1e-5
    recipe = preset("smoke", clips=5, lpaps=weights, lpaps_sha256="a hash", starts_at=9)
    trainer = CodebookTrainer(recipe, _mels(), _mels(3), 0, lpaps=lpaps)
    scores, plain = trainer.train_step(0), _trainer(starts_at=9)
    assert scores["lpaps"] > 0
    plain.train_step(0)
    gradients = [t.network.decoder.conv_out.weight.grad for t in (trainer, plain)]
    assert not torch.allclose(*gradients)
    found = trainer.validate()
    assert trainer.cost(found) == pytest.approx(2 * found["mel_l1"] + found["lpaps"])


def test_imported_ears_take_the_rows_of_the_data(ears: Path, tmp_path: Path) -> None:
    stored = load_checkpoint(ears)
    imported = tmp_path / "imported.safetensors"
    config = {"classes": 2, "scale": 1 / 32}
    save_checkpoint(imported, kind="vggishish", config=config, tensors=stored.tensors)
    lpaps, own_rows = load_lpaps(imported, "none", (np.full(80, 0.25), np.full(80, 0.5)))
    assert not own_rows
    assert lpaps.scaling_layer.shift[0, 0, 0, 0] == -0.5
    assert lpaps.scaling_layer.scale[0, 0, 0, 0] == 1


def test_ears_come_whole_or_not_at_all(ears: Path, tmp_path: Path) -> None:
    stored = load_checkpoint(ears)
    del stored.tensors["features.0.weight"]
    spoilt = tmp_path / "spoilt.safetensors"
    save_checkpoint(spoilt, kind="vggishish", config=stored.config, tensors=stored.tensors)
    with pytest.raises(ValueError, match="do not fit the network"):
        load_lpaps(spoilt, "none", (np.zeros(80), np.ones(80)))
    with pytest.raises(ValueError, match="if and only if it is not off"):
        CodebookTrainer(preset("smoke", 5, lpaps="none"), _mels(), [], 0)


def test_a_run_under_other_ears_is_not_resumed() -> None:
    state = _trainer().state(0)
    other = replace(preset("smoke", 5), lpaps_sha256="another")
    with pytest.raises(ValueError, match="cannot resume: lpaps_sha256"):
        CodebookTrainer(other, _mels(), [], 0).restore(state)


def test_the_model_is_what_other_commands_load(tmp_path: Path) -> None:
    trainer = _trainer(steps=1)
    model = load_checkpoint(train_validated(trainer, tmp_path), "codebook")
    assert model.config["front_end"] == front_end("specvqgan").as_dict()
    network = SpectrogramCodebook(CodebookConfig.from_dict(model.config["network"]))
    network.load_state_dict(model.part("codebook"))
    codes = network.encode(torch.zeros(1, 1, 80, 64)).codes
    assert codes.shape == (1, 5, 4)
    assert network.decode_codes(codes).shape == (1, 1, 80, 64)


def test_it_learns() -> None:
    trainer = _trainer(starts_at=99, steps=40)
    before = trainer.validate()["mel_l1"]
    for step in range(40):
        trainer.update(step)
    assert trainer.validate()["mel_l1"] < before / 2
