"""A pack built where another was: no answer is lost, and none is credited to another condition."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from foleycli.cli.main import app
from foleycli.files.provenance import RunRecord
from foleycli.media.audio import write_audio
from foleycli.survey import pack
from foleycli.survey.answer_store import AnswerStore
from foleycli.survey.responses import collect_responses
from foleycli.survey.study import Study, read_key, read_study, study_of_key

Rebuild = Callable[..., Result]
KEY = "study.key.csv"
DATABASE = "study.responses.sqlite"


@pytest.fixture
def rebuild(clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rebuild:
    """``rebuild(*options)`` builds ``study`` of a clip of each class."""
    for side in ("videos", "ours", "base"):
        for name in ("rain/0", "clock/1"):
            path = next((clips / side).glob(f"{name}.*"))
            copy = tmp_path / "given" / path.relative_to(clips)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    monkeypatch.chdir(tmp_path)

    def run(*words: object, ours: str = "ours", base: str = "base", o: object = "study") -> Result:
        given = tmp_path / "given"
        command = ["survey-pack", "build", "--videos", given / "videos", "-o", o, "--ratings", 2]
        command += [f"--condition=ours={given / ours}", f"--condition=base={given / base}", *words]
        return CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)

    return run


def the_study(folder: Path) -> Study:
    return read_study(folder / "study", folder / KEY)


def answer(study: Study, database: Path, respond: Any, honest: Any) -> None:
    store = AnswerStore(database, study.id, len(study.plans))
    store.add(json.dumps(respond(study, study.plans[0], honest)), "s", 0, complete=True)
    store.close()


def test_what_is_heard_makes_the_study(rebuild: Rebuild, tmp_path: Path) -> None:
    assert rebuild("-q").exit_code == 0
    first = the_study(tmp_path)
    assert rebuild("-q", ours="base", base="ours").exit_code == 0
    swapped = the_study(tmp_path)
    assert rebuild("-q", "--loudness", -30).exit_code == 0
    softer = the_study(tmp_path)
    assert len({first.id, swapped.id, softer.id}) == 3
    for study in (swapped, softer):
        assert not first.media.keys() & study.media.keys()
    shutil.move(tmp_path / "given", tmp_path / "moved")
    (tmp_path / "given").symlink_to(tmp_path / "moved")
    assert rebuild("-q").exit_code == 0
    assert the_study(tmp_path) == first  # where files lie does not matter
    rng = np.random.default_rng(9)
    write_audio(tmp_path / "moved/ours/rain/0.wav", rng.uniform(-0.1, 0.1, 22_050), 22_050)
    assert rebuild("-q").exit_code == 0
    assert the_study(tmp_path).id != first.id


def test_a_pack_with_answers_is_not_replaced_by_another_study(
    rebuild: Rebuild, tmp_path: Path, respond: Any, honest: Any
) -> None:
    assert rebuild().exit_code == 0
    study = the_study(tmp_path)
    answer(study, tmp_path / DATABASE, respond, honest)
    before = {path: path.read_bytes() for path in tmp_path.glob("study*") if path.is_file()}
    for words in ((), ("--dry-run",)):
        done = rebuild("--seed", 1, *words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"{DATABASE} holds 1 responses to another study; choose another" in done.stderr
    assert before == {p: p.read_bytes() for p in tmp_path.glob("study*") if p.is_file()}
    assert rebuild().exit_code == 0  # the very same study
    assert sorted(path.name for path in tmp_path.glob("study*")) == [
        *("study", KEY, f"{KEY}.run.json", DATABASE)
    ]
    collected = collect_responses([tmp_path / DATABASE], the_study(tmp_path))
    assert len(collected.sessions) == 1 and collected.refusals == ()
    (tmp_path / DATABASE).write_text("no database" * 100)
    done = rebuild("--seed", 1)
    assert done.exit_code == 2 and "not a database of answers" in done.stderr


def test_answers_that_come_while_it_is_built_are_seen(
    rebuild: Rebuild, tmp_path: Path, respond: Any, honest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rebuild().exit_code == 0
    study = the_study(tmp_path)

    def write(*_: object) -> None:
        answer(study, tmp_path / DATABASE, respond, honest)

    monkeypatch.setattr(pack, "write_pack", write)
    done = rebuild("--seed", 1)
    assert done.exit_code == 2 and "holds 1 responses to another study" in done.stderr
    assert the_study(tmp_path) == study


def test_the_key_of_the_study_before_is_kept(
    rebuild: Rebuild, tmp_path: Path, respond: Any, honest: Any
) -> None:
    assert rebuild().exit_code == 0
    first = the_study(tmp_path)
    shutil.copytree(tmp_path / "study", tmp_path / "on-the-web")
    key, record = (tmp_path / KEY).read_bytes(), (tmp_path / f"{KEY}.run.json").read_bytes()
    (tmp_path / "a.json").write_text(json.dumps(respond(first, first.plans[0], honest)))
    done = rebuild("--seed", 1)
    kept = tmp_path / f"study.{first.id}.key.csv"
    assert done.exit_code == 0
    assert f"{KEY} was of another study, and is kept as {kept.name}" in done.stderr
    assert kept.read_bytes() == key
    assert kept.with_name(f"{kept.name}.run.json").read_bytes() == record
    assert study_of_key(tmp_path / KEY) == the_study(tmp_path).id != first.id
    again = read_study(tmp_path / "on-the-web", kept)
    assert collect_responses([tmp_path / "a.json"], again).refusals == ()
    with pytest.raises(ValueError, match=rf"key of another pack: .* its own is .*{kept.name}"):
        read_study(tmp_path / "on-the-web", tmp_path / KEY)


def test_what_breaks_off_before_the_swap_leaves_both_keys(
    rebuild: Rebuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rebuild().exit_code == 0
    first = the_study(tmp_path)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(RunRecord, "save", fail)
        assert rebuild("--seed", 1).exit_code == 130
    with pytest.raises(ValueError, match="the key of another pack"):
        read_study(tmp_path / "study", tmp_path / KEY)
    kept = tmp_path / f"study.{first.id}.key.csv"
    assert read_study(tmp_path / "study", kept) == first
    assert rebuild().exit_code == 0
    assert the_study(tmp_path) == first


def test_a_file_that_is_no_key_is_not_replaced(rebuild: Rebuild, tmp_path: Path) -> None:
    (tmp_path / "thesis.csv").write_text("mine")
    done = rebuild("--key", "thesis.csv")
    assert done.exit_code == 2
    assert "--key thesis.csv: not a key: " in done.stderr and "move it away" in done.stderr
    assert (tmp_path / "thesis.csv").read_text() == "mine"
    assert not (tmp_path / "study").exists()


def test_a_pack_may_be_built_where_one_stands(
    rebuild: Rebuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "study").mkdir()
    with monkeypatch.context() as here:
        here.chdir(tmp_path / "study")
        done = rebuild(o=".")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "study"), str(tmp_path / KEY)]
    assert "enter it again" in done.stderr
    assert len(the_study(tmp_path).media) == len(read_key(tmp_path / KEY))


def test_a_database_that_was_only_looked_at_is_no_obstacle(
    rebuild: Rebuild, tmp_path: Path
) -> None:
    assert rebuild().exit_code == 0
    study = the_study(tmp_path)
    store = AnswerStore(tmp_path / DATABASE, study.id, len(study.plans))
    store.hand_out("s")
    store.close()
    assert rebuild("--seed", 1).exit_code == 0
    study = the_study(tmp_path)
    AnswerStore(tmp_path / DATABASE, study.id, len(study.plans)).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as database:
        assert database.execute("SELECT id FROM study").fetchall() == [(study.id,)]


def test_it_is_said_by_how_much_sounds_were_cut_and_padded(
    rebuild: Rebuild, tmp_path: Path
) -> None:
    long = np.random.default_rng(1).uniform(-0.1, 0.1, round(1.25 * 22_050))
    write_audio(tmp_path / "given/ours/rain/0.wav", long, 22_050)
    done = rebuild()
    assert "1 sounds were longer than their picture and were cut, by 0.25 s at most" in done.stderr
    assert "2 sounds were shorter than their picture" in done.stderr
    assert "have silence after them, 0.50 s at most" in done.stderr
