"""The clips and conditions of a study, and every medium that raters may see.

Files of all sides are paired by id, their name within their folder without suffix; where no id is
the same on two sides, by name alone. A design is balanced only when it is complete, so a clip that
lacks a file in some condition is left out, and named.

A *medium* is what one player of the page plays: the picture of a clip with the sound of a
condition, or a picture that a condition made. Its name is opaque.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from foleycli.media.stills import STILL_SUFFIXES
from foleycli.metrics.pairing import pair_stems

REFERENCE = "reference"
SHIFT_MS = 500
GOLD_KINDS = ("shifted", "other-class", "degraded", "hidden-reference")
"""Items with a known answer: the original sound 500 ms late or early, that of a clip of another
class, low-passed and noisy, and as it is. Sound late by more than 125 ms and early by more than
45 ms is noticed (ITU-R BT.1359), where it has events to be late.
"""
_NAME_DIGITS = 12

Role = Literal["stimulus", "distractor", "gold", "prompt"]


class Found(Protocol):
    """A file as the command line finds it; its class may be empty."""

    @property
    def id(self) -> str:
        """Name within the folder it was found in, without suffix."""

    @property
    def label(self) -> str:
        """Class, if a manifest says so."""

    @property
    def path(self) -> Path:
        """Where it is."""


@dataclass(frozen=True)
class Clip:
    """One clip that is there in every condition.

    Attributes
    ----------
    id, label : str
        Label is the class: as a manifest has it, else the folder that the clip lies in.
    video : Path
        Its picture.
    reference : Path or None
        Its original sound.
    files : mapping
        Condition to file.
    """

    id: str
    label: str
    video: Path
    reference: Path | None
    files: Mapping[str, Path]


@dataclass(frozen=True)
class Material:
    """Clips by id, conditions in the order given, and what was left out and why."""

    clips: tuple[Clip, ...]
    conditions: tuple[str, ...]
    gaps: tuple[str, ...] = ()

    @property
    def pictures(self) -> bool:
        """Whether the conditions made pictures of sounds, not sounds for pictures."""
        suffixes = {p.suffix.lower() for clip in self.clips for p in clip.files.values()}
        return suffixes <= STILL_SUFFIXES

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, clip by clip: the picture, the original, the conditions in their order."""
        return tuple(
            path
            for clip in self.clips
            for path in (clip.video, clip.reference, *(clip.files[c] for c in self.conditions))
            if path is not None
        )


@dataclass(frozen=True)
class Medium:
    """One thing to play, and what only the key may say of it.

    Attributes
    ----------
    name : str
        12 hexadecimal digits; the file is named after it.
    clip, label : str
        What is seen: the clip whose picture plays, or which a picture was made for.
    condition : str
        :data:`REFERENCE` for original sounds.
    role : {"stimulus", "distractor", "gold", "prompt"}
        Distractors fill up choices; a prompt is shown beside them and not judged.
    kind : str
        Of a gold item, one of :data:`GOLD_KINDS`.
    source : str
        Clip whose sound is heard.
    shift_ms : int
        By how much the sound is late; negative: early.
    file, video : str
        File of the condition, and the picture to go with it; empty where ``file`` is all.
    """

    name: str
    clip: str
    label: str
    condition: str
    role: Role
    kind: str = ""
    source: str = ""
    shift_ms: int = 0
    file: str = ""
    video: str = ""


def find_material(
    videos: Sequence[Found],
    conditions: Mapping[str, Sequence[Found]],
    reference: Sequence[Found] = (),
) -> Material:
    """Pair the files of all sides.

    Parameters
    ----------
    videos : sequence of Found
        Clips to show.
    conditions : mapping
        Name to files, one a clip.
    reference : sequence of Found
        Original sounds, which golds and the hidden reference are made of.

    Raises
    ------
    ValueError
        When there is no condition, a name is taken or not one, two files have one id, or no clip is
        there on all sides.
    """
    if not conditions:
        raise ValueError("a study needs a condition: --condition NAME=FOLDER")
    for name in conditions:
        if name == REFERENCE or not name.strip() or not name.isprintable():
            raise ValueError(f"a condition cannot be called {name!r}; choose another name")
    paths: dict[str, dict[int, Path]] = {}
    gaps = []
    for side, files in {**conditions, **({REFERENCE: reference} if reference else {})}.items():
        paths[side], left = _partners(videos, files, side)
        gaps += [f"{id_}: in {side} only" for id_ in left]
    clips = []
    for index, video in enumerate(videos):
        missing = [side for side, found in paths.items() if index not in found]
        if missing:
            gaps.append(f"{video.id}: no file in {', '.join(missing)}")
            continue
        clips.append(
            Clip(
                video.id,
                video.label or PurePosixPath(video.id).parent.name,
                video.path,
                paths[REFERENCE][index] if reference else None,
                {name: paths[name][index] for name in conditions},
            )
        )
    if not clips:
        raise ValueError(f"no clip is there in every condition; {gaps[0]}")
    ordered = sorted(clips, key=lambda clip: clip.id)
    return Material(tuple(ordered), tuple(conditions), tuple(sorted(gaps)))


def _partners(
    videos: Sequence[Found], files: Sequence[Found], side: str
) -> tuple[dict[int, Path], tuple[str, ...]]:
    """Find the file of each clip, by its place in ``videos``, and ids that belong to none."""
    ids, others = [v.id for v in videos], [f.id for f in files]
    if not set(ids) & set(others):
        ids, others = ([PurePosixPath(i).name for i in some] for some in (ids, others))
    for where, names in (("videos", ids), (side, others)):
        if twins := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{where}: two files are called {twins[0]}; keep one")
    try:
        found = pair_stems(ids, others, allow_unpaired=True)
    except ValueError:
        raise ValueError(f"{side}: none of its files is called like a clip of the videos") from None
    if len(set(found.real)) < len(found.real):
        twice = next(i for i in found.real if found.real.count(i) > 1)
        raise ValueError(f"{side}: several samples of {ids[twice]}; keep one")
    places = dict(zip(found.real, (files[i].path for i in found.generated), strict=True))
    return places, found.without_real


class Names:
    """Opaque names of media, the same for the same seed and study.

    A name is a keyed hash; the key is made of the seed, of every clip and condition and of what is
    heard in them, none of which raters know. So a name never stands for two things to hear, and
    neither does the id of a study, which is made of the names.
    """

    def __init__(self, material: Material, seed: int, content: Sequence[str] = ()) -> None:
        """Make the key."""
        clips = [clip.id for clip in material.clips]
        listing = json.dumps([seed, material.conditions, clips, list(content)])
        self._key = hashlib.sha256(listing.encode()).digest()
        self._taken: dict[str, tuple[str, ...]] = {}

    def name(self, *parts: object) -> str:
        """Name what the parts describe; the same parts get the same name."""
        words = tuple(map(str, parts))
        for again in range(100):
            text = "\0".join((str(again), *words)).encode(errors="replace")
            name = hmac.new(self._key, text, "sha256").hexdigest()[:_NAME_DIGITS]
            if self._taken.setdefault(name, words) == words:
                return name
        raise AssertionError("48 bits are enough")


@dataclass(frozen=True)
class Catalogue:
    """Makes media of a study's material, each once."""

    material: Material
    names: Names
    seed: int

    @classmethod
    def of(cls, material: Material, seed: int, content: Sequence[str] = ()) -> Catalogue:
        """Begin a study.

        Parameters
        ----------
        content : sequence of str
            What decides, beside the names of clips and conditions, what is heard: hashes of
            :attr:`Material.files`, in their order, and how their sounds are changed.
        """
        return cls(material, Names(material, seed, content), seed)

    def stimulus(self, clip: Clip, condition: str, source: Clip | None = None) -> Medium:
        """Show a clip in a condition; with ``source``, with what that clip's sound gave."""
        made_for = source or clip
        role: Role = "stimulus" if made_for is clip else "distractor"
        return self._medium(clip, condition, role, made_for, file=made_for.files[condition])

    def prompt(self, clip: Clip) -> Medium:
        """Show the original, openly.

        Raises
        ------
        ValueError
            When there is none; so do all that need it.
        """
        return self._medium(clip, REFERENCE, "prompt", clip, file=_original(clip))

    def gold(self, clip: Clip, kind: str, source: Clip | None = None) -> Medium:
        """Make a gold item of the original; ``source`` is the clip of another class."""
        rng = random.Random(f"shift/{self.seed}/{clip.id}")
        shift_ms = rng.choice((-SHIFT_MS, SHIFT_MS)) if kind == "shifted" else 0
        heard = source or clip
        return self._medium(clip, REFERENCE, "gold", heard, kind, shift_ms, _original(heard))

    def others(self, clip: Clip, name: str, *, strict: bool = False) -> list[Clip]:
        """List other clips in a seeded order, those of other classes first.

        Parameters
        ----------
        name : str
            What they are drawn for; another name, another order.
        strict : bool
            None of the same class, and none where classes are not known.
        """
        rng = random.Random(f"others/{self.seed}/{clip.id}/{name}")
        rest = [other for other in self.material.clips if other is not clip]
        rng.shuffle(rest)
        apart = [other for other in rest if other.label != clip.label]
        return apart if strict else sorted(rest, key=lambda other: other.label == clip.label)

    def _medium(
        self,
        clip: Clip,
        condition: str,
        role: Role,
        source: Clip,
        kind: str = "",
        shift_ms: int = 0,
        file: Path | None = None,
    ) -> Medium:
        name = self.names.name(clip.id, condition, role, kind, source.id, shift_ms)
        video = "" if self.material.pictures else str(clip.video)
        return Medium(
            name,
            *(clip.id, clip.label, condition, role, kind, source.id, shift_ms),
            *(str(file), video),
        )


def _original(clip: Clip) -> Path:
    if clip.reference is None:
        raise ValueError("gold items and open references are made of originals: give --reference")
    return clip.reference


def check_golds(material: Material, kinds: Collection[str]) -> None:
    """Check that gold items of the kinds can be made.

    Raises
    ------
    ValueError
        When a kind is unknown or the material lacks what it takes.
    """
    for kind in kinds:
        if kind not in GOLD_KINDS:
            raise ValueError(f"gold {kind!r}: choose of {', '.join(GOLD_KINDS)}")
    if not kinds:
        return
    if any(clip.reference is None for clip in material.clips):
        raise ValueError("gold items are made of originals: give --reference, or no golds")
    if material.pictures:
        raise ValueError("gold items are sounds; a study of pictures has none but by --golds none")
    if "other-class" in kinds and len({clip.label for clip in material.clips}) < 2:
        raise ValueError("gold items of another class need two classes: leave out other-class")
