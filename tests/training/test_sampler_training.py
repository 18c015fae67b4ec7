"""Training SpecVQGAN's sampler: the paper's settings, what it sees, exact resumption."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from foleycli.checkpoints import load_checkpoint
from foleycli.models.code_transformer import PAPER, CodeTransformer, CodeTransformerConfig
from foleycli.models.spectrogram_codebook import PAPER_CODEBOOK, VAS_CODEBOOK, CodebookConfig
from foleycli.sound_codes.conditions import FeatureTrack
from foleycli.training.code_data import CodedSound
from foleycli.training.loop import load_state
from foleycli.training.mel_data import drawn
from foleycli.training.sampler import SamplerTrainer, decaying
from foleycli.training.sampler_recipe import FeatureForm, Told, preset
from foleycli.training.validated import train_validated

CODEBOOK = CodebookConfig(codes=12, multiples=(1, 1, 1, 1, 1), frames=64)  # 5 x 4 codes
COLUMN_S = 4096 / 22_050
SEEN = FeatureForm("resnet50", 6, "", 3)
TOLD: tuple[Told, ...] = ("features", "class", "features+class", "none")


def _sounds(count: int = 5, columns: int = 9) -> list[CodedSound]:
    """Sounds of one code each, which class and features tell."""
    rng = np.random.default_rng(0)
    sounds = []
    for number in range(count):
        codes = np.full((5, columns), number % 2, np.int16)
        values = np.full((40, 6), number % 2, np.float32) + rng.random((40, 6), np.float32) / 10
        sounds.append(CodedSound(codes, 0.0, number % 2, FeatureTrack(values, 21.5)))
    return sounds


def _trainer(told: Told = "features+class", **changes: object) -> SamplerTrainer:
    recipe = preset("smoke", 5, CODEBOOK, told, classes=("dog", "rain"), features=SEEN, **changes)  # type: ignore[arg-type]
    return SamplerTrainer(recipe, _sounds(), _sounds(3), COLUMN_S, seed=0)


def test_the_paper_preset_is_the_papers() -> None:
    seen = FeatureForm("resnet50", 2048, "", 5)
    paper = preset("paper", 156_487, PAPER_CODEBOOK, "features", features=seen)
    assert paper.network == CodeTransformerConfig(**{**PAPER.as_dict(), "classes": 0})
    assert (paper.batch, paper.rate, paper.weight_decay) == (64, pytest.approx(3.2e-4), 0.01)
    assert (paper.patience, paper.validate_every) == (2, 156_487 // 64)
    assert (paper.sight.frames, paper.sight.whole) == (848, False)
    vas = preset("vas", 11_773, VAS_CODEBOOK, "class", classes="abcdefgh")
    assert vas.rate == pytest.approx(6.4e-5)
    assert (vas.network.codes, vas.network.classes, vas.network.prefix) == (128, 8, 1)
    none = preset("vas", 11_773, VAS_CODEBOOK, "none")
    assert (none.network.condition, none.network.features) == ("noise", 1)
    assert none.network.feature_depth == 2048


def test_a_condition_that_lacks_something_is_refused() -> None:
    for told, message in (("class", "needs classes"), ("features", "needs features")):
        with pytest.raises(ValueError, match=message):
            preset("smoke", 5, CODEBOOK, told)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="choose one of: smoke, mini, small, paper, vas"):
        preset("tiny", 5, CODEBOOK, "none")


def test_only_weights_of_linear_layers_decay() -> None:
    network = CodeTransformer(_trainer().recipe.network)
    names = {id(p): name for name, p in network.named_parameters()}
    linear, others = ({names[id(p)] for p in g["params"]} for g in decaying(network, 0.01))
    assert linear | others == set(names.values())
    assert "head.weight" in linear
    assert "blocks.0.mlp.2.weight" in linear
    left = {"pos_emb", "tok_emb.weight", "feat_embedder.weight", "cls_embedder.weight"}
    assert left <= others
    assert all(name.endswith("weight") and ".ln" not in name for name in linear)
    groups = _trainer().optimizer.param_groups
    assert [g["weight_decay"] for g in groups] == [0.01, 0.0]
    assert {g["betas"] for g in groups} == {(0.9, 0.95)}


@pytest.mark.parametrize("told", TOLD)
def test_the_loss_is_the_cross_entropy_of_the_codes(told: Told) -> None:
    trainer = _trainer(told)
    numbers = drawn(0, 0, 4, 5)
    codes = torch.from_numpy(numbers % 2)[:, None].expand(4, 20)  # of sounds of one code each
    given = []
    forward = trainer.network.forward
    trainer.network.forward = lambda *seen: given.append(seen) or forward(*seen)  # type: ignore
    loss = trainer.update(0)["loss"]
    ((seen, features, labels),) = given
    assert torch.equal(seen, codes[:, :19])
    assert (features is not None) == (told != "class")
    assert (labels is not None) == ("class" in told)
    if labels is not None:
        assert labels.tolist() == (numbers % 2).tolist()
    again = _trainer(told)
    with torch.no_grad():
        logits = again.network(seen, features, labels)
    wanted = F.cross_entropy(logits.reshape(-1, 12), codes.reshape(-1))
    assert loss == pytest.approx(float(wanted), rel=1e-5)


def test_codes_are_read_column_by_column() -> None:
    trainer = _trainer("class", batch=1)
    grid = np.random.default_rng(0).integers(0, 12, (5, 4)).astype(np.int16)
    trainer.sounds = [CodedSound(grid)]
    given = []
    forward = trainer.network.forward
    trainer.network.forward = lambda *seen: given.append(seen) or forward(*seen)  # type: ignore
    trainer.update(0)
    assert given[0][0][0].tolist() == grid.T.flatten().tolist()[:-1]


def test_features_are_those_of_the_published_loader() -> None:
    """Rows 1 to 212 of 215, and of these 35, 77, 119, 162 and 204."""
    track = FeatureTrack(np.arange(215, dtype=np.float32)[:, None], 21.5)
    start_s = 6 * 256 / 22_050
    sound = CodedSound(np.zeros((5, 53), np.int16), start_s, 0, track)
    for count, rows in ((1, [107]), (5, [36, 78, 120, 163, 205]), (212, list(range(1, 213)))):
        assert sound.features(0, 53, COLUMN_S, count)[0, 0].tolist() == rows
        less = sound.condensed(53, COLUMN_S, count)
        assert less.track is not None
        assert len(less.track.values) == count
        assert less.features(0, 53, COLUMN_S, count)[0, 0].tolist() == rows


def test_features_go_along_with_the_window() -> None:
    track = FeatureTrack(np.arange(900, dtype=np.float32)[:, None], 21.5)
    sound = CodedSound(np.zeros((5, 200), np.int16), 0.0, 0, track)
    assert [sound.first_column(53, place) for place in (None, 0.0, 0.9999)] == [73, 0, 147]
    seen = sound.features(100, 53, COLUMN_S, 212)[0, 0]
    first = round(100 * COLUMN_S * 21.5)
    assert seen.tolist() == list(range(first, first + 212))
    assert sound.condensed(53, COLUMN_S, 5) is sound


def test_noise_is_drawn_anew_for_windows_and_never_for_held_out_sounds() -> None:
    trainer = _trainer("none")
    given = []
    forward = trainer.network.forward
    trainer.network.forward = lambda *seen: given.append(seen[1]) or forward(*seen)  # type: ignore
    trainer.update(0)
    trainer.update(1)
    trainer.validate()
    trainer.validate()
    first, second, judged, again = given
    assert first.shape == (4, 2048, 1)
    assert 0 <= first.min() < 0.01 < 0.99 < first.max() < 1
    assert not torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert torch.equal(judged, again)
    assert not torch.equal(judged[0], judged[1])


@pytest.mark.parametrize("told", ["features", "class"])
def test_it_learns_what_class_and_features_tell(told: Told) -> None:
    trainer = _trainer(told, base_rate=5e-3, patience=None)
    assert trainer.validate()["loss"] == pytest.approx(np.log(12), rel=0.05)
    for step in range(60):
        trainer.update(step)
    found = trainer.validate()
    assert found["accuracy"] == pytest.approx(1, abs=0.01)
    assert found["perplexity"] == pytest.approx(np.exp(found["loss"]))
    first = trainer.network(torch.zeros(1, 0, dtype=torch.int64), *_told(told, 1))[0, 0]
    assert first.argmax() == 1  # the first code is known from the condition alone


def _told(told: Told, label: int) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    features = torch.full((1, 6, 3), label + 0.05) if "features" in told else None
    return features, torch.tensor([label]) if "class" in told else None


@pytest.mark.parametrize("told", ["features+class", "none"])
def test_an_interrupted_run_equals_a_whole_one(told: Told, tmp_path: Path) -> None:
    def press_ctrl_c(done: int, total: int, losses: dict[str, float]) -> None:
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    train_validated(_trainer(told), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt, match="saved after step"):
        train_validated(_trainer(told), tmp_path / "parts", report=press_ctrl_c)
    assert load_state(tmp_path / "parts")["step"] < 6
    train_validated(_trainer(told), tmp_path / "parts", resume=True)
    models = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("whole", "parts")]
    assert models[0] == models[1]


def test_micro_batches_make_the_same_step() -> None:
    whole, parts = _trainer(batch=5), _trainer(batch=5, accumulate=2)
    scores = [trainer.train_step(0) for trainer in (whole, parts)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)
    pairs = zip(*(t.network.parameters() for t in (whole, parts)), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_a_run_ends_when_patience_does(tmp_path: Path) -> None:
    trainer = _trainer(base_rate=0.0, steps=100, validate_every=1)
    train_validated(trainer, tmp_path)
    assert load_state(tmp_path)["step"] == 3
    assert trainer.report()["step"] == 1


def test_the_file_says_what_it_was_trained_on(tmp_path: Path) -> None:
    trainer = _trainer(codebook_sha256="ab" * 32)
    model = load_checkpoint(train_validated(trainer, tmp_path), "sampler")
    assert model.config["classes"] == ["dog", "rain"]
    assert model.config["features"] == {"backbone": "resnet50", "count": 3, "width": 6}
    assert model.config["codebook_sha256"] == "ab" * 32
    network = CodeTransformer(CodeTransformerConfig.from_dict(model.config["network"]))
    network.load_state_dict(model.part("sampler"))
    best = trainer.report()
    trainer.network.load_state_dict(network.state_dict())
    assert trainer.validate()["loss"] == pytest.approx(best["loss"])
    bare = _trainer("none").model_config()
    assert (bare["classes"], bare["features"]) == ([], None)
