from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from foleycli.media.audio import read_audio, write_audio
from foleycli.media.video import probe
from foleycli.metrics.loudness import loudness
from foleycli.survey.pack_media import Making, make_media, shiftable_clips, work_of, write_check
from foleycli.survey.stimuli import Clip, Material, Medium
from foleycli.survey.study import read_key

Build = Callable[..., Path]
RATE_HZ = 48_000


def media_of(pack: Path) -> dict[str, Medium]:
    return {medium.name: medium for medium in read_key(pack.with_name("pack.key.csv"))}


def sound_of(pack: Path, name: str) -> np.ndarray:
    return read_audio(pack / "media" / f"{name}.mp4", rate_hz=RATE_HZ, mono=False)[0]


def lufs_of(sound: np.ndarray) -> float:
    found = loudness(sound, RATE_HZ).integrated_lufs
    assert found is not None
    return found


def a_medium(clips: Path, **changes: object) -> Medium:
    sound, video = clips / "originals" / "rain" / "0.wav", clips / "videos" / "rain" / "0.mp4"
    medium = Medium(
        *("0" * 12, "rain/0", "rain", "reference", "gold", "shifted", "rain/0"),
        file=str(sound),
        video=str(video),
    )
    return replace(medium, **changes)  # type: ignore[arg-type]


def made(medium: Medium, tmp_path: Path, lufs: float | None = None) -> np.ndarray:
    (tmp_path / "media").mkdir(exist_ok=True)
    make_media(Making((medium,), tmp_path, lufs, stereo=False))
    return sound_of(tmp_path, medium.name)


def test_media_of_a_clip_are_equally_loud_and_long(build: Build) -> None:
    pack = build()
    media = media_of(pack)
    by_clip: dict[str, list[np.ndarray]] = {}
    for name, medium in media.items():
        by_clip.setdefault(medium.clip, []).append(sound_of(pack, name))
    for sounds in by_clip.values():
        assert {sound.shape for sound in sounds} == {(2, RATE_HZ)}
        levels = [lufs_of(sound) for sound in sounds]
        assert max(levels) - min(levels) < 0.3
        assert max(levels) < -22.5
        assert max(np.abs(sound).max() for sound in sounds) < 1


def test_conditions_keep_their_own_sound(build: Build, clips: Path) -> None:
    pack = build()
    for name, medium in media_of(pack).items():
        if medium.kind in ("degraded", "shifted"):
            continue
        sound = sound_of(pack, name)[0]
        given = read_audio(medium.file, rate_hz=RATE_HZ)[0]
        length = min(len(sound), len(given))
        assert np.corrcoef(sound[:length], given[:length])[0, 1] > 0.9, medium


def test_pictures_are_copied_untouched(build: Build) -> None:
    pack = build()
    for name, medium in media_of(pack).items():
        copies = []
        for path in (Path(medium.video), pack / "media" / f"{name}.mp4"):
            with av.open(str(path)) as container:
                packets = container.demux(video=0)
                copies.append([bytes(packet) for packet in packets if packet.size])
        assert copies[0] == copies[1]
        info = probe(pack / "media" / f"{name}.mp4")
        assert (info.video_codec, info.audio_codec) == ("h264", "aac")
        assert (info.audio_rate_hz, info.audio_channels) == (RATE_HZ, 2)
        whole = (pack / "media" / f"{name}.mp4").read_bytes()
        assert whole.index(b"moov") < whole.index(b"mdat")


def test_no_two_files_are_the_same(build: Build) -> None:
    pack = build("--open-reference")
    roles = {(m.clip, m.source, m.kind or m.role) for m in media_of(pack).values()}
    hidden = {clip for clip, _, kind in roles if kind == "hidden-reference"}
    assert any(kind == "prompt" and clip in hidden for clip, _, kind in roles)
    hashes = [hashlib.sha256(p.read_bytes()).digest() for p in (pack / "media").iterdir()]
    assert len(set(hashes)) == len(hashes)
    sound = {
        medium.role: sound_of(pack, name)
        for name, medium in media_of(pack).items()
        if medium.clip in hidden and medium.role in ("prompt", "gold") and not medium.shift_ms
        if medium.clip == min(hidden) and medium.kind in ("", "hidden-reference")
    }
    assert np.abs(sound["prompt"] - sound["gold"]).max() < 0.01


@pytest.mark.parametrize("shift_ms", [-100, 500])
def test_a_shifted_sound_is_that_much_late(shift_ms: int, clips: Path, tmp_path: Path) -> None:
    plain = made(a_medium(clips), tmp_path)[0]
    moved = made(a_medium(clips, name="1" * 12, shift_ms=shift_ms), tmp_path)[0]
    first = [int((np.abs(sound) > 0.1).argmax()) for sound in (plain, moved)]
    assert first[1] - first[0] == pytest.approx(shift_ms * RATE_HZ / 1000, abs=48)
    assert len(moved) == len(plain)


def test_a_degraded_sound_is_dull_and_noisy(clips: Path, tmp_path: Path) -> None:
    plain = made(a_medium(clips, kind="hidden-reference"), tmp_path)[0]
    worse = made(a_medium(clips, name="1" * 12, kind="degraded"), tmp_path)[0]
    begin = int(np.abs(plain).argmax())

    def spectrum(sound: np.ndarray) -> np.ndarray:
        return np.abs(np.fft.rfft(sound[begin - 200 : begin + 1800])) ** 2

    hz = np.fft.rfftfreq(2000, 1 / RATE_HZ)
    low, high = (hz > 100) & (hz < 3000), (hz > 4500) & (hz < 10_000)
    before, after = spectrum(plain), spectrum(worse)
    assert after[high].sum() / after[low].sum() < 0.1 * before[high].sum() / before[low].sum()
    quiet = slice(0, 4800)
    assert np.std(worse[quiet]) > 10 * np.std(plain[quiet])


def test_a_loud_peak_makes_all_of_a_clip_softer(clips: Path, tmp_path: Path) -> None:
    spike = np.zeros(22_050, np.float32)
    spike[11_000:11_003] = 1.0
    write_audio(tmp_path / "spike.wav", spike, 22_050)
    (tmp_path / "media").mkdir()
    both = (
        a_medium(clips, role="stimulus", kind=""),
        a_medium(clips, name="1" * 12, kind="", file=str(tmp_path / "spike.wav")),
    )
    found = {one.name: one for one in make_media(Making(both, tmp_path, -12.0, stereo=False))}
    levels = [lufs_of(sound_of(tmp_path, medium.name)) for medium in both]
    assert levels[0] == pytest.approx(levels[1], abs=0.5)
    assert levels[0] < -14
    for medium in both:
        assert np.abs(sound_of(tmp_path, medium.name)).max() < 1.0
        one = found[medium.name]
        assert one.lufs is not None
        assert one.lufs + one.gain_db == pytest.approx(levels[0], abs=1)


def test_silence_stays_silent(clips: Path, tmp_path: Path) -> None:
    write_audio(tmp_path / "none.wav", np.zeros(2205, np.float32), 22_050)
    medium = a_medium(clips, kind="", file=str(tmp_path / "none.wav"))
    assert np.abs(made(medium, tmp_path, -23.0)).max() < 1e-3


def test_levels_are_kept_where_that_is_asked_for(clips: Path, tmp_path: Path) -> None:
    medium = a_medium(clips, kind="")
    given = read_audio(medium.file, rate_hz=RATE_HZ)[0]
    assert np.abs(made(medium, tmp_path)).max() == pytest.approx(np.abs(given).max(), rel=0.15)


def test_two_channels_are_kept_only_where_all_have_them(clips: Path, tmp_path: Path) -> None:
    left = np.stack([0.3 * np.sin(np.arange(22_050) / 10), np.zeros(22_050)]).astype(np.float32)
    write_audio(tmp_path / "wide.wav", left, 22_050)
    (tmp_path / "media").mkdir()
    wide = a_medium(clips, kind="", file=str(tmp_path / "wide.wav"))
    mono = a_medium(clips, name="1" * 12, kind="")
    assert [w.stereo for w in work_of([wide], tmp_path, None)] == [True]
    assert [w.stereo for w in work_of([wide, mono], tmp_path, None)] == [False]
    for stereo in (True, False):
        make_media(Making((wide,), tmp_path, None, stereo))
        sound = sound_of(tmp_path, wide.name)
        assert (np.abs(sound[1]).max() < 0.01) == stereo


def test_the_same_study_is_the_same_bytes(clips: Path, tmp_path: Path) -> None:
    medium = a_medium(clips, kind="degraded")
    made(medium, tmp_path, -23.0)
    first = (tmp_path / "media" / f"{medium.name}.mp4").read_bytes()
    made(medium, tmp_path, -23.0)
    assert (tmp_path / "media" / f"{medium.name}.mp4").read_bytes() == first


def test_a_file_that_cannot_be_read_is_named(clips: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no sound")
    bad = a_medium(clips, file=str(tmp_path / "bad.wav"))
    with pytest.raises(ValueError, match=r"bad\.wav: .*every clip of a study needs"):
        work_of([bad], tmp_path, None)
    gone = a_medium(clips, video=str(tmp_path / "gone.mp4"))
    with pytest.raises(ValueError, match=r"gone\.mp4: no such file"):
        made(gone, tmp_path)
    (tmp_path / "quiet.mp4").write_bytes((clips / "videos" / "rain" / "0.mp4").read_bytes())
    silent = a_medium(clips, file=str(tmp_path / "quiet.mp4"))
    with pytest.raises(ValueError, match=r"quiet\.mp4: no audio stream"):
        work_of([silent], tmp_path, None)


def test_only_what_has_events_is_shifted(clips: Path) -> None:
    files = {side: clips / side / "rain" / "0.wav" for side in ("originals", "base")}
    material = Material(
        tuple(Clip(side, "", clips, path, {}) for side, path in files.items()), ("ours",)
    )
    assert shiftable_clips(material) == ["originals"]


def test_the_sound_check_has_as_many_bursts_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    for bursts in (3, 4):
        write_check(tmp_path, bursts, -23.0)
        sound, rate_hz = read_audio(tmp_path / "media" / "check.m4a")
        level = np.abs(sound[: len(sound) // 480 * 480]).reshape(-1, 480).max(1)
        loud = level > 0.1 * level.max()
        assert np.count_nonzero(np.diff(loud.astype(int)) == 1) == bursts
        assert lufs_of(np.stack([sound, sound])) == pytest.approx(-23, abs=1)
        assert rate_hz == RATE_HZ


def test_what_was_done_stands_beside_the_key(build: Build) -> None:
    pack = build()
    record = json.loads(pack.with_name("pack.key.csv.run.json").read_text())
    with pack.with_name("pack.key.csv").open(newline="") as lines:
        rows = {f"media/{row['medium']}.mp4": row for row in csv.DictReader(lines)}
    assert record["outputs"].keys() == rows.keys()
    for file, row in rows.items():
        one = record["outputs"][file]
        assert one["inputs"].keys() == {row["file"], row["video"]}
        if row["condition"] == "base":
            assert one["cut_s"] == pytest.approx(-0.5, abs=0.01)
