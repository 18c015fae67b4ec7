"""The sampler at work: every sound has its own seed, and sees what it was trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from foleycli.models.code_decoder import CodeDecoder
from foleycli.models.code_transformer import CodeTransformer, CodeTransformerConfig
from foleycli.sound_codes import sampler as sampler_module
from foleycli.sound_codes.conditions import FeatureTrack
from foleycli.sound_codes.sampler import FeatureKind, Sampler

SIZE = CodeTransformerConfig(
    codes=16, columns=4, features=3, feature_depth=6, classes=2, layers=1, heads=2, width=16
)
COLUMN_S = 0.25
TRACK = FeatureTrack(np.random.default_rng(0).random((80, 6)).astype(np.float32), 8.0, "resnet50")
Make = Callable[..., Sampler]


@pytest.fixture(scope="module")
def make(make_sampler: Callable[[CodeTransformerConfig], CodeTransformer]) -> Make:
    def made(condition: str, noise: bool = False, classes: tuple[str, ...] = ()) -> Sampler:
        network = make_sampler(replace(SIZE, condition=condition))  # type: ignore[arg-type]
        kind = FeatureKind("resnet50", noise)
        return Sampler(CodeDecoder(network), classes=classes, features=kind)

    return made


def test_a_sound_does_not_depend_on_those_drawn_beside_it(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for condition, given in (
        ("features", {"track": TRACK}),
        ("noise", {}),
        ("class", {"label": 1}),
    ):
        sampler = make(condition)
        together = sampler.draw([1, 2, 3, 4, 5], 6, COLUMN_S, **given)
        assert together.shape == (5, 5, 6)
        assert len(np.unique(together.reshape(5, -1), axis=0)) == 5
        alone = sampler.draw([4], 6, COLUMN_S, **given)
        np.testing.assert_array_equal(alone[0], together[3])
        monkeypatch.setattr(sampler_module, "_AT_A_TIME", 2)
        np.testing.assert_array_equal(sampler.draw([1, 2, 3, 4, 5], 6, COLUMN_S, **given), together)


def test_half_of_the_codebook_is_drawn_from_unless_told(make: Make) -> None:
    sampler = make("class")
    given = {"label": 0, "temperature": 5.0}
    half = sampler.draw([1, 2], 8, COLUMN_S, top_x=8, **given)
    np.testing.assert_array_equal(sampler.draw([1, 2], 8, COLUMN_S, **given), half)
    assert (sampler.draw([1, 2], 8, COLUMN_S, top_x=16, **given) != half).any()


def test_what_it_begins_with_is_kept_and_continued(make: Make) -> None:
    sampler = make("noise")
    prime = np.full((5, 2), 3)
    drawn = sampler.draw([1, 2], 6, COLUMN_S, prime=prime)
    assert (drawn[:, :, :2] == 3).all()
    assert (drawn[0, :, 2:] != drawn[1, :, 2:]).any()


def test_features_matter_and_go_along(make: Make) -> None:
    sampler = make("features")
    drawn = sampler.draw([1], 12, COLUMN_S, track=TRACK)
    late = TRACK.values.copy()
    late[20:] = 9.0  # from 2.5 s, column 10 on
    changed = sampler.draw([1], 12, COLUMN_S, track=replace(TRACK, values=late))
    np.testing.assert_array_equal(changed[0, :, :4], drawn[0, :, :4])
    assert (changed[0, :, 8:] != drawn[0, :, 8:]).any()


def test_noise_may_stand_in_for_features(make: Make) -> None:
    sampler = make("features", noise=True)
    assert not sampler.wants_features
    assert len(np.unique(sampler.draw([1, 2], 3, COLUMN_S).reshape(2, -1), axis=0)) == 2


def test_what_does_not_fit_is_refused(make: Make) -> None:
    sampler = make("features+class", classes=("dog", "rain"))
    assert (sampler.wants_features, sampler.wants_class) == (True, True)
    assert sampler.check_class("rain") == 1
    with pytest.raises(ValueError, match="unknown class 'cat'; this sampler has: dog, rain"):
        sampler.check_class("cat")
    with pytest.raises(ValueError, match=r"features of bninception, where .* those of resnet50"):
        sampler.check_features(replace(TRACK, backbone="bninception"))
    with pytest.raises(ValueError, match=r"features of 5 numbers, where .* 6 \(resnet50\)"):
        sampler.check_features(replace(TRACK, values=TRACK.values[:, :5]))
    with pytest.raises(ValueError, match="needs a class"):
        sampler.draw([1], 2, COLUMN_S, track=TRACK)
    with pytest.raises(ValueError, match="needs features of 6 x 3, got none"):
        sampler.draw([1], 2, COLUMN_S, label=0)
    assert make("class").classes == ("0", "1")


def test_progress_counts_the_columns_of_all_sounds(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampler_module, "_AT_A_TIME", 2)
    told: list[tuple[int, int]] = []
    make("noise").draw([1, 2, 3], 2, COLUMN_S, progress=lambda *pair: told.append(pair))
    assert told == [(2, 6), (4, 6), (5, 6), (6, 6)]
