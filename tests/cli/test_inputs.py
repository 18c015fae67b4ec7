"""Inputs become ordered clips, one output each; shards share them without loss or overlap."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.cli.inputs import AUDIO_SUFFIXES, VIDEO_SUFFIXES, Clip, collect, is_batch, plan
from foleycli.cli.options import parse_shard


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("clips/rain/b.mp4", "clips/a.MOV", "clips/notes.md", "clips/.a-part.mp4", "c.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ids(*inputs: str) -> list[str]:
    return [clip.id for clip in collect(map(Path, inputs), VIDEO_SUFFIXES)]


def test_folder_keeps_its_sub_tree_and_leaves_other_files(tree: Path) -> None:
    assert ids("clips") == ["a", "rain/b"]
    assert ids("c.mp4", "clips") == ["a", "c", "rain/b"]


def test_ids_do_not_depend_on_where_the_data_lie(tree: Path) -> None:
    assert ids("clips") == ids(str(tree / "clips")) == ids("./clips/")
    assert ids("clips/rain/b.mp4") == ids(str(tree / "clips" / "rain" / "b.mp4")) == ["b"]


def test_file_given_by_name_is_taken_whatever_its_suffix_even_when_missing(tree: Path) -> None:
    assert ids("clips/notes.md", "missing.mp4") == ["missing", "notes"]


def test_own_double_suffixes_are_dropped_whole() -> None:
    assert ids("a.features.npz", "b.spec.npz", "c.v2.mp4", ".mp4") == [".mp4", "a", "b", "c.v2"]


def test_lists_and_standard_input(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "clips" / "all.jsonl").write_text(
        '{"path": "rain/b.mp4", "class": "rain"}\n{"path": "a.MOV", "id": "first"}\n'
    )
    clips = collect([Path("clips/all.jsonl")], VIDEO_SUFFIXES)
    assert clips == [
        Clip(Path("clips/a.MOV"), "first"),
        Clip(Path("clips/rain/b.mp4"), "rain/b", "rain"),
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("./clips/a.MOV\n/far/away/d.mp4\n../up/e.mp4\n"))
    assert ids("-") == ["clips/a", "d", "up/e"]


def test_nothing_to_work_on_is_an_error(tree: Path) -> None:
    with pytest.raises(ValueError, match="clips/rain: nothing to work on"):
        collect([Path("clips/rain")], AUDIO_SUFFIXES)


def outputs(tree: Path, inputs: list[str], output: str) -> list[str]:
    paths = [Path(name) for name in inputs]
    clips = collect(paths, VIDEO_SUFFIXES)
    jobs = plan(clips, output, ".wav", folder=is_batch(paths, clips), allowed={".wav", ".flac"})
    return [job.output.as_posix() for job in jobs]


def test_output_names(tree: Path) -> None:
    assert outputs(tree, ["c.mp4"], "out.flac") == ["out.flac"]
    assert outputs(tree, ["c.mp4"], "out/") == ["out/c.wav"]
    assert outputs(tree, ["c.mp4"], "clips") == ["clips/c.wav"]
    assert outputs(tree, ["clips"], "out") == ["out/a.wav", "out/rain/b.wav"]
    assert outputs(tree, ["clips/rain"], "out") == ["out/b.wav"]


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["c.mp4"], "out.mp3", "suffix must be one of .flac .wav"),
        (["c.mp4", "clips"], "out.wav", "several inputs need a folder"),
        (["clips"], "clips/a.MOV", "several inputs need a folder"),
        (["clips/rain/b.mp4", "b.avi"], "out/", "would both write out/b.wav"),
        (["c.mp4", "c.mp4"], "out/", "would both write"),
    ],
)
def test_wrong_outputs(tree: Path, inputs: list[str], output: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        outputs(tree, inputs, output)


def test_inputs_are_never_overwritten(tree: Path) -> None:
    clips = collect([Path("c.mp4")], VIDEO_SUFFIXES)
    with pytest.raises(ValueError, match="would overwrite an input"):
        plan(clips, "./c.mp4", ".mp4", folder=False)


@given(count=st.integers(0, 60), shards=st.integers(1, 20))
def test_shards_are_disjoint_and_complete(count: int, shards: int) -> None:
    jobs = list(range(count))
    parts = []
    for number in range(shards):
        index, of = parse_shard(f"{number}/{shards}")
        parts.append(jobs[index::of])
    assert sorted(job for part in parts for job in part) == jobs
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["3/3", "1", "a/b", "-1/2", "1/0", "1/2/3"])
def test_wrong_shards(text: str) -> None:
    with pytest.raises(ValueError, match="I/N"):
        parse_shard(text)


def test_shard_auto_reads_slurms_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID", raising=False)
    with pytest.raises(ValueError, match="SLURM_ARRAY_TASK_ID is not set"):
        parse_shard("auto")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "8")
    assert parse_shard("auto") == (2, 8)
    assert parse_shard("") == (0, 1)


def test_seeds_are_stable_and_differ_by_clip_and_draw() -> None:
    clip = Clip(Path("anywhere/rain/b.mp4"), "rain/b")
    assert clip.seed(0) == Clip(Path("/else/where.mp4"), "rain/b", "rain").seed(0)
    assert clip.seed(0) == 6066443389322792174
    seeds = {clip.seed(0), clip.seed(1), clip.seed(0, 1), Clip(clip.path, "rain/c").seed(0)}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)
