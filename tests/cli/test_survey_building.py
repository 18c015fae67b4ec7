"""``foley survey-pack build`` and ``form``: what they write, keep and refuse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def test_the_same_command_makes_the_same_pack(
    foley_here: Any, survey_options: list[object], survey_pack: Path, tmp_path: Path
) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    done = foley_here(
        "survey-pack", "build", *survey_options, "-o", "again", "--ratings", 6, "-j", 2
    )
    assert done.exit_code == 0, done.stderr
    assert files(tmp_path / "again") == files(survey_pack)
    key = (tmp_path / "again.key.csv").read_bytes()
    assert key == survey_pack.with_name("pack.key.csv").read_bytes()
    other = foley_here("survey-pack", "build", *survey_options, "-o", "other", "--seed", 1, "-q")
    assert other.exit_code == 0
    names = {path.name for path in (tmp_path / "other" / "media").glob("*.mp4")}
    assert not names & {path.name for path in (survey_pack / "media").glob("*.mp4")}


def test_dry_run_writes_nothing(
    foley_here: Any, survey_options: list[object], tmp_path: Path
) -> None:
    done = foley_here("survey-pack", "build", *survey_options, "-o", "study", "-n", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["plans"], told["trials"], told["written"]) == (20, [5], False)
    assert list(tmp_path.iterdir()) == []


def test_pages_that_hold_their_golds_have_no_share_of_gold_pages(
    foley_here: Any, survey_options: list[object]
) -> None:
    done = foley_here(
        "survey-pack", "build", *survey_options, "-o", "study", "-n", "--method", "mushra"
    )
    assert done.exit_code == 0
    assert "pages; gold items: degraded, hidden-reference" in done.stderr
    assert "% of them" not in done.stderr


def test_no_clobber_keeps_a_pack(
    foley_here: Any, survey_options: list[object], tmp_path: Path
) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "thesis.txt").write_text("mine")
    done = foley_here("survey-pack", "build", *survey_options, "-o", "study", "--no-clobber")
    assert done.exit_code == 2
    assert "study: is something else than a pack" in done.stderr
    (tmp_path / "study" / "thesis.txt").rename(tmp_path / "study" / "study.json")
    done = foley_here("survey-pack", "build", *survey_options, "-o", "study", "--no-clobber")
    assert (done.exit_code, done.stdout) == (0, "study\n")
    assert (tmp_path / "study" / "study.json").read_text() == "mine"
    assert not (tmp_path / "study.key.csv").exists()


def test_a_clip_that_lacks_a_condition_is_named(
    foley_here: Any, survey_sides: Path, survey_options: list[object], tmp_path: Path
) -> None:
    shutil.copytree(survey_sides / "base", tmp_path / "base")
    (tmp_path / "base" / "Rain" / "0.wav").unlink()
    words = [word for word in survey_options if "base=" not in str(word)]
    done = foley_here("survey-pack", "build", *words, "--condition", "base=base", "-o", "s", "-n")
    assert done.exit_code == 0
    assert "left out: Rain/0: no file in base" in done.stderr
    assert "3 clips in 2 conditions" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--condition", "ours"], "--condition ours: write NAME=PATH"),
        (["--condition", "ours=nowhere"], "--condition ours: given twice"),
        (["--condition", "new=nowhere"], "nowhere: no such file or folder"),
        (["--method", "abx"], "method 'abx': choose mos"),
        (["--golds", "loud"], "gold 'loud': choose of"),
        (["--golds", "shifted"], "no clip serves for gold items of the kind shifted"),
        (["--trials", "99"], "a plan has 1 to 8 trials here"),
        (["--collect-url", "ftp://x"], "give an address that begins with https://"),
        (["--key", "study/key.csv"], "lies in the pack, where raters would find it"),
        (["--form", "gone.toml"], "gone.toml: No such file or directory"),
    ],
)
def test_build_refuses(
    words: list[str], message: str, foley_here: Any, survey_options: list[object], tmp_path: Path
) -> None:
    done = foley_here("survey-pack", "build", *survey_options, "-o", "study", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_without_originals_there_are_no_golds(
    foley_here: Any, survey_options: list[object], tmp_path: Path
) -> None:
    done = foley_here("survey-pack", "build", *survey_options[:-2], "-o", "study", "-n")
    assert done.exit_code == 0
    assert "no gold items: they are made of --reference" in done.stderr


def test_a_bad_sound_leaves_no_pack(
    foley_here: Any, survey_sides: Path, survey_options: list[object], tmp_path: Path
) -> None:
    shutil.copytree(survey_sides / "base", tmp_path / "worse")
    (tmp_path / "worse" / "Rain" / "0.wav").write_text("no sound")
    done = foley_here(
        "survey-pack", "build", *survey_options, "--condition", "worse=worse", "-o", "study"
    )
    assert done.exit_code == 2
    assert "worse/Rain/0.wav: not a media file" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["worse"]


def test_a_killed_build_leaves_no_pack(survey_options: list[object], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foleycli", "survey-pack", "build", *map(str, survey_options)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "-o", "study"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as process:
        while not list(tmp_path.glob(".study-*/media/*.mp4")):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "study").exists()
    assert not (tmp_path / "study.key.csv").exists()


def test_a_build_that_is_told_to_end_leaves_nothing(
    survey_options: list[object], tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "foleycli", "survey-pack", "build", *map(str, survey_options)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "-o", "study"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while not list(tmp_path.glob(".study-*/media/*.mp4")):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
        assert process.stderr and "foley survey-pack build: interrupted" in process.stderr.read()
    assert list(tmp_path.iterdir()) == []


def test_a_form_that_was_edited_can_be_kept(foley_here: Any, tmp_path: Path) -> None:
    words = ("survey-pack", "form", "mos", "-o", "form.toml")
    assert foley_here(*words, "--no-clobber").stdout == "form.toml\n"
    whole = (tmp_path / "form.toml").read_text()
    (tmp_path / "form.toml").write_text("mine")
    done = foley_here(*words, "--no-clobber")
    assert (done.exit_code, done.stdout) == (0, "form.toml\n")
    assert "form.toml: exists, left as it is" in done.stderr
    assert (tmp_path / "form.toml").read_text() == "mine"
    foley_here(*words)
    assert (tmp_path / "form.toml").read_text() == whole


def test_a_form_is_written_edited_and_used(
    foley_here: Any, survey_options: list[object], tmp_path: Path
) -> None:
    done = foley_here("survey-pack", "form", "mos", "-o", "form.toml")
    assert (done.exit_code, done.stdout) == (0, "form.toml\n")
    text = (tmp_path / "form.toml").read_text()
    assert foley_here("survey-pack", "form", "mos").stdout == text
    (tmp_path / "form.toml").write_text(text.replace('next = "Next"', 'next = "Weiter"'))
    done = foley_here(
        "survey-pack", "build", *survey_options, "-o", "study", "--form", "form.toml", "-q"
    )
    assert done.exit_code == 0, done.stderr
    assert '"next":"Weiter"' in (tmp_path / "study" / "index.html").read_text()
    form = json.loads((tmp_path / "study" / "study.json").read_text())
    assert {(question["low"], question["high"]) for question in form["question"]} == {(1, 5)}
    done = foley_here("survey-pack", "build", *survey_options, "-o", "s", "--form", "form.toml",
                      "--method", "mushra")  # fmt: skip
    assert done.exit_code == 2 and "form.toml is of the method mos" in done.stderr
    assert "no form abx" in foley_here("survey-pack", "form", "abx").stderr
