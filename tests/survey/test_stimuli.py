from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from foleycli.survey.pages import Deck, make_deck
from foleycli.survey.questions import METHODS
from foleycli.survey.stimuli import Catalogue, Material, Medium, find_material
from foleycli.survey.study import (
    Study,
    beside,
    keep_other_key,
    kept_key,
    read_key,
    read_study,
    study_of_key,
    write_key,
    write_study,
)

Make = Callable[..., tuple[Study, Deck]]


@dataclass(frozen=True)
class File:
    id: str
    path: Path
    label: str = ""


def side(folder: str, *ids: str) -> list[File]:
    return [File(id_, Path(folder) / f"{id_}.mp4") for id_ in ids]


def test_files_are_paired_by_id_and_the_class_is_the_folder() -> None:
    videos = side("v", "rain/b", "rain/a", "clock/a")
    found = find_material(videos, {"ours": side("o", "clock/a", "rain/a", "rain/b")})
    assert [(c.id, c.label) for c in found.clips] == [
        *(("clock/a", "clock"), ("rain/a", "rain"), ("rain/b", "rain"))
    ]
    assert [c.files["ours"] for c in found.clips] == [Path(f"o/{c.id}.mp4") for c in found.clips]
    assert not found.gaps


def test_files_are_paired_by_name_where_folders_differ() -> None:
    found = find_material(side("v", "rain/x1"), {"ours": side("o", "x1")}, side("r", "all/x1"))
    assert found.clips[0].files["ours"] == Path("o/x1.mp4")
    assert found.clips[0].reference == Path("r/all/x1.mp4")


def test_a_manifests_class_comes_before_the_folders() -> None:
    videos = [File("rain/a", Path("a.mp4"), "storm")]
    assert find_material(videos, {"ours": side("o", "rain/a")}).clips[0].label == "storm"


def test_gaps_are_named_and_their_clips_left_out() -> None:
    conditions = {"ours": side("o", "a", "b", "d"), "base": side("p", "a", "c")}
    found = find_material(side("v", "a", "b", "c"), conditions)
    assert [clip.id for clip in found.clips] == ["a"]
    assert found.gaps == ("b: no file in base", "c: no file in ours", "d: in ours only")


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({}, "needs a condition"),
        ({"reference": side("o", "a")}, "cannot be called 'reference'"),
        ({" ": side("o", "a")}, "cannot be called"),
        ({"ours": side("o", "a", "a")}, "ours: two files are called a"),
        ({"ours": side("o", "a_sample_0", "a_sample_1")}, "several samples of a; keep one"),
        ({"ours": side("o", "z")}, "ours: none of its files is called like a clip"),
    ],
)
def test_what_makes_no_study_is_told_in_one_line(
    conditions: dict[str, list[File]], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as told:
        find_material(side("v", "a"), conditions)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("method", METHODS)
def test_names_are_opaque_and_of_the_seed(make_study: Make, method: str) -> None:
    study, _ = make_study(method)
    again, _ = make_study(method)
    other, _ = make_study(method, seed=1)
    assert list(study.media) == list(again.media)
    assert not set(study.media) & set(other.media)
    for name, medium in study.media.items():
        assert len(name) == 12 and set(name) <= set("0123456789abcdef")
        assert medium.condition not in name


def test_a_name_cannot_be_told_from_condition_clip_and_seed_alone(
    make_material: Callable[..., Material],
) -> None:
    """The other clips and conditions of the study are in the key of the hash too."""
    small, large = make_material(4), make_material(6)
    names = [
        Catalogue.of(material, 0).stimulus(material.clips[0], "ours").name
        for material in (small, large)
    ]
    assert small.clips[0].id == large.clips[0].id
    assert names[0] != names[1]


def test_names_stand_for_what_is_heard(make_material: Callable[..., Material]) -> None:
    material = make_material(2)
    assert material.files == tuple(
        Path(folder) / f"{clip.id}.mp4"
        for clip in material.clips
        for folder in ("videos", "originals", "ours", "base")
    )
    names = {
        tuple(Catalogue.of(material, 0, heard).stimulus(material.clips[0], c).name for c in "ab")
        for heard in ((), ("1", "2"), ("2", "1"), ("1", "2", "3"))
        for material in [find_material(side("v", "x"), {"a": side("a", "x"), "b": side("b", "x")})]
    }
    assert len({name for pair in names for name in pair}) == 8


def test_golds_are_what_they_are_called(make_material: Callable[..., Material]) -> None:
    material = make_material(12)
    by_id = {clip.id: clip for clip in material.clips}
    deck = make_deck(
        Catalogue.of(material, 0),
        "mos",
        golds=("shifted", "other-class", "degraded", "hidden-reference"),
    )
    golds = [page.media[0] for page in deck.golds]
    assert len(golds) == 16 and all(page.gold for page in deck.golds)
    for gold in golds:
        assert gold.file == str(by_id[gold.source].reference)
        assert gold.video == str(by_id[gold.clip].video)
        assert abs(gold.shift_ms) == (500 if gold.kind == "shifted" else 0)
        assert (gold.source != gold.clip) == (gold.kind == "other-class")
        assert (by_id[gold.source].label != gold.label) == (gold.kind == "other-class")


def test_shifts_go_both_ways_and_only_where_they_are_heard(
    make_material: Callable[..., Material],
) -> None:
    material = make_material(20)
    clocks = [clip.id for clip in material.clips if clip.label == "clock"]
    shifts = set()
    for seed in range(4):
        deck = make_deck(Catalogue.of(material, seed), "mos", golds=("shifted",), shiftable=clocks)
        shifts |= {page.media[0].shift_ms for page in deck.golds}
        assert {page.media[0].label for page in deck.golds} == {"clock"}
    assert shifts == {-500, 500}
    with pytest.raises(ValueError, match="no clip serves for gold items of the kind shifted"):
        make_deck(Catalogue.of(material, 0), "mos", golds=("shifted",), shiftable=())


def test_golds_need_originals_classes_and_sounds() -> None:
    bare = find_material(side("v", "a", "b"), {"ours": side("o", "a", "b")})
    with pytest.raises(ValueError, match="give --reference"):
        make_deck(Catalogue.of(bare, 0), "mos", golds=("shifted",))
    with pytest.raises(ValueError, match="give --reference"):
        make_deck(Catalogue.of(bare, 0), "mushra")
    one = find_material(side("v", "a"), {"ours": side("o", "a")}, side("r", "a"))
    with pytest.raises(ValueError, match="two classes"):
        make_deck(Catalogue.of(one, 0), "mos", golds=("other-class",))
    with pytest.raises(ValueError, match="gold 'loud': choose of shifted"):
        make_deck(Catalogue.of(one, 0), "mos", golds=("loud",))


def test_a_mushra_page_has_all_conditions_a_hidden_reference_and_an_open_one(
    make_study: Make,
) -> None:
    _, deck = make_study("mushra", golds=("shifted", "degraded"))
    for page in deck.grid:
        said = [(m.condition, m.kind) for m in page.media]
        assert said == [
            *(("ours", ""), ("base", ""), ("reference", "hidden-reference")),
            *(("reference", "shifted"), ("reference", "degraded")),
        ]
        assert page.prompt and page.prompt.name not in {m.name for m in page.media}


def test_choices_have_one_right_medium_a_condition_and_distractors_of_other_clips(
    make_study: Make,
) -> None:
    _, one = make_study("match-one", clips=8)
    for page in one.grid:
        assert [m.role for m in page.media] == ["stimulus", *["distractor"] * 3]
        assert {m.condition for m in page.media} == {page.treatment}
        assert len({m.source for m in page.media}) == 4
        assert {m.clip for m in page.media} == {page.clip}
        others = {m.source.partition("/")[0] for m in page.media[1:]}
        assert others == {"rain", "clock"} - {page.clip.partition("/")[0]}
    _, several = make_study("pick-all", clips=8)
    for page in several.grid:
        right = [m for m in page.media if m.role == "stimulus"]
        assert [m.condition for m in right] == ["ours", "base"] and len(page.media) == 5
        assert all((m.source == page.clip) == (m.role == "stimulus") for m in page.media)


def test_golds_have_as_many_options_as_other_pages_or_none_are_made(make_study: Make) -> None:
    for method in ("match-one", "pick-all"):
        _, deck = make_study(method, clips=12)
        assert len({len(page.media) for page in (*deck.grid, *deck.golds)}) == 1
        with pytest.raises(ValueError, match="no clip serves for gold items of the kind other"):
            make_study(method, clips=6, options=6)


def test_conditions_may_be_called_anything(make_study: Make) -> None:
    names = ("a", "a | b", "b", "b | a")
    _, deck = make_study("pairwise", conditions=names)
    pairs = {frozenset(m.condition for m in page.media) for page in deck.grid}
    assert len(deck.treatments) == len(pairs) == 6


def test_pictures_are_chosen_beside_the_sound_they_were_made_of() -> None:
    ids = ("rain/a", "rain/b", "clock/c", "clock/d")
    pictures = [File(i, Path(f"p/{i}.png")) for i in ids]
    sounds = [File(i, Path(f"s/{i}.wav")) for i in ids]
    material = find_material(sounds, {"ours": pictures}, sounds)
    deck = make_deck(Catalogue.of(material, 0), "match-one")
    assert material.pictures
    for page in deck.grid:
        assert page.prompt and page.prompt.file == f"s/{page.clip}.wav"
        assert all(m.file == f"p/{m.source}.png" and not m.video for m in page.media)


def test_study_and_key_are_read_as_they_were_written(make_study: Make, tmp_path: Path) -> None:
    study, _ = make_study("mos", conditions=("=ours", "a, b", "ünï|code"))
    write_study(tmp_path / "pack", study)
    write_key(tmp_path / "pack.key.csv", study)
    found = read_study(tmp_path / "pack", tmp_path / "pack.key.csv")
    assert found == study and list(found.media) == list(study.media)


def test_a_key_of_another_pack_and_a_changed_pack_are_refused(
    make_study: Make, tmp_path: Path
) -> None:
    study, other = make_study("mos")[0], make_study("mos", seed=1)[0]
    write_study(tmp_path / "pack", study)
    write_key(tmp_path / "other.key.csv", other)
    write_key(tmp_path / "pack.key.csv", study)
    with pytest.raises(ValueError, match="the key of another pack"):
        read_study(tmp_path / "pack", tmp_path / "other.key.csv")
    path = tmp_path / "pack" / "study.json"
    path.write_text(path.read_text("utf-8").replace("How good", "How bad"), "utf-8")
    with pytest.raises(ValueError, match="changed after the pack was built"):
        read_study(tmp_path / "pack", tmp_path / "pack.key.csv")


def test_a_key_with_the_same_media_for_other_questions_is_refused(
    make_study: Make, tmp_path: Path
) -> None:
    study, deck = make_study("mos")
    other = Study.of(replace(study.form, title="Another"), study.plans, deck.media)
    assert other.media == study.media and other.id != study.id
    key = tmp_path / "pack.key.csv"
    write_study(tmp_path / "pack", study)
    write_key(key, other)
    assert study_of_key(key) == other.id
    with pytest.raises(ValueError, match=f"of study {other.id}, but .* is {study.id}; give its"):
        read_study(tmp_path / "pack", key)
    write_key(kept_key(key, study.id), study)
    with pytest.raises(ValueError, match=rf"its own is .*pack\.{study.id}\.key\.csv"):
        read_study(tmp_path / "pack", key)


def test_the_key_of_another_study_is_kept_and_ones_own_is_not(
    make_study: Make, tmp_path: Path
) -> None:
    first, second = make_study("mos")[0], make_study("mos", seed=1)[0]
    key, record = tmp_path / "mine.csv", tmp_path / "mine.csv.run.json"
    assert keep_other_key(key, first.id) is None
    write_key(key, first)
    record.write_text("how")
    assert keep_other_key(key, first.id) is None
    kept = keep_other_key(key, second.id)
    assert kept == tmp_path / f"mine.{first.id}.csv"
    assert kept.read_bytes() == key.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("mine.csv", "mine.csv.run.json", kept.name, f"{kept.name}.run.json")
    }
    key.write_text("clip,score\na,3\n")
    with pytest.raises(ValueError, match="not a key"):
        keep_other_key(key, second.id)
    key.write_text(kept.read_text().replace(first.id, "../../../thesis"))
    with pytest.raises(ValueError, match="do not name one study"):
        keep_other_key(key, second.id)


def test_what_belongs_to_a_pack_lies_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "study" / "in").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "study" / "in")
    assert beside(Path("a/study"), ".key.csv") == Path("a/study.key.csv")
    assert beside(Path(), ".key.csv") == tmp_path / "study" / "in.key.csv"
    assert beside(Path(".."), ".key.csv") == tmp_path / "study.key.csv"
    with pytest.raises(ValueError, match="a folder of its own"):
        beside(Path("/"), ".key.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column medium"),
        ("a,b\n1,2\n", "no column medium"),
        ("{HEAD}\n../../x,a,,ours,stimulus,,a,0,f,v\n", "line 2: medium '../../x' is no name"),
        ("{HEAD}\n0123456789ab,a,,ours,boss,,a,0,f,v\n", "role 'boss'"),
        ("{HEAD}\n0123456789ab,a,,ours,gold,,a,0,f,v\n", "kind ''"),
        ("{HEAD}\n0123456789ab,a,,ours,stimulus,,a,x,f,v\n", "shift_ms 'x'"),
        ("{HEAD}\n0123456789ab\n", "role ''"),
    ],
)
def test_a_damaged_key_is_told_by_line(text: str, message: str, tmp_path: Path) -> None:
    head = "medium,clip,class,condition,role,kind,source,shift_ms,file,video,study"
    path = tmp_path / "key.csv"
    path.write_text(text.replace("{HEAD}", head), "utf-8")
    with pytest.raises(ValueError, match=message):
        read_key(path)


def test_media_are_made_once(make_study: Make) -> None:
    _, deck = make_study("pairwise", conditions=("a", "b", "c"))
    made: dict[str, Medium] = {}
    for page in (*deck.grid, *deck.golds):
        for medium in page.media:
            assert made.setdefault(medium.name, medium) == medium
    stimuli = [m for m in made.values() if m.role == "stimulus"]
    assert len(stimuli) == 8 * 3
