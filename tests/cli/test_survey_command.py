"""``foley survey-pack`` as its users meet it: build, take, report; exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest

from foleycli.media.audio import write_audio
from foleycli.media.video import write_video
from foleycli.survey.study import Study, read_study

RATE_HZ = 22_050
CLIPS = 4


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``videos``, ``originals``, ``ours`` and ``base`` of four clips in two classes."""
    folder = tmp_path_factory.mktemp("sides")
    rng = np.random.default_rng(0)
    for number in range(CLIPS):
        name = f"{('Rain', 'Clock')[number % 2]}/{number}"
        noise = 0.1 * rng.standard_normal(RATE_HZ).astype(np.float32)
        for side, gain in (("originals", 1.0), ("ours", 0.5), ("base", 2.0)):
            path = folder / side / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_audio(path, gain * noise, RATE_HZ)
        path = folder / "videos" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, iter(np.full((25, 16, 16, 3), 60 * number, np.uint8)), 25)
    return folder


@pytest.fixture
def given(sides: Path) -> list[object]:
    """The options that name the sides."""
    conditions = [f"--condition={name}={sides / name}" for name in ("ours", "base")]
    return ["--videos", sides / "videos", *conditions, "--reference", sides / "originals"]


def say(study: Study, folder: Path, raters: int, **changes: Any) -> list[Path]:
    """Write answers of raters who find ours good, base bad, and know every gold item."""
    folder.mkdir(exist_ok=True)
    files = []
    for rater in range(raters):
        plan = study.plans[rater % len(study.plans)]
        trials = []
        for trial in plan.trials:
            medium = study.media[trial.media[0]]
            good = medium.kind == "hidden-reference" or medium.condition == "ours"
            value = (8 if good else 1) + (rater + int(trial.id, 16)) % 3
            answers = [
                {"question": question.id, "medium": medium.name, "value": min(10, value)}
                for question in study.form.questions
            ]
            trials.append(
                {
                    "trial": trial.id,
                    "rt_ms": 9000,
                    "answered": "2025-01-31T12:00:00.000Z",
                    "plays": {medium.name: 1},
                    "answers": answers,
                }
            )
        whole = {
            **{"schema": "foley-survey-response/1", "study": study.id, "session": f"s{rater}"},
            **{"plan": plan.number, "trials": trials},
        }
        path = folder / f"{rater}.json"
        path.write_text(json.dumps(whole | changes))
        files.append(path)
    return files


def test_build_take_report(foley: Any, given: list[object], tmp_path: Path) -> None:
    done = foley("survey-pack", "build", *given, "-o", "study/", "--ratings", 6)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["study", "study.key.csv"]
    assert "4 clips in 2 conditions; 12 plans of 5 pages" in done.stderr
    assert "gold items: other-class, degraded, hidden-reference" in done.stderr
    assert "loudness is matched to -23 LUFS in each clip" in done.stderr
    study = read_study(tmp_path / "study", tmp_path / "study.key.csv")
    files = say(study, tmp_path / "answers", 12)

    done = foley("survey-pack", "report", *files, "--key", "study.key.csv", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    figures = {(f["metric"], f["system"], f["class"]): f for f in report["figures"]}
    assert figures["quality", "ours", ""]["value"] > figures["quality", "base", ""]["value"] + 5
    assert figures["quality", "ours", ""]["count"] == 24
    assert {label for _, _, label in figures} == {"", "Rain", "Clock"}
    assert report["manifest"]["sessions_kept"] == 12
    assert all(gold["passed"] == gold["answered"] for gold in report["golds"].values())

    done = foley("survey-pack", "report", *files, "--key", "study.key.csv", "--plot", "a.png")
    assert done.returncode == 0, done.stderr
    assert "Krippendorff" in done.stdout and "12 of 12 sessions kept" in done.stdout
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")

    done = foley(
        "survey-pack", "report", *files, "--key", "study.key.csv",
        "--table", "foleygan-vii", "--csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    published = [r for r in rows if (r["class"], r["question"]) == ("rain", "quality")]
    assert {r["row"]: r["value"] for r in published if r["source"] == "published"} == {
        "FoleyGAN (published)": "8.9"
    }
    assert {r["row"] for r in published} >= {"ours", "base"}


@pytest.fixture(scope="module")
def pack(sides: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from typer.testing import CliRunner

    from foleycli.cli.main import app

    made = tmp_path_factory.mktemp("study") / "pack"
    words = ["survey-pack", "build", "--videos", sides / "videos", "-o", made]
    words += [f"--condition={name}={sides / name}" for name in ("ours", "base")]
    words += ["--reference", sides / "originals", "--ratings", 6]
    done = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    return made


@pytest.fixture
def report(foley_here: Any, pack: Path, tmp_path: Path) -> Callable[..., Any]:
    key = pack.with_name("pack.key.csv")

    def run(*words: object, **changes: Any) -> Any:
        files = say(read_study(pack, key), tmp_path / "answers", 12, **changes)
        return foley_here("survey-pack", "report", *files, "--key", key, *words)

    return run


@pytest.mark.parametrize(
    ("form", "beginning"),
    [("--markdown", "| "), ("--latex", "\\begin"), ("--csv", "kind,metric"), ("--json", "{")],
)
def test_report_in_every_form(form: str, beginning: str, report: Any) -> None:
    for more in ((), ("--table", "foleygan-vii")):
        done = report(form, *more)
        assert done.exit_code == 0, done.stderr
        if not more:
            assert beginning in done.stdout[:400]
        assert done.stdout == report(form, *more).stdout


def test_refused_answers_are_named_and_the_exit_code_tells(report: Any) -> None:
    done = report("--json", schema="another")
    assert done.exit_code == 2
    assert "no answers are left" in done.stderr
    (bad := Path("bad.json")).write_text('{"schema": "foley-survey-response/1"}')
    done = report(bad, "--json")
    assert done.exit_code == 1
    assert "bad.json: of another study" in done.stderr
    assert json.loads(done.stdout)["manifest"]["sessions"] == 12


def test_who_is_left_out_can_be_let_in(report: Any, pack: Path, tmp_path: Path) -> None:
    fast = ("--least-seconds", 10, "--json")
    done = report(*fast)
    assert done.exit_code == 2 and "in less than 10 s" in done.stderr
    done = report(*fast, "--no-exclude")
    assert json.loads(done.stdout)["exclusions"] == []
    assert json.loads(done.stdout)["manifest"]["sessions_kept"] == 12


def test_answers_that_came_faster_than_the_clips_are_left_out(
    foley_here: Any, pack: Path, tmp_path: Path
) -> None:
    key = pack.with_name("pack.key.csv")
    files = say(read_study(pack, key), tmp_path / "answers", 12)
    whole = json.loads(files[0].read_text())
    for trial in whole["trials"]:
        trial["rt_ms"] = 900  # the clips last a second
    files[0].write_text(json.dumps(whole))
    done = foley_here("survey-pack", "report", *files, "--key", key, "--json")
    (out,) = json.loads(done.stdout)["exclusions"]
    assert (out["session"], out["rule"]) == ("s0", "too fast")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "--csv"], "--json and --csv: choose one"),
        (["--plot", "a.gif"], "--plot a.gif: the suffix must be one of"),
        (["--table", "table-9"], "no table table-9; there are foleygan-vii"),
        (["--pack", "nowhere"], "nowhere/study.json: No such file"),
    ],
)
def test_report_refuses(words: list[str], message: str, report: Any) -> None:
    done = report(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_key_without_its_pack_is_told(foley_here: Any, pack: Path, tmp_path: Path) -> None:
    shutil.copy(pack.with_name("pack.key.csv"), tmp_path / "other.key.csv")
    (tmp_path / "a.json").write_text("{}")
    done = foley_here("survey-pack", "report", "a.json", "--key", "other.key.csv")
    assert done.exit_code == 2
    assert "its pack is not beside it; give --pack" in done.stderr


def test_the_same_command_makes_the_same_pack(
    foley_here: Any, given: list[object], pack: Path, tmp_path: Path
) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    done = foley_here("survey-pack", "build", *given, "-o", "again", "--ratings", 6, "-j", 2)
    assert done.exit_code == 0, done.stderr
    assert files(tmp_path / "again") == files(pack)
    key = (tmp_path / "again.key.csv").read_bytes()
    assert key == pack.with_name("pack.key.csv").read_bytes()
    other = foley_here("survey-pack", "build", *given, "-o", "other", "--seed", 1, "-q")
    assert other.exit_code == 0
    names = {path.name for path in (tmp_path / "other" / "media").glob("*.mp4")}
    assert not names & {path.name for path in (pack / "media").glob("*.mp4")}


def test_dry_run_writes_nothing(foley_here: Any, given: list[object], tmp_path: Path) -> None:
    done = foley_here("survey-pack", "build", *given, "-o", "study", "-n", "--json")
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["plans"], told["trials"], told["written"]) == (20, [5], False)
    assert list(tmp_path.iterdir()) == []


def test_pages_that_hold_their_golds_have_no_share_of_gold_pages(
    foley_here: Any, given: list[object]
) -> None:
    done = foley_here("survey-pack", "build", *given, "-o", "study", "-n", "--method", "mushra")
    assert done.exit_code == 0
    assert "pages; gold items: degraded, hidden-reference" in done.stderr
    assert "% of them" not in done.stderr


def test_no_clobber_keeps_a_pack(foley_here: Any, given: list[object], tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "thesis.txt").write_text("mine")
    done = foley_here("survey-pack", "build", *given, "-o", "study", "--no-clobber")
    assert done.exit_code == 2
    assert "study: is something else than a pack" in done.stderr
    (tmp_path / "study" / "thesis.txt").rename(tmp_path / "study" / "study.json")
    done = foley_here("survey-pack", "build", *given, "-o", "study", "--no-clobber")
    assert (done.exit_code, done.stdout) == (0, "study\n")
    assert (tmp_path / "study" / "study.json").read_text() == "mine"
    assert not (tmp_path / "study.key.csv").exists()


def test_a_clip_that_lacks_a_condition_is_named(
    foley_here: Any, sides: Path, given: list[object], tmp_path: Path
) -> None:
    shutil.copytree(sides / "base", tmp_path / "base")
    (tmp_path / "base" / "Rain" / "0.wav").unlink()
    words = [word for word in given if "base=" not in str(word)]
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
    words: list[str], message: str, foley_here: Any, given: list[object], tmp_path: Path
) -> None:
    done = foley_here("survey-pack", "build", *given, "-o", "study", *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_without_originals_there_are_no_golds(
    foley_here: Any, given: list[object], tmp_path: Path
) -> None:
    done = foley_here("survey-pack", "build", *given[:-2], "-o", "study", "-n")
    assert done.exit_code == 0
    assert "no gold items: they are made of --reference" in done.stderr


def test_a_bad_sound_leaves_no_pack(
    foley_here: Any, sides: Path, given: list[object], tmp_path: Path
) -> None:
    shutil.copytree(sides / "base", tmp_path / "worse")
    (tmp_path / "worse" / "Rain" / "0.wav").write_text("no sound")
    done = foley_here("survey-pack", "build", *given, "--condition", "worse=worse", "-o", "study")
    assert done.exit_code == 2
    assert "worse/Rain/0.wav: not a media file" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["worse"]


def test_a_killed_build_leaves_no_pack(given: list[object], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foleycli", "survey-pack", "build", *map(str, given)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "-o", "study"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as process:
        while not list(tmp_path.glob(".study-*/media/*.mp4")):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "study").exists()
    assert not (tmp_path / "study.key.csv").exists()


def test_a_build_that_is_told_to_end_leaves_nothing(given: list[object], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foleycli", "survey-pack", "build", *map(str, given)]
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
    foley_here: Any, given: list[object], tmp_path: Path
) -> None:
    done = foley_here("survey-pack", "form", "mos", "-o", "form.toml")
    assert (done.exit_code, done.stdout) == (0, "form.toml\n")
    text = (tmp_path / "form.toml").read_text()
    assert foley_here("survey-pack", "form", "mos").stdout == text
    (tmp_path / "form.toml").write_text(text.replace('next = "Next"', 'next = "Weiter"'))
    done = foley_here("survey-pack", "build", *given, "-o", "study", "--form", "form.toml", "-q")
    assert done.exit_code == 0, done.stderr
    assert '"next":"Weiter"' in (tmp_path / "study" / "index.html").read_text()
    form = json.loads((tmp_path / "study" / "study.json").read_text())
    assert {(question["low"], question["high"]) for question in form["question"]} == {(1, 5)}
    done = foley_here("survey-pack", "build", *given, "-o", "s", "--form", "form.toml",
                      "--method", "mushra")  # fmt: skip
    assert done.exit_code == 2 and "form.toml is of the method mos" in done.stderr
    assert "no form abx" in foley_here("survey-pack", "form", "abx").stderr


def test_server_says_where_it_is_and_ends_on_ctrl_c(pack: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foleycli", "survey-pack", "serve", str(pack)]
    with subprocess.Popen(
        [*command, "--port", "0", "--db", "a.sqlite"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert "0 responses; 0 of 0 sessions are complete" in process.stderr.read()
    assert [path.name for path in tmp_path.iterdir()] == ["a.sqlite"]


@pytest.mark.parametrize(("word", "signs"), [("::1", "[::1]"), ("localhost", "127.0.0.1")])
def test_server_may_be_started_within_the_pack_and_ends_on_sigterm(
    word: str, signs: str, pack: Path, tmp_path: Path
) -> None:
    if word == "::1":
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError:
            pytest.skip("this machine has no IPv6")
    shutil.copytree(pack, tmp_path / "pack")
    command = [sys.executable, "-m", "foleycli", "survey-pack", "serve", ".", "--port", "0"]
    with subprocess.Popen(
        [*command, "--host", word],
        cwd=tmp_path / "pack", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout and process.stderr
        address = process.stdout.readline().strip()
        assert address.startswith(f"http://{signs}:")
        with urlopen(address, timeout=20) as page:  # answered when all is said
            assert page.status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        said = process.stderr.read()
    assert f"answers go to {tmp_path / 'pack.responses.sqlite'}" in said
    assert "others can reach this" not in said
    assert {path.name for path in tmp_path.iterdir()} == {"pack", "pack.responses.sqlite"}


def test_a_taken_port_is_named(foley_here: Any, pack: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = foley_here("survey-pack", "serve", pack, "--port", port, "--db", "a.sqlite")
    assert done.exit_code == 2
    assert f"--port {port}: taken; give another one, or 0 for any" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--db", "pack/a.sqlite"], "lies in the pack; keep answers outside"),
        (["--host", "192.0.2.1"], "--host 192.0.2.1 --port 0: Cannot assign requested address"),
        (["--host", "no.such.invalid"], "--host no.such.invalid --port 0: "),
    ],
)
def test_serve_refuses(
    words: list[str], message: str, foley_here: Any, pack: Path, tmp_path: Path
) -> None:
    shutil.copytree(pack, tmp_path / "pack")
    done = foley_here("survey-pack", "serve", "pack", "--port", 0, *words)
    assert done.exit_code == 2
    assert message in done.stderr
