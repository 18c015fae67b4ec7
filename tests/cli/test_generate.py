"""``foley generate`` end to end, with the shipped models."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from foleycli.files.events import Event, read_events, write_events
from foleycli.media.audio import read_audio
from foleycli.media.video import probe


def test_sound_file_has_the_pictures_duration_and_names_the_class(
    foley_here, tmp_path: Path, silent_clip: Path
) -> None:
    made = foley_here("generate", silent_clip, "-o", "out.wav", "--class", "clock")
    assert (made.exit_code, made.stdout) == (0, "out.wav\n")
    assert "class: clock" in made.stderr
    waveform, rate_hz = read_audio(tmp_path / "out.wav")
    assert len(waveform) == round(probe(silent_clip).duration_s * rate_hz)
    assert np.isfinite(waveform).all()
    assert 0 < np.abs(waveform).max() < 1


def test_every_number_of_seeds_jobs_and_orders_gives_the_same_bytes(
    foley_here, tmp_path: Path, silent_clip: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp4").write_bytes(silent_clip.read_bytes())
    common = ("--class", "rain", "--actions", "hits.csv")
    write_events(tmp_path / "hits.csv", [Event(0.4), Event(0.8, 0.5)])
    assert foley_here("generate", "a.mp4", "b.mp4", "-o", "one/", *common).exit_code == 0
    assert foley_here("generate", "b.mp4", "-o", "two/b.wav", *common).exit_code == 0
    assert foley_here("generate", "b.mp4", "-o", "seed/b.wav", "--seed", 1, *common).exit_code == 0
    first, alone, other = ((tmp_path / f"{d}/b.wav").read_bytes() for d in ("one", "two", "seed"))
    assert first == alone != other
    assert (tmp_path / "one/a.wav").read_bytes() != first  # its own seed, from its own name


def test_jobs_and_shards_do_not_change_a_byte(
    foley, foley_here, tmp_path: Path, silent_clip: Path
) -> None:
    (tmp_path / "clips").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"clips/{name}.mp4").write_bytes(silent_clip.read_bytes())
    common = ("generate", "clips", "--class", "footstep")
    assert foley_here(*common, "-o", "one/").exit_code == 0
    assert foley(*common, "-o", "two/", "-j", 2, env=dict(os.environ)).returncode == 0
    assert foley_here(*common, "-o", "part/", "--shard", "1/2").exit_code == 0
    for name in ("a.wav", "b.wav"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (tmp_path / "part/b.wav").read_bytes() == (tmp_path / "one/b.wav").read_bytes()


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".mov"])
def test_picture_is_copied_and_the_sound_lies_under_it(
    foley_here, tmp_path: Path, silent_clip: Path, suffix: str
) -> None:
    write_events(tmp_path / "hits.csv", [Event(0.5)])
    source = silent_clip
    if suffix == ".webm":  # H.264 does not go into WebM: that is said, not attempted
        made = foley_here(
            "generate", source, "-o", "out.webm", "--class", "clock", "--actions", "hits.csv"
        )
        assert made.exit_code == 2
        assert ".mkv" in made.stderr
        assert not (tmp_path / "out.webm").exists()
        return
    made = foley_here(
        "generate", source, "-o", f"out{suffix}", "--class", "clock", "--actions", "hits.csv"
    )
    assert made.exit_code == 0, made.stderr
    before, after = probe(source), probe(tmp_path / f"out{suffix}")
    assert after.duration_s == pytest.approx(before.duration_s, abs=1e-3)
    waveform, rate_hz = read_audio(tmp_path / f"out{suffix}")
    assert len(waveform) == round(before.duration_s * rate_hz)


def test_given_events_are_used_and_written_back(
    foley_here, tmp_path: Path, silent_clip: Path
) -> None:
    given = [Event(0.25, 0.5, "x"), Event(0.75, 1.0, "x")]
    write_events(tmp_path / "given.csv", given)
    made = foley_here(
        *("generate", silent_clip, "-o", "out.wav", "--class", "gunshot", "--actions", "given.csv"),
        *("--save-actions", "used.txt", "--save-spectrogram", "out.png"),
    )
    assert made.exit_code == 0, made.stderr
    assert read_events(tmp_path / "used.txt") == given  # an Audacity label track this time
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_detected_events_can_be_saved_and_fed_back(
    foley_here, tmp_path: Path, silent_clip: Path
) -> None:
    detect = ("generate", silent_clip, "--class", "clock")
    assert foley_here(*detect, "-o", "a.wav", "--save-actions", "seen.csv").exit_code == 0
    assert foley_here(*detect, "-o", "b.wav", "--actions", "seen.csv").exit_code == 0
    sounds = [read_audio(tmp_path / name)[0] for name in ("a.wav", "b.wav")]
    assert [len(s) for s in sounds] == [len(sounds[0])] * 2


def test_unsure_recognition_is_admitted(foley_here, tmp_path: Path, silent_clip: Path) -> None:
    made = foley_here("generate", silent_clip, "-o", "out.wav", "--json")
    assert made.exit_code == 0
    report = json.loads(made.stdout)
    assert report["outputs"][0]["class"] in made.stderr
    assert "unsure; use --class" in made.stderr  # a moving square is none of the classes


def test_saved_spectrogram_inverts_to_a_sound_of_the_same_length(
    foley_here, tmp_path: Path, silent_clip: Path
) -> None:
    write_events(tmp_path / "hits.csv", [Event(0.5)])
    foley_here(
        *("generate", silent_clip, "-o", "out.wav", "--class", "footstep"),
        *("--actions", "hits.csv", "--save-spectrogram", "out.spec.npz"),
    )
    made = foley_here("invert", "out.spec.npz", "-o", "again.wav")
    assert made.exit_code == 0, made.stderr
    first, again = (read_audio(tmp_path / name)[0] for name in ("out.wav", "again.wav"))
    assert len(first) == len(again)


def test_bad_clip_in_a_batch_is_named_and_the_others_are_made(
    foley_here, tmp_path: Path, silent_clip: Path
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "good.mp4").write_bytes(silent_clip.read_bytes())
    (folder / "bad.mp4").write_text("not a film")
    made = foley_here("generate", "clips", "-o", "out/", "--class", "rain")
    assert made.exit_code == 1
    assert "bad.mp4: not a media file" in made.stderr
    assert "1 of 2 failed" in made.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["good.wav", "run.json"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--save-actions", "out.wav"), "two outputs have one name"),
        (("--mix", "original"), "--mix original needs a video output"),
        (("--class", "dragon"), "unknown class 'dragon'; this model has: break"),
        (("--model", "nowhere"), "no such model; give a .safetensors file"),
        (("--class", "rain", "--truncation", "0"), "truncation 0.0 is too small"),
        (("--class", "rain", "--actions", "missing.csv"), "missing.csv: No such file"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    foley_here, tmp_path: Path, silent_clip: Path, arguments: tuple[str, ...], said: str
) -> None:
    made = foley_here("generate", silent_clip, "-o", "out.wav", *arguments)
    assert made.exit_code == 2
    assert said in made.stderr
    assert "Traceback" not in made.stderr
    assert not (tmp_path / "out.wav").exists()


def test_dry_run_prints_the_plan_and_writes_nothing(
    foley_here, tmp_path: Path, silent_clip: Path
) -> None:
    made = foley_here("generate", silent_clip, "-o", "out.mp4", "-n")
    assert (made.exit_code, made.stdout) == (0, f"{silent_clip}\tout.mp4\n")
    assert not list(tmp_path.iterdir())
