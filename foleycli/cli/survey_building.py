"""What ``foley survey-pack build`` does: files -> a study -> a folder and its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from foleycli.cli.console import Console, print_json
from foleycli.cli.inputs import MEDIA_SUFFIXES, Clip, collect
from foleycli.cli.processes import processes
from foleycli.files.provenance import file_sha256

if TYPE_CHECKING:
    from foleycli.survey.pack import PageSettings
    from foleycli.survey.pack_media import Made
    from foleycli.survey.questions import Form
    from foleycli.survey.stimuli import Material
    from foleycli.survey.study import Study


@dataclass(frozen=True)
class Asked:
    """What decides the study."""

    videos: Sequence[Path]
    conditions: Sequence[str]
    reference: Sequence[Path]
    method: str
    form: Path | None
    ratings: int
    trials: int | None
    golds: str
    gold_rate: float
    choices: int | None
    open_reference: bool
    lufs: float | None
    collect_url: str
    completion_code: str
    redirect: str
    seed: int


def build_pack(
    console: Console,
    asked: Asked,
    output: Path,
    key: Path | None,
    jobs: int,
    *,
    dry_run: bool,
    as_json: bool,
    no_clobber: bool,
) -> None:
    """Make the study, write the pack and the key, and say what was written."""
    from foleycli.survey.pack import PageSettings
    from foleycli.survey.study import KEY_ENDING, beside

    page = PageSettings(asked.collect_url, asked.completion_code, asked.redirect)
    key = key or beside(output, KEY_ENDING)
    output = beside(output, "")
    _check_target(output, key)
    if no_clobber and output.exists():
        console.note(f"{output}: exists, left as it is")
        typer.echo(output)
        return
    material = _material(asked)
    form, words = _form_of(asked, pictures=material.pictures)
    for gap in material.gaps:
        console.note(f"left out: {gap}")
    hashes = {str(file): file_sha256(file) for file in sorted(set(material.files))}
    study, golds = _study(console, asked, form, material, hashes)
    _check_answers(output, study)
    trials = sorted({len(plan.trials) for plan in study.plans})
    pages = [trial for plan in study.plans for trial in plan.trials]
    gold = sum(all(study.media[name].role == "gold" for name in page.media) for page in pages)
    share = f", {100 * gold / len(pages):.0f} % of them gold" if gold else ""
    console.note(
        f"{len(material.clips)} clips in {len(material.conditions)} conditions; "
        f"{len(study.plans)} plans of {' or '.join(map(str, trials))} pages{share}; "
        f"gold items: {', '.join(golds) or 'none'}"
    )
    made: list[Made] = []
    here = output.exists() and output.samefile(".")
    if not dry_run:
        made = _write(console, asked, study, output, key, words, page, jobs, hashes)
        _tell_levels(console, made, asked.lufs)
        if here:
            console.note("the folder you are in was replaced: enter it again (cd .)")
    if as_json:
        print_json(
            {
                "pack": str(output),
                "key": str(key),
                "study": study.id,
                "method": form.method,
                "clips": len(material.clips),
                "conditions": list(material.conditions),
                "left_out": list(material.gaps),
                "plans": len(study.plans),
                "trials": trials,
                "media": len(study.media),
                "golds": list(golds),
                "gold_share": gold / len(pages),
                "loudness_lufs": asked.lufs,
                "written": not dry_run,
            }
        )
    else:
        typer.echo(output)
        typer.echo(key)


def _check_target(output: Path, key: Path) -> None:
    """See that the key is not in the pack, and that no folder of something else is replaced."""
    from foleycli.survey.pack import is_pack
    from foleycli.survey.study import study_of_key

    if key.resolve().is_relative_to(output.resolve()):
        raise ValueError(f"--key {key}: lies in the pack, where raters would find it")
    if output.exists() and not (output.is_dir() and is_pack(output)):
        raise ValueError(f"-o {output}: is something else than a pack; choose another folder")
    if key.exists():
        try:
            study_of_key(key)
        except ValueError as error:
            raise ValueError(f"--key {error}; move it away, or give another --key") from None


def _check_answers(output: Path, study: Study) -> None:
    """See that no pack is replaced whose answers could then not be read."""
    from foleycli.survey.answer_store import DATABASE_ENDING, answers_held
    from foleycli.survey.study import beside

    database = beside(output, DATABASE_ENDING)
    other, responses = answers_held(database)
    if responses and other != study.id:
        raise ValueError(
            f"-o {output}: {database} holds {responses} responses to another study; choose another "
            "folder, or move that pack, its key and its answers away together"
        )


def _form_of(asked: Asked, *, pictures: bool) -> tuple[Form, dict[str, str]]:
    from foleycli.survey.questions import default_form
    from foleycli.survey.words import english, read_form_and_words

    if asked.form is None:
        return default_form(asked.method or "mos", pictures=pictures), english()
    form, words = read_form_and_words(asked.form)
    if asked.method not in ("", form.method):
        raise ValueError(f"--method {asked.method}: {asked.form} is of the method {form.method}")
    return form, words


def _material(asked: Asked) -> Material:
    from foleycli.media.stills import STILL_SUFFIXES
    from foleycli.survey.stimuli import find_material

    conditions: dict[str, list[Clip]] = {}
    for words in asked.conditions:
        name, equals, path = words.partition("=")
        if not equals or not path:
            raise ValueError(f"--condition {words}: write NAME=PATH")
        if name in conditions:
            raise ValueError(f"--condition {name}: given twice")
        conditions[name] = _collected([Path(path)])
    files = [clip.path for clips in conditions.values() for clip in clips]
    pictures = all(path.suffix.lower() in STILL_SUFFIXES for path in files)
    reference = _collected(asked.reference)
    if pictures and not asked.videos:
        return find_material(reference, conditions, reference)
    if not asked.videos:
        raise ValueError("needs --videos PATH: the clips that sounds are judged with")
    return find_material(_collected(asked.videos), conditions, reference)


def _collected(paths: Sequence[Path]) -> list[Clip]:
    from foleycli.media.stills import STILL_SUFFIXES

    for path in paths:
        if not path.exists() and str(path) != "-":
            raise ValueError(f"{path}: no such file or folder")
    return collect(paths, MEDIA_SUFFIXES | STILL_SUFFIXES)


def _study(
    console: Console, asked: Asked, form: Form, material: Material, hashes: Mapping[str, str]
) -> tuple[Study, tuple[str, ...]]:
    """Make pages and plans; and say which kinds of gold items there are."""
    from foleycli.survey.exclusions import TELLING
    from foleycli.survey.pack_media import shiftable_clips
    from foleycli.survey.pages import make_deck, usable_golds
    from foleycli.survey.plans import make_plans
    from foleycli.survey.stimuli import Catalogue
    from foleycli.survey.study import Study

    content = [*(hashes[str(file)] for file in material.files), f"{asked.lufs} LUFS"]
    catalogue = Catalogue.of(material, asked.seed, content)
    about = {question.about for question in form.questions}
    named = [kind.strip() for kind in asked.golds.split(",") if kind.strip()]
    kinds = named or [kind for kind, telling in TELLING.items() if about & set(telling)]
    if named == ["none"]:
        kinds = []
    shiftable = None
    if "shifted" in kinds and not material.pictures:
        shiftable = shiftable_clips(material)
        console.detail(f"events to be late: {', '.join(shiftable) or 'in no original'}")
    options: dict[str, Any] = {"options": asked.choices, "shiftable": shiftable}
    if not named:
        kinds = list(usable_golds(catalogue, form.method, kinds, **options))
        if not kinds and not material.pictures:
            why = "" if asked.reference else ": they are made of --reference"
            console.note(f"no gold items{why}")
    deck = make_deck(
        catalogue, form.method, golds=kinds, open_reference=asked.open_reference, **options
    )
    plans = make_plans(
        deck,
        ratings=asked.ratings,
        trials=asked.trials,
        gold_rate=asked.gold_rate,
        seed=asked.seed,
    )
    study = Study.of(form, plans, deck.media)
    shown = {medium.kind for medium in study.media.values()} - {""}
    return study, tuple(kind for kind in TELLING if kind in shown)


def _write(
    console: Console,
    asked: Asked,
    study: Study,
    output: Path,
    key: Path,
    words: dict[str, str],
    page: PageSettings,
    jobs: int,
    hashes: Mapping[str, str],
) -> list[Made]:
    """Keep the key of another study, write the new key, then the pack.

    Killed before the last step, the old pack has its key under another name, as readers then say.
    """
    from foleycli.files.folder import atomic_folder
    from foleycli.files.provenance import RunRecord
    from foleycli.survey.pack import CHECK_BURSTS, write_pack
    from foleycli.survey.pack_media import make_media, work_of, write_check
    from foleycli.survey.study import MEDIA_FOLDER, RECORD_ENDING, keep_other_key, write_key

    with atomic_folder(output) as folder, processes(jobs) as each:
        (folder / MEDIA_FOLDER).mkdir()
        made: list[Made] = []
        work = work_of(study.media.values(), folder, asked.lufs)
        with console.progress("clips", "clip") as progress:
            for done, some in enumerate(each(make_media, work), 1):
                made += some
                if progress:
                    progress(done, len(work))
        write_check(folder, CHECK_BURSTS, asked.lufs)
        write_pack(folder, study, made, words, page, asked.lufs)
        record = RunRecord("survey-pack build", _options(asked))
        for one in made:
            medium = study.media[one.name]
            record.outputs[one.file] = {
                **{name: value for name, value in asdict(one).items() if name != "file"},
                "inputs": {f: hashes[f] for f in (medium.file, medium.video) if f},
            }
        _check_answers(output, study)  # some may have come meanwhile
        if kept := keep_other_key(key, study.id):
            console.note(f"{key} was of another study, and is kept as {kept}")
        write_key(key, study)
        record.save(f"{key}{RECORD_ENDING}")
    return made


def _options(asked: Asked) -> dict[str, Any]:
    plain = {k: v for k, v in asdict(asked).items() if isinstance(v, str | int | float | None)}
    paths = {"form": str(asked.form or ""), "conditions": list(asked.conditions)}
    sides = {"videos": asked.videos, "reference": asked.reference}
    return plain | paths | {name: list(map(str, side)) for name, side in sides.items()}


def _tell_levels(console: Console, made: Sequence[Made], lufs: float | None) -> None:
    """Say what was done to sounds, without which the result could not be judged."""
    sounds = [one for one in made if one.kind != "picture"]
    if not sounds:
        return
    if lufs is None:
        console.note("levels are as they were: conditions may differ in loudness")
    else:
        short = [lufs - one.lufs - one.gain_db for one in sounds if one.lufs is not None]
        off = max(short, default=0.0)
        softer = f", up to {off:.1f} dB less where peaks or 30 dB of gain forbid it" * (off > 0.05)
        console.note(f"loudness is matched to {lufs:g} LUFS in each clip{softer}")
        if quiet := len(sounds) - len(short):
            console.note(f"{quiet} sounds are too quiet to have a loudness, and were left as soft")
    cut = [one.cut_s for one in sounds if one.cut_s > 0.05]
    padded = [-one.cut_s for one in sounds if one.cut_s < -0.05]
    if cut:
        console.note(
            f"{len(cut)} sounds were longer than their picture and were cut, by {max(cut):.2f} s "
            "at most"
        )
    if padded:
        console.note(
            f"{len(padded)} sounds were shorter than their picture and have silence after them, "
            f"{max(padded):.2f} s at most"
        )
