"""Sides of a comparison: files and statistics make one set, what fails is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foleycli.evaluation.samples import Samples
from foleycli.evaluation.sides import Network, Sample, Side, load_embedder, load_measurer, measure
from foleycli.files.provenance import file_sha256
from foleycli.media.audio import write_audio

RATE = 22_050


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Side:
    """Four sounds, of which one is none."""
    folder = tmp_path_factory.mktemp("ours")
    files = []
    for n, name in enumerate(("rain/b", "dog/a", "dog/c")):
        path = folder / f"{name}.wav"
        path.parent.mkdir(exist_ok=True)
        sound = 0.1 * np.random.default_rng(n).standard_normal(RATE // 2)
        write_audio(path, sound.astype(np.float32), RATE)
        files.append(Sample(name, name.partition("/")[0], path))
    broken = folder / "dog/broken.wav"
    broken.write_text("no sound\nat all")
    return Side("ours", (*files, Sample("dog/broken", "dog", broken)))


@pytest.fixture(scope="module")
def measured(side: Side) -> Samples:
    return measure(side, Network())


def backwards(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    """Do the last task first, as processes might; give the results in order."""
    done = [work(task) for task in reversed(tasks)]
    return reversed(done)


def contents(samples: Samples, path: Path) -> bytes:
    samples.save(path)
    return path.read_bytes()


def test_files_are_measured_and_those_that_fail_are_named(side: Side) -> None:
    told: list[tuple[int, int]] = []
    found = measure(side, Network(), progress=lambda *at: told.append(at))
    assert found.ids == ("dog/a", "dog/c", "rain/b")
    assert found.labels == ("dog", "dog", "rain")
    assert found.sha256[2] == file_sha256(side.files[0].path)
    path, reason = found.failures["dog/broken"]
    assert path == str(side.files[3].path)
    assert reason
    assert "\n" not in reason
    assert path not in reason
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.made_by == json.loads(json.dumps(load_measurer(Network()).made_by))


def test_the_order_of_files_and_of_work_does_not_matter(
    side: Side, measured: Samples, tmp_path: Path
) -> None:
    turned = replace(side, files=(*side.files[2:], *side.files[:2]))
    found = measure(turned, Network(), backwards)
    assert contents(found, tmp_path / "b.npz") == contents(measured, tmp_path / "a.npz")


def test_statistics_of_parts_are_those_of_the_whole(
    side: Side, measured: Samples, tmp_path: Path
) -> None:
    expected = contents(measured, tmp_path / "whole.npz")
    for n in range(2):
        part = replace(side, files=side.files[n::2])
        measure(part, Network()).save(tmp_path / f"{n}.npz")
    parts = Side("ours", (), (tmp_path / "1.npz", tmp_path / "0.npz"))
    assert contents(measure(parts, Network()), tmp_path / "parts.npz") == expected
    mixed = Side("ours", side.files[1::2], (tmp_path / "0.npz",))
    assert contents(measure(mixed, Network()), tmp_path / "mixed.npz") == expected


def test_a_part_of_which_nothing_could_be_measured_is_named(
    side: Side, measured: Samples, tmp_path: Path
) -> None:
    replace(measured, failures={}).save(tmp_path / "a.npz")
    found = measure(Side("ours", side.files[3:], (tmp_path / "a.npz",)), Network())
    assert len(found) == 3
    assert found.failures.keys() == {"dog/broken"}


def test_a_side_of_nothing_is_refused(side: Side, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none of 1 files could be measured; .*broken\.wav: "):
        measure(Side("ours", side.files[3:]), Network())
    with pytest.raises(ValueError, match="ours: no files"):
        measure(Side("ours"), Network())
    with pytest.raises(OSError, match="No such file"):
        measure(Side("ours", (), (tmp_path / "none.npz",)), Network())
    missing = Side("ours", (Sample("x", "", tmp_path / "x.wav"),))
    with pytest.raises(ValueError, match=r"x\.wav: no such file"):
        measure(missing, Network())


def test_statistics_of_another_network_do_not_join(side: Side, make_samples, tmp_path) -> None:
    make_samples(3).save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="measure all alike"):
        measure(Side("ours", side.files[:1], (tmp_path / "a.npz",)), Network())


@pytest.mark.parametrize(
    ("name", "pictures"), [("a.png", True), ("a.JPG", True), ("a.wav", False), ("a.mp4", False)]
)
def test_pictures_are_told_by_their_suffix(name: str, pictures: bool) -> None:
    assert Side("a", (Sample("a", "", Path(name)),)).pictures == pictures
    assert not Side("a").pictures


def test_networks_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs its table of means and deviations: --means-stds"):
        load_embedder(Network("melception-21-05-10T09-28-40.pt"))
    with pytest.raises(ValueError, match="foleygan"):
        load_embedder(Network("foleygan"))
    with pytest.raises(ValueError, match="no-such-model"):
        load_embedder(Network("no-such-model"))
