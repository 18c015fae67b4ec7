"""Sound2Scene's stages: exact resumption, the papers' losses, and that sounds find pictures."""

from __future__ import annotations

import json
import math
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import load_checkpoint, save_checkpoint
from foleycli.models.icgan import ICGANGenerator, ICGANGeneratorConfig, sample_z
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.scene_audio_encoder import SceneAudioEncoder, SceneAudioEncoderConfig
from foleycli.training.contrastive import infonce_of_distance, unit
from foleycli.training.imagination_figures import known_labels, sound2scene_figures
from foleycli.training.loop import load_state
from foleycli.training.picture_encoder import as_seen, given_encoder, picture_features
from foleycli.training.picture_gan import nearest
from foleycli.training.sound2scene import Sound2SceneCourse, grouped_infonce
from foleycli.training.sound2scene_recipe import PRESETS, Sound2SceneRecipe, preset
from foleycli.training.sound_pictures import SoundPictures
from foleycli.training.stages import train_stages
from foleycli.vision.backbone import normalise

LABELS = ("dog", "rain", "train")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def easy_pairs(each: int = 6, pixels: int = 24) -> SoundPictures:
    """Every class has a colour and a band of frequencies."""
    rng = np.random.default_rng(0)
    sounds, pictures, label = [], [], np.repeat(np.arange(3), each)
    for kind in label:
        levels = rng.normal(-20, 1, (257, int(rng.integers(60, 200))))
        levels[40 + 70 * kind : 70 + 70 * kind] += 12
        sounds.append(levels.astype(np.float16))
        picture = rng.integers(0, 60, (pixels, pixels, 3))
        picture[..., kind] += 180
        pictures.append(picture.astype(np.uint8))
    return SoundPictures(LABELS, np.arange(3), sounds, label, np.stack(pictures), label, label)


def _recipe(**changes: object) -> Sound2SceneRecipe:
    return replace(preset("smoke"), classes=LABELS, save_every=3, **changes)


def _course(seed: int = 0, recipe: Sound2SceneRecipe | None = None) -> Sound2SceneCourse:
    return Sound2SceneCourse(recipe or _recipe(), easy_pairs(), seed)


def _until(course: Sound2SceneCourse, name: str) -> dict[str, dict[str, torch.Tensor]]:
    """Results of the stages before ``name``, each after one step."""
    results: dict[str, dict[str, torch.Tensor]] = {}
    for stage in course.steps:
        if stage == name:
            break
        built = course.stage(stage, results)
        built.train_step(0)
        results[stage] = built.result()
    return results


def _flat(state: object, name: str = "") -> dict[str, torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return {name: state}
    items = state.items() if isinstance(state, dict) else enumerate(state)
    parts = [(f"{name}/{k}", v) for k, v in items if isinstance(v, (dict, list, torch.Tensor))]
    return {n: t for name, part in parts for n, t in _flat(part, name).items()}


@pytest.mark.parametrize("stop", [2, 4, 6, 10])
def test_resumed_run_equals_uninterrupted_one(
    stop: int, tmp_path: Path, whole: tuple[Path, dict[str, torch.Tensor]]
) -> None:
    def press_ctrl_c(done: int, total: int, losses: dict[str, float]) -> None:
        if done == stop:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="saved after step"):
        train_stages(_course(), tmp_path, report=press_ctrl_c)
    assert load_state(tmp_path)["step"] in (stop, stop + 1)
    train_stages(_course(), tmp_path, resume=True)
    folder, expected = whole
    state = _flat(load_state(tmp_path))
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)
    one, other = (load_checkpoint(place).tensors for place in (folder, tmp_path))
    assert all(torch.equal(one[name], other[name]) for name in one)
    first, second = (
        [{**json.loads(line), "seconds": 0} for line in (p / "log.jsonl").read_text().splitlines()]
        for p in (folder, tmp_path)
    )
    assert first == second
    assert [record["step"] for record in first] == list(range(1, 13))
    assert [record["stage"] for record in first[::4]] == ["picture", "sound", "gan"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, torch.Tensor]]:
    folder = tmp_path_factory.mktemp("whole")
    train_stages(_course(), folder)
    return folder, _flat(load_state(folder))


def test_the_last_stage_may_be_made_longer_and_nothing_else(tmp_path: Path) -> None:
    short, longer = preset("smoke", steps=[2, 2, 2]), preset("smoke", steps=[2, 2, 4])
    train_stages(_course(recipe=short), tmp_path / "parts")
    train_stages(_course(recipe=longer), tmp_path / "parts", resume=True)
    train_stages(_course(recipe=longer), tmp_path / "whole")
    parts, whole = (_flat(load_state(tmp_path / run)) for run in ("parts", "whole"))
    assert all(torch.equal(parts[name], whole[name]) for name in whole)
    with pytest.raises(ValueError, match="cannot resume: sound was "):
        other = preset("smoke", steps=[2, 3, 4])
        train_stages(_course(recipe=other), tmp_path / "parts", resume=True)
    with pytest.raises(ValueError, match="cannot resume: seed was 0, now 5"):
        train_stages(_course(5, longer), tmp_path / "parts", resume=True)


def test_the_model_file_holds_what_makes_pictures(
    whole: tuple[Path, dict[str, torch.Tensor]],
) -> None:
    model = load_checkpoint(whole[0], kind="sound2scene")
    config = model.config
    assert config["classes"] == list(LABELS)
    assert config["front_end"]["name"] == "sound2scene"
    assert (config["image"]["pixels"], config["image"]["fit"]) == (16, "crop")
    network = ResNetConfig(
        **{**config["image"]["network"], "blocks": tuple(config["image"]["network"]["blocks"])}
    )
    generator = ICGANGenerator(ICGANGeneratorConfig.from_dict(config["generator"])).eval()
    audio = SceneAudioEncoder(SceneAudioEncoderConfig.from_dict(config["audio"])).eval()
    for made, name in ((ResNet(network), "image"), (audio, "audio"), (generator, "generator")):
        made.load_state_dict(model.part(name))
    with torch.no_grad():
        feature = unit(audio(torch.randn(2, 1, 257, 1004)))
        picture = generator(sample_z(0, range(2), generator.config.z_width), feature)
    assert picture.shape == (2, 3, 16, 16)
    assert picture.isfinite().all()


def test_a_model_without_a_generator_yet_says_so(tmp_path: Path) -> None:
    def stop(done: int, total: int, losses: dict[str, float]) -> None:
        if done == 6:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_stages(_course(), tmp_path, report=stop)
    model = load_checkpoint(tmp_path, kind="sound2scene")
    assert model.config["generator"] is None
    assert model.part("audio")
    assert not model.part("generator")
    pairs = easy_pairs()
    assert "recall_at_1" in sound2scene_figures(model, pairs, pairs)


def test_infonce_of_groups_is_infonce_where_nothing_repeats() -> None:
    audio, image = torch.rand(8, 16), torch.rand(8, 16)
    grouped = grouped_infonce(unit(audio), unit(image), torch.arange(8))
    torch.testing.assert_close(grouped, infonce_of_distance(audio, image))
    same = torch.ones(8, 16) / 4
    loss = grouped_infonce(same, same, torch.zeros(8, dtype=torch.int64), 0.1)
    assert loss.item() == pytest.approx(math.log(8), rel=1e-5)


def test_infonce_of_groups_does_not_part_what_is_of_one_group() -> None:
    groups = torch.tensor([0, 0, 1, 1])
    own = torch.eye(2)[groups]
    together = grouped_infonce(own, own, groups, 0.1).item()
    assert together == pytest.approx(math.log(2), abs=1e-4)  # the entropy of two right answers
    audio, image = unit(torch.rand(4, 8)), unit(torch.rand(4, 8))
    loss = grouped_infonce(audio, image, groups)
    torch.testing.assert_close(grouped_infonce(audio, image[[1, 0, 3, 2]], groups), loss)
    apart = grouped_infonce(own, own.roll(1, 0), groups, 0.1).item()
    assert apart > together + 1


def test_infonce_falls_from_ln_b_and_sounds_find_their_pictures() -> None:
    recipe = preset("smoke", steps=[60, 60, 1], batch=18)
    course = Sound2SceneCourse(replace(recipe, classes=LABELS), easy_pairs(), 0)
    results: dict[str, dict[str, torch.Tensor]] = {}
    scores = {}
    for name in ("picture", "sound"):
        stage = course.stage(name, results)
        scores[name] = [stage.train_step(step) for step in range(60)]
        results[name] = stage.result()
    infonce = [score["infonce"] for score in scores["sound"]]
    assert infonce[0] == pytest.approx(math.log(18), abs=0.1)
    assert np.mean(infonce[-5:]) < infonce[0] - 0.1
    assert np.mean([s["accuracy"] for s in scores["picture"][-5:]]) > 0.8
    model = course.stage("gan", results)
    heard = model.heard[0]
    means = torch.stack([model.features[0][6 * k : 6 * k + 6].mean(0) for k in range(3)])
    found = (heard @ unit(means).T).argmax(1).numpy()
    assert (found == np.repeat(np.arange(3), 6)).mean() > 0.8


@pytest.mark.parametrize("levelled", [0, 4])
def test_levels_are_put_in_order_where_asked(levelled: int) -> None:
    sound = replace(preset("smoke").sound, steps=30, levelled=levelled)
    course = _course(recipe=_recipe(sound=sound))
    stage = course.stage("sound", _until(course, "sound"))
    scores = [stage.train_step(step) for step in range(30)]
    assert {"order" in score for score in scores} == {levelled > 0}
    assert not levelled or np.mean([s["order"] for s in scores[-5:]]) < scores[0]["order"]


def test_each_step_of_the_gan_moves_its_own_network() -> None:
    course = _course()
    stage = course.stage("gan", _until(course, "gan"))
    condition, real = stage.batch(0)
    made = stage.generator(torch.randn(len(real), course.recipe.generator.z_width), condition)
    before = {n: t.clone() for n, t in stage.discriminator.state_dict().items()}
    own = {n: t.clone() for n, t in stage.generator.named_parameters()}
    trunk = {n: t.clone() for n, t in stage.trunk.state_dict().items()}
    stage._generator_step(made, condition, 0)
    assert all(torch.equal(t, before[n]) for n, t in stage.discriminator.state_dict().items())
    assert any(not torch.equal(t, own[n]) for n, t in stage.generator.named_parameters())
    assert all(torch.equal(t, trunk[n]) for n, t in stage.trunk.state_dict().items())
    own = {n: t.clone() for n, t in stage.generator.state_dict().items()}
    stage._discriminator_step(real, made.detach(), condition, 0)
    assert any(not torch.equal(t, before[n]) for n, t in stage.discriminator.named_parameters())
    assert all(torch.equal(t, own[n]) for n, t in stage.generator.state_dict().items())


def test_the_model_is_the_averaged_generator() -> None:
    course = _course()
    stage = course.stage("gan", _until(course, "gan"))
    name = "blocks.0.0.conv1.weight"
    first = stage.generator.state_dict()[name].clone()
    stage.train_step(0)
    last = stage.generator.state_dict()[name]
    assert not torch.equal(first, last)
    torch.testing.assert_close(stage.result()[f"generator.{name}"], first.lerp(last, 0.9))


@pytest.mark.parametrize("consistency", [0.0, 1.0])
def test_what_is_drawn_is_drawn_towards_its_condition(consistency: float) -> None:
    recipe = _recipe()
    gan = replace(recipe.gan, consistency=consistency, augment=False, heard=0.0)
    course = _course(recipe=replace(recipe, gan=gan))
    stage = course.stage("gan", _until(course, "gan"))
    condition, real = stage.batch(0)
    made = stage.generator(torch.randn(len(real), 12), condition)
    stage.discriminator.forward = lambda picture, feature: 0 * picture.sum()  # no opinion
    stage._generator_step(made, condition, 0)
    gradient = sum(float(p.grad.abs().sum()) for p in stage.generator.parameters())
    assert (gradient > 0) == (consistency > 0)


def test_conditions_are_of_what_is_shown_and_batches_seeded() -> None:
    course = _course()
    results = _until(course, "gan")
    stage = course.stage("gan", results)
    stage.neighbours = (np.arange(18)[:, None] + 6) % 18  # all of another class
    known = torch.cat([*stage.features, *stage.heard])
    owner = torch.from_numpy(np.tile(np.repeat(np.arange(3), 6), 4))
    by_ear = 0
    for step in range(6):
        condition, real = stage.batch(step)
        match = (condition[:, None] - known).abs().sum(2).argmin(1)
        heard = match >= 36
        by_ear += int(heard.sum())
        colour = real.mean((2, 3)).argmax(1)
        assert torch.equal(torch.where(heard, colour, (colour + 2) % 3), owner[match])
        again = stage.batch(step)
        assert torch.equal(again[0], condition)
        assert torch.equal(again[1], real)
    assert 12 <= by_ear <= 36
    assert not torch.equal(stage.batch(0)[1], stage.batch(1)[1])
    silent = replace(course.recipe, gan=replace(course.recipe.gan, heard=0.0))
    assert len(_course(recipe=silent).stage("gan", results).heard) == 0


def test_neighbours_are_the_nearest_with_oneself_first() -> None:
    features = unit(torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.2, 1.0]]))
    assert nearest(features, 2).tolist() == [[0, 1], [1, 0], [2, 3], [3, 2]]
    assert nearest(features, 9).shape == (4, 4)


def test_pictures_reach_the_encoder_alike_as_bytes_and_as_drawn() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    drawn = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    seen = as_seen(torch.from_numpy(pictures), 16)
    torch.testing.assert_close(seen, normalise(torch.from_numpy(pictures)))
    torch.testing.assert_close(as_seen(drawn, 16), seen)
    assert as_seen(drawn, 24).shape == (2, 3, 24, 24)


def test_a_given_encoder_needs_no_stage(tmp_path: Path) -> None:
    config = ResNetConfig("basic", (1, 1, 1, 1), 16, classes=0)
    network = ResNet(config).eval()
    save_checkpoint(
        tmp_path / "seen.safetensors",
        kind="recognition",
        config={"backbone": {"network": asdict(config), "input_size": 32}},
        tensors={f"backbone.{n}": t for n, t in network.state_dict().items()},
    )
    *about, tensors = given_encoder(str(tmp_path / "seen.safetensors"))
    assert about == [config, 32, "squash"]
    recipe = replace(preset("smoke", given=tuple(about)), classes=LABELS)
    assert {recipe.audio.features, recipe.generator.features} == {128}
    course = Sound2SceneCourse(recipe, easy_pairs(), 0, encoder=tensors)
    model = load_checkpoint(train_stages(course, tmp_path / "run"))
    image = model.part("image")
    assert all(torch.equal(image[n], t.half().to(t.dtype)) for n, t in tensors.items())
    again = given_encoder(str(tmp_path / "run"))
    assert again[:3] == tuple(about)
    save_checkpoint(tmp_path / "other.safetensors", kind="timing", config={}, tensors={})
    with pytest.raises(ValueError, match="a 'timing' model has no picture encoder"):
        given_encoder(str(tmp_path / "other.safetensors"))


def test_features_of_pictures_do_not_depend_on_their_neighbours() -> None:
    network = ResNet(ResNetConfig("basic", (1, 1, 1, 1), 16, classes=0)).eval()
    pictures = easy_pairs().pictures
    together = picture_features(network, pictures, 16, "cpu")
    alone = picture_features(network, pictures[3:4], 16, "cpu")
    torch.testing.assert_close(together[3:4], alone)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(pictures)))


def test_figures_are_shares_beside_those_of_guessing(
    whole: tuple[Path, dict[str, torch.Tensor]],
) -> None:
    pairs = easy_pairs()
    figures = sound2scene_figures(load_checkpoint(whole[0]), pairs, pairs)
    assert figures["sounds"] == 18
    assert figures["chance_at_1"] == pytest.approx(1 / 3)
    assert figures["chance_drawn"] == pytest.approx(1 / 3)
    assert 0 <= figures["drawn"] <= 1
    assert figures["recall_at_1"] < figures["recall_at_5"]


def test_classes_that_were_not_trained_are_not_validated() -> None:
    pairs = easy_pairs()
    strangers = replace(pairs, labels=("dog", "whale", "train"))
    assert known_labels(pairs, strangers).sound_group.tolist() == [0] * 6 + [2] * 6
    with pytest.raises(ValueError, match="none of the classes"):
        known_labels(pairs, replace(pairs, labels=("a", "b", "c")))


def test_presets_fit_together_and_the_papers_is_the_papers() -> None:
    for name, recipe in PRESETS.items():
        assert recipe.generator.pixels == {"smoke": 16, "mini": 64, "paper": 128}[name]
        assert recipe.generator.pixels <= recipe.loaded_pixels
        features = {recipe.audio.features, recipe.image.features}
        assert features == {recipe.generator.features} == {recipe.discriminator.features}
    paper = PRESETS["paper"]
    assert (paper.sound.batch, paper.sound.learning_rate, paper.sound.weight_decay) == (
        64,
        1e-3,
        1e-5,
    )
    assert (paper.sound.temperature, paper.sound.pull, paper.gan.heard) == (1, 0, 0)
    assert (paper.gan.g_rate, paper.gan.d_rate, paper.gan.neighbours) == (4e-5, 1e-4, 50)
    assert (paper.gan.consistency, paper.generator.pixels) == (0, 128)


def test_wrong_choices_are_refused() -> None:
    with pytest.raises(ValueError, match="smoke, mini, paper"):
        preset("huge")
    with pytest.raises(ValueError, match="give 3 numbers, for the stages picture, sound, gan"):
        preset("mini", steps=[1, 2])
    with pytest.raises(ValueError, match="needs --picture-encoder"):
        preset("paper")
    one = replace(easy_pairs(), picture_label=np.zeros(18, np.int64))
    with pytest.raises(ValueError, match="cannot be trained on one class"):
        Sound2SceneCourse(_recipe(), one, 0).stage("picture", {})
