"""Systems at work: what they hear, what chance decides, what does not matter."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foleycli.dsp.front_ends.front_end import encode_whole
from foleycli.imagination.systems import S2iSystem, SceneSystem, System
from tests.imagination.conftest import s2i_networks, scene_networks, thuds


@pytest.fixture(params=["scene", "segments"])
def system(request: pytest.FixtureRequest) -> System:
    return request.getfixturevalue(request.param)


def test_scene_latent_is_the_unit_feature_of_the_published_spectrogram(scene: SceneSystem) -> None:
    sound = thuds(16_000, 3)
    latent = scene.hear(sound, None)
    network = scene_networks()["audio"].eval()
    spectrogram = encode_whole(scene.front, sound)[0]["spectrogram"]
    with torch.inference_mode():
        feature = network(torch.from_numpy(spectrogram)[None, None])[0].numpy()
    np.testing.assert_allclose(latent[0], feature / np.linalg.norm(feature), atol=1e-5)
    assert latent.shape == (1, 32)


def test_s2i_latents_are_the_embeddings_of_the_seconds(segments: S2iSystem) -> None:
    sound = thuds(44_100, 3)
    latents = segments.hear(sound, [2, 0])
    network = s2i_networks()["autoencoder"].eval()
    bytes_ = encode_whole(segments.front, sound)[0]["segments"]
    with torch.inference_mode():
        given = torch.from_numpy((bytes_[[2, 0]] / 127.5 - 1).astype(np.float32))[:, None]
        wanted = network.encode(given).numpy()
    np.testing.assert_allclose(latents, wanted, atol=1e-4)
    assert np.abs(latents[0] - latents[1]).max() > 1e-3


def test_generators_draw_what_their_networks_do(scene: SceneSystem, segments: S2iSystem) -> None:
    for system, networks in ((scene, scene_networks()), (segments, s2i_networks())):
        rng = np.random.default_rng(0)
        latent = rng.uniform(0, 0.3, 32 if system is scene else 16).astype(np.float32)
        noise = system.noise(7)
        network = networks["generator"].eval()
        given = torch.from_numpy(latent)[None]
        with torch.inference_mode():
            wanted = network(noise, given) if system is scene else network(given, noise)
        drawn = system.draw(latent, noise)
        assert drawn.shape == (system.pixels, system.pixels, 3)
        np.testing.assert_allclose(drawn, wanted[0].permute(1, 2, 0), atol=1e-4)


def test_seed_and_candidate_decide_the_noise(system: System) -> None:
    drawn = [system.noise(*which).tolist() for which in ((1, 0), (1, 0), (2, 0), (1, 1))]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert drawn[0] != drawn[3]


def test_noise_changes_the_picture_and_without_dropout_there_is_none(segments: S2iSystem) -> None:
    latent = segments.hear(thuds(44_100, 1), [0])[0]
    certain = segments.draw(latent, None)
    np.testing.assert_array_equal(certain, segments.draw(latent, None))
    assert np.abs(certain - segments.draw(latent, segments.noise(0))).max() > 1e-3


def test_truncation_scales_noise_that_stays_within_two(scene: SceneSystem) -> None:
    wide = torch.cat([scene.noise(seed) for seed in range(60)])
    narrow = torch.cat([scene.noise(seed, truncation=0.7) for seed in range(60)])
    assert wide.abs().max() > 2
    assert narrow.abs().max() <= 1.4


def test_gain_is_heard_by_sound2scene_the_more_the_greater_it_is(scene: SceneSystem) -> None:
    sound = thuds(16_000, 10)
    latents = {
        gain: scene.hear(np.clip(10 ** (gain / 20) * sound, -1, 1), None)[0]
        for gain in (-30, -20, -10, 0, 5, 10)
    }
    moved = {gain: np.linalg.norm(latent - latents[0]) for gain, latent in latents.items()}
    assert moved[-30] > moved[-20] > moved[-10] > moved[0] == 0
    assert moved[10] > moved[5] > 0


def test_gain_is_lost_on_s2i_unless_levels_have_a_reference(segments: S2iSystem) -> None:
    sound = thuds(44_100, 1)
    quiet = (0.1 * sound).astype(np.float32)
    as_published = [segments.hear(x, [0]) for x in (sound, quiet)]
    np.testing.assert_allclose(as_published[0], as_published[1], atol=2e-2)
    held = [segments.hear(x, [0], reference_db=-20.0) for x in (sound, quiet)]
    assert np.abs(held[0] - held[1]).max() > 5 * np.abs(as_published[0] - as_published[1]).max()


def test_reference_level_is_relative_to_a_full_scale_tone(segments: S2iSystem) -> None:
    times_s = np.arange(44_100) / 44_100
    tone = (0.1 * np.sin(2 * np.pi * 1000 * times_s)).astype(np.float32)
    np.testing.assert_allclose(
        segments.hear(tone, [0], reference_db=-20.0), segments.hear(tone, [0]), atol=1e-3
    )


def test_a_second_that_is_not_there_is_refused(system: System) -> None:
    sound = thuds(system.front.rate_hz, 2.3)
    system.hear(sound, [2])
    with pytest.raises(ValueError, match="no second 3"):
        system.hear(sound, [3])


@pytest.mark.parametrize("samples", [1, 100, 441, 16_000])
def test_silence_and_a_single_sample_are_heard(system: System, samples: int) -> None:
    for sound in (np.zeros(samples, np.float32), np.full(samples, 0.5, np.float32)):
        assert np.isfinite(system.hear(sound, [0])).all()


def test_a_picture_is_seen_alike_at_any_size(scene: SceneSystem) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    large = picture.repeat(4, 0).repeat(4, 1)
    np.testing.assert_allclose(scene.see(picture), scene.see(large), atol=1e-6)
    assert np.linalg.norm(scene.see(picture)) == pytest.approx(1, abs=1e-5)


def test_drawing_differentiably_is_drawing(scene: SceneSystem) -> None:
    latent = scene.hear(thuds(16_000, 2), None)[0]
    noise = scene.noise(3)
    drawn, seen = scene.draw_differentiably(noise, torch.from_numpy(latent)[None])
    np.testing.assert_allclose(drawn[0].permute(1, 2, 0), scene.draw(latent, noise), atol=1e-5)
    assert seen.norm() == pytest.approx(1, abs=1e-5)
