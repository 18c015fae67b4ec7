"""``foley survey-pack`` as its users meet it: build, take, report; exit codes."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from foleycli.survey.study import Study, read_study


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


def test_build_take_report(foley: Any, survey_options: list[object], tmp_path: Path) -> None:
    done = foley("survey-pack", "build", *survey_options, "-o", "study/", "--ratings", 6)
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


@pytest.fixture
def report(foley_here: Any, survey_pack: Path, tmp_path: Path) -> Callable[..., Any]:
    key = survey_pack.with_name("pack.key.csv")

    def run(*words: object, **changes: Any) -> Any:
        files = say(read_study(survey_pack, key), tmp_path / "answers", 12, **changes)
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


def test_who_is_left_out_can_be_let_in(report: Any, survey_pack: Path, tmp_path: Path) -> None:
    fast = ("--least-seconds", 10, "--json")
    done = report(*fast)
    assert done.exit_code == 2 and "in less than 10 s" in done.stderr
    done = report(*fast, "--no-exclude")
    assert json.loads(done.stdout)["exclusions"] == []
    assert json.loads(done.stdout)["manifest"]["sessions_kept"] == 12


def test_answers_that_came_faster_than_the_clips_are_left_out(
    foley_here: Any, survey_pack: Path, tmp_path: Path
) -> None:
    key = survey_pack.with_name("pack.key.csv")
    files = say(read_study(survey_pack, key), tmp_path / "answers", 12)
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


def test_key_without_its_pack_is_told(foley_here: Any, survey_pack: Path, tmp_path: Path) -> None:
    shutil.copy(survey_pack.with_name("pack.key.csv"), tmp_path / "other.key.csv")
    (tmp_path / "a.json").write_text("{}")
    done = foley_here("survey-pack", "report", "a.json", "--key", "other.key.csv")
    assert done.exit_code == 2
    assert "its pack is not beside it; give --pack" in done.stderr


def test_server_says_where_it_is_and_ends_on_ctrl_c(survey_pack: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "foleycli", "survey-pack", "serve", str(survey_pack)]
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
    word: str, signs: str, survey_pack: Path, tmp_path: Path
) -> None:
    if word == "::1":
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError:
            pytest.skip("this machine has no IPv6")
    shutil.copytree(survey_pack, tmp_path / "pack")
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


def test_a_taken_port_is_named(foley_here: Any, survey_pack: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = foley_here("survey-pack", "serve", survey_pack, "--port", port, "--db", "a.sqlite")
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
    words: list[str], message: str, foley_here: Any, survey_pack: Path, tmp_path: Path
) -> None:
    shutil.copytree(survey_pack, tmp_path / "pack")
    done = foley_here("survey-pack", "serve", "pack", "--port", 0, *words)
    assert done.exit_code == 2
    assert message in done.stderr
