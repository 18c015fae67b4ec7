"""Baselines: noise has a class's spectrum and a donor's envelope, events stand where they stood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from foleycli.dsp.onsets import ONSET_RATE_HZ, detect_onsets
from foleycli.evaluation.baseline_sounds import events_of, log_spectrum, looped, shaped_noise
from foleycli.evaluation.baselines import RealClip, make_baseline
from foleycli.media.audio import read_audio, write_audio

RATE = ONSET_RATE_HZ


def clicks(times_s: list[float], seconds: float, seed: int, level: float = 0.25) -> np.ndarray:
    """Bursts of noise that decay within 50 ms, over a faint floor."""
    generator = np.random.default_rng(seed)
    sound = 1e-4 * generator.standard_normal(round(seconds * RATE))
    for start in (np.array(times_s) * RATE).astype(int):
        length = min(3000, len(sound) - start)
        decay = np.exp(-np.arange(length) / 400)
        sound[start : start + length] += level * generator.standard_normal(length) * decay
    return np.clip(sound, -1, 1)


def hum(seconds: float, seed: int, band_hz: tuple[float, float] = (500, 2000)) -> np.ndarray:
    """Noise of one band that swells and fades twice."""
    size = round(seconds * RATE)
    white = np.random.default_rng(seed).standard_normal(size)
    swell = 1.05 - np.cos(4 * np.pi * np.arange(size) / size + seed)
    return 0.03 * swell * sosfilt(butter(4, band_hz, "bandpass", fs=RATE, output="sos"), white)


@pytest.fixture
def real(tmp_path: Path):
    def written(sounds: dict[str, np.ndarray], label: str = "dog") -> list[RealClip]:
        clips = []
        for name, sound in sounds.items():
            path = tmp_path / "real" / label / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, sound, RATE)
            clips.append(RealClip(name, label, path))
        return clips

    return written


def loudness(waveform: np.ndarray, frame: int = RATE // 20) -> np.ndarray:
    """(frames,) root mean square of each 50 ms."""
    whole = waveform[: len(waveform) // frame * frame].astype(np.float64)
    return np.sqrt((whole.reshape(-1, frame) ** 2).mean(axis=1))


def decibels(spectrum: np.ndarray) -> np.ndarray:
    """Level of 32 equal bands, relative to the loudest."""
    bands = 10 * np.log10(np.exp(spectrum[1:]).reshape(32, -1).mean(axis=1))
    return bands - bands.max()


def test_noise_has_the_geometric_mean_spectrum_of_the_others(real, tmp_path: Path) -> None:
    bands = [(300, 3000), (500, 5000), (800, 4000), (200, 6000)]
    sounds = {f"c{i}": hum(4, i, band) for i, band in enumerate(bands)}
    sounds["own"] = hum(4, 9, (7000, 9000))  # left out of its own
    made = make_baseline("shaped-noise", real(sounds), tmp_path / "made")
    got = decibels(log_spectrum([read_audio(made["own"])[0]]))
    others = [log_spectrum([sounds[f"c{i}"].astype(np.float32)]) for i in range(4)]
    wanted = decibels(np.mean(others, axis=0))
    heard = wanted > -30
    assert heard.sum() > 10
    assert np.abs(got - wanted)[heard].max() < 2.5
    assert (
        np.abs(got - decibels(np.mean([*others, log_spectrum([sounds["own"]])], axis=0))).max() > 5
    )


def test_noise_is_as_loud_from_moment_to_moment_as_its_donor(real, tmp_path: Path) -> None:
    sounds = {"a": clicks([0.5, 1.3, 2.2], 3, 0), "b": hum(3, 3)}
    made = make_baseline("shaped-noise", real(sounds), tmp_path / "made")
    for name, donor in (("a", "b"), ("b", "a")):
        own, other = loudness(read_audio(made[name])[0]), loudness(sounds[donor])
        assert np.corrcoef(own, other)[0, 1] > 0.9
        assert np.corrcoef(own, loudness(sounds[name]))[0, 1] < 0.5
        assert own.max() == pytest.approx(other.max(), rel=0.3)


@pytest.mark.parametrize("seconds", [0.7, 5])
def test_a_donor_of_another_length_is_cut_or_goes_round(seconds: float) -> None:
    donor = hum(seconds, 0).astype(np.float32)
    flat = np.zeros(2049)
    noise = shaped_noise(flat, donor, 2 * RATE, RATE, np.random.default_rng(0))
    assert len(noise) == 2 * RATE
    assert loudness(noise).min() > 0
    assert loudness(noise).mean() == pytest.approx(loudness(donor).mean(), rel=0.4)
    if seconds < 2:  # what was heard comes again a turn later
        turn = round(seconds * 20)
        level = loudness(noise)
        assert np.corrcoef(level[:-turn], level[turn:])[0, 1] > 0.9


def test_events_stand_where_the_clips_own_stand(real, tmp_path: Path) -> None:
    times = {"a": [0.4, 1.0, 1.9, 2.5], "b": [0.3, 0.9, 1.2, 2.0], "c": [0.6, 1.7, 2.2]}
    clips = real({name: clicks(own, 3, i) for i, (name, own) in enumerate(times.items())})
    made = make_baseline("real", clips, tmp_path / "made")
    assert list(made) == ["a", "b", "c"]
    for name, path in made.items():
        wanted, _ = detect_onsets(read_audio(clips["abc".index(name)].path)[0], RATE)
        got, _ = detect_onsets(read_audio(path)[0], RATE)
        assert len(got) == len(wanted) == len(times[name])
        assert np.abs(got - wanted).max() <= 0.02


def test_an_event_is_as_strong_as_the_clips_own(real, tmp_path: Path) -> None:
    own = clicks([0.5], 3, 0, 0.3) + clicks([1.5], 3, 1, 0.02)
    clips = real({"own": own, "other": clicks([0.2, 1.7], 3, 2)})
    made = make_baseline("real", clips, tmp_path / "made")
    sound = np.abs(read_audio(made["own"])[0])
    _, strengths = events_of(read_audio(clips[0].path)[0], RATE)
    assert strengths[1] < 0.9
    levels = [sound[int(s * RATE) : int((s + 0.2) * RATE)].max() for s in (0.45, 1.45)]
    assert levels[1] / levels[0] == pytest.approx(strengths[1] / strengths[0], rel=0.01)


def test_one_event_of_the_donor_sounds_at_each_whole_with_its_attack(real, tmp_path: Path) -> None:
    donor = clicks([0.3, 0.5, 1.2, 1.4], 2, 1)
    clips = real({"donor": donor, "own": clicks([0.7], 3, 0)})
    made = make_baseline("real", clips, tmp_path / "made")
    sound, _ = read_audio(made["own"])
    assert len(detect_onsets(sound, RATE)[0]) == 1  # the donor's next one is left out
    likeness = []
    for onset_s in (0.3, 0.5, 1.2, 1.4):
        start = int(onset_s * RATE)
        burst = donor[start : start + 1000]  # from its first, loudest sample on
        products = np.correlate(sound, burst, "valid")
        powers = np.convolve(sound**2, np.ones(1000), "valid") * (burst**2).sum()
        likeness.append((products / np.sqrt(powers + 1e-9)).max())
    assert max(likeness) > 0.999


def test_donors_differ_among_the_clips_of_a_class(real, tmp_path: Path) -> None:
    centres_hz = 1000 * 1.5 ** np.arange(6)
    clips = real({f"c{i}": hum(1, i, (0.95 * f, 1.05 * f)) for i, f in enumerate(centres_hz)})
    donors = set()
    for path in make_baseline("real", clips, tmp_path / "made").values():
        power = np.abs(np.fft.rfft(read_audio(path)[0])) ** 2
        donors.add(np.abs(np.log(centres_hz / power.argmax())).argmin())  # bins of 1 Hz
    assert len(donors) > 2


def test_a_sound_comes_from_another_clip_of_the_class(real, tmp_path: Path) -> None:
    low, high = (500, 1000), (4000, 8000)
    dogs = {f"dog{i}": hum(2, i, low) for i in range(3)}
    bells = {f"bell{i}": hum(2, i, high) for i in range(3)}
    clips = real(dogs) + real(bells, "bell")
    for kind in ("shaped-noise", "real"):
        for name, path in make_baseline(kind, clips, tmp_path / kind).items():
            sound = read_audio(path)[0]
            power = np.abs(np.fft.rfft(sound)) ** 2
            centre_hz = (power * np.fft.rfftfreq(len(sound), 1 / RATE)).sum() / power.sum()
            assert (centre_hz > 2000) == name.startswith("bell")
            original = (dogs | bells)[name]
            assert abs(np.corrcoef(sound, original)[0, 1]) < 0.2


def test_a_texture_has_no_events_and_is_looped(real, tmp_path: Path) -> None:
    rain = np.random.default_rng(0).standard_normal(3 * RATE).astype(np.float32)
    assert len(detect_onsets(rain, RATE)[0]) > 0  # which the detector does not know
    assert len(events_of(rain, RATE).times_s) == 0
    assert len(events_of(clicks([0.5, 1.5], 3, 0).astype(np.float32), RATE).times_s) == 2
    clips = real({"long": 0.1 * rain, "short": 0.1 * rain[RATE : 2 * RATE]})
    made = make_baseline("real", clips, tmp_path / "made")
    sound, _ = read_audio(made["long"])
    assert len(sound) == 3 * RATE
    level = loudness(sound)
    assert level == pytest.approx(0.1, rel=0.2)  # no gap and no bump where the turns meet
    turn = RATE - round(0.05 * RATE)
    quarter = slice(RATE // 4, RATE // 2)
    assert sound[quarter] == pytest.approx(np.roll(sound, -turn)[quarter], abs=1e-4)
    assert len(read_audio(made["short"])[0]) == RATE


@pytest.mark.parametrize("samples", [1, 7, 2000])
def test_any_length_can_be_looped(samples: int) -> None:
    donor = np.full(samples, 0.5, np.float32)
    sound = looped(donor, 5000, RATE, np.random.default_rng(0))
    assert sound.shape == (5000,)
    assert np.isfinite(sound).all()


@pytest.mark.parametrize("kind", ["shaped-noise", "real"])
def test_bytes_depend_on_the_seed_the_name_and_the_class_as_a_set(
    kind: str, real, tmp_path: Path
) -> None:
    dogs = real({f"pack/d{i}": clicks([0.3 + 0.1 * i, 1.1], 2, i) for i in range(5)})
    bells = real({f"b{i}": clicks([0.4, 1.2], 2, 10 + i) for i in range(2)}, "bell")
    seen: list[tuple[int, int]] = []
    first = make_baseline(
        kind, dogs + bells, tmp_path / "1", progress=lambda *step: seen.append(step)
    )
    assert seen == [(k, 7) for k in range(1, 8)]
    assert first["pack/d0"] == tmp_path / "1" / "pack" / "d0.wav"
    again = make_baseline(kind, dogs[::-1], tmp_path / "2")
    assert list(again) == sorted(again)
    for name, path in again.items():
        assert path.read_bytes() == first[name].read_bytes()
    other = make_baseline(kind, dogs, tmp_path / "3", seed=1)
    assert any(other[n].read_bytes() != first[n].read_bytes() for n in other)
    contents = {path.read_bytes() for path in first.values()}
    assert len(contents) == len(first)


@pytest.mark.parametrize("kind", ["shaped-noise", "real"])
def test_sounds_are_as_long_as_their_clips_and_below_full_scale(
    kind: str, real, tmp_path: Path
) -> None:
    loud = 0.999 * np.sign(hum(1.3, 0))
    clips = real({"a": loud, "b": 0.999 * np.sign(hum(2.001, 1)), "c": clicks([0.2], 0.5, 2)})
    made = make_baseline(kind, clips, tmp_path / "made", rate_hz=44_100)
    for name, seconds in (("a", 1.3), ("b", 2.001), ("c", 0.5)):
        sound, rate_hz = read_audio(made[name])
        assert rate_hz == 44_100
        assert len(sound) / rate_hz == pytest.approx(seconds, abs=1e-4)
        assert 0.05 < np.abs(sound).max() < 0.995


@pytest.mark.parametrize("kind", ["shaped-noise", "real"])
def test_a_clip_alone_in_its_class_and_one_that_is_broken_are_missing(
    kind: str, real, tmp_path: Path
) -> None:
    clips = real({"a": clicks([0.3], 1, 0), "b": clicks([0.6], 1, 1)})
    clips += real({"lone": clicks([0.6], 1, 1)}, "bell")
    broken = tmp_path / "broken.wav"
    broken.write_text("not a sound")
    clips += [RealClip("broken", "dog", broken), RealClip("x", "bell", broken)]
    assert list(make_baseline(kind, clips, tmp_path / "made")) == ["a", "b"]


@pytest.mark.parametrize("kind", ["shaped-noise", "real"])
def test_silence_among_the_real_sounds_is_borne(kind: str, real, tmp_path: Path) -> None:
    clips = real({"a": np.zeros(RATE), "b": clicks([0.3], 1, 1), "c": clicks([0.5], 1, 2)})
    made = make_baseline(kind, clips, tmp_path / "made")
    assert list(made) == ["a", "b", "c"]


def test_what_cannot_be_asked_for_is_refused(real, tmp_path: Path) -> None:
    clips = real({"a": clicks([0.3], 1, 0), "b": clicks([0.6], 1, 1)})
    with pytest.raises(ValueError, match="shaped-noise or real"):
        make_baseline("pink", clips, tmp_path)
    with pytest.raises(ValueError, match="one id"):
        make_baseline("real", [*clips, clips[0]], tmp_path)
    outside = RealClip("../a", "dog", clips[0].path)
    with pytest.raises(ValueError, match="out of the folder"):
        make_baseline("real", [*clips, outside], tmp_path)
