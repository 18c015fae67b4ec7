"""Sounds and pictures that belong together: of one clip, or, weaker, of one class.

Everything is in groups. A sound may meet any picture of its group, and in a contrastive batch all
of a group's are positives of each other. With clips, a piece of sound and the frame at its middle
(or the best of its ranked frames) are a group; with sounds and pictures from different places, a
class is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foleycli.media.clock import picture_clock
from foleycli.media.cutting import Screen, middle_s
from foleycli.media.stills import read_still
from foleycli.training.data import Example
from foleycli.training.hearing import Hearing, Piece
from foleycli.training.moments import Moments, moments_of
from foleycli.training.pictures import Images, Picture, squeeze

Progress = Callable[[int, int], None]

_FITS = ("crop", "squash")


@dataclass(frozen=True)
class SoundPictures:
    """Sounds and pictures, each of a group.

    Attributes
    ----------
    labels : tuple of str
        Of groups: the classes.
    group_label : (groups,) int64
        Index into ``labels``.
    sounds : list of arrays
        Levels of :class:`~foleycli.training.hearing.Piece`, one a sound.
    sound_group : (sounds,) int64
    pictures : (pictures, side, side, 3) uint8
        RGB.
    picture_group : (pictures,) int64
        -1 where no sound belongs to the picture: it can teach to see, and nothing else.
    picture_label : (pictures,) int64
        Class of every picture, for learning to see; those without sound are classes of their own.
    """

    labels: tuple[str, ...]
    group_label: NDArray[np.int64]
    sounds: list[NDArray[Any]]
    sound_group: NDArray[np.int64]
    pictures: Images
    picture_group: NDArray[np.int64]
    picture_label: NDArray[np.int64]


class Draw:
    """Draws sounds and pictures that may meet, all labels as equally often as can be.

    Of sounds without any pictures it draws sounds alone. Raises ValueError where nothing meets.
    """

    def __init__(self, pairs: SoundPictures) -> None:
        self.sounds = _members(pairs.sound_group, len(pairs.group_label))
        self.pictures = _members(pairs.picture_group, len(pairs.group_label))
        both = zip(self.sounds, self.pictures, strict=True)
        self._alone = not len(pairs.pictures)
        meets = np.array([len(s) > 0 and (len(p) > 0 or self._alone) for s, p in both])
        of_labels = (pairs.group_label == k for k in range(len(pairs.labels)))
        found = [np.flatnonzero(of_label & meets) for of_label in of_labels]
        self._by_label = [groups for groups in found if len(groups)]
        if not self._by_label:
            raise ValueError("no sound meets a picture")

    def batch(
        self, size: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return ``size`` indices of sounds, of pictures that they meet, and of their groups.

        The pictures are -1 where there are none at all.
        """
        labels = rng.permutation(np.arange(size) + rng.integers(10**6)) % len(self._by_label)
        groups = np.array([rng.choice(self._by_label[label]) for label in labels])
        sounds = self.one_of(self.sounds, groups, rng)
        if self._alone:
            return sounds, np.full(size, -1), groups
        return sounds, self.one_of(self.pictures, groups, rng), groups

    @staticmethod
    def one_of(
        members: Sequence[NDArray[np.int64]], groups: Iterable[int], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Draw one member of every group."""
        return np.array([rng.choice(members[group]) for group in groups])


def load_clips(
    clips: Sequence[Example],
    hearing: Hearing,
    side: int,
    fit: str,
    *,
    moments: Moments | None = None,
    progress: Progress | None = None,
) -> tuple[SoundPictures, dict[str, str]]:
    """Cut clips that have sound and picture into pairs.

    Parameters
    ----------
    moments
        Ranked frames of clips, see ``moments.py``: a clip is then one pair, its best frame and the
        piece of sound around it. Clips that are not in it are cut as ever.

    Returns
    -------
    pairs
    left_out
        What is wrong with each clip that could not be used, by path.

    Raises
    ------
    ValueError
        When none could be used.
    """
    labels = tuple(sorted({clip.label for clip in clips}))
    sounds, frames, group_label, left_out = [], [], [], {}
    for done, clip in enumerate(clips, 1):
        try:
            pieces = hearing.listen(clip.path)
            ranked = moments_of(moments or {}, clip.path)
            if ranked:
                pieces, times = [_best(pieces, ranked[0], hearing.piece_s)], [ranked[0]]
            else:
                picture_s = float(picture_clock(clip.path).duration)
                middles = (middle_s(p.start_s, p.length_s, picture_s) for p in pieces)
                times = [middle for middle in middles if middle is not None]
            seen = _frames_at(clip.path, times, side, fit)
        except (ValueError, OSError) as error:
            left_out[str(clip.path)] = str(error)
            continue
        for piece, frame in zip(pieces, seen, strict=False):  # sound may outlast the picture
            sounds.append(piece.levels)
            frames.append(frame)
            group_label.append(labels.index(clip.label))
        if progress:
            progress(done, len(clips))
    if not sounds:
        reasons = next(iter(left_out.values()), "no clips")
        raise ValueError(f"no clip has both sound and picture (the first: {reasons})")
    kept = sorted(set(group_label))
    of_group = np.array([kept.index(label) for label in group_label])
    each = np.arange(len(sounds))
    names = tuple(labels[label] for label in kept)
    return SoundPictures(names, of_group, sounds, each, np.stack(frames), each, of_group), left_out


def load_classes(
    sounds: Sequence[Example],
    pictures: Sequence[Picture],
    hearing: Hearing,
    side: int,
    fit: str,
    *,
    same: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> SoundPictures:
    """Let every sound of a class meet every picture of it.

    Parameters
    ----------
    same
        Class of sounds -> class of pictures, where they are called differently. A class of
        pictures that several classes of sounds meet is called after itself, otherwise after its
        sounds. Sounds of classes without pictures are not read.

    Raises
    ------
    ValueError
        When fewer than two classes have both, ``same`` names what is not there, or a file cannot
        be read; the message names it.
    """
    meets = meeting_classes({e.label for e in sounds}, {p.label for p in pictures}, same or {})
    shared = sorted(set(meets.values()))
    heard = [example for example in sounds if example.label in meets]
    total = len(heard) + len(pictures)
    levels, sound_group = [], []
    for done, example in enumerate(heard, 1):
        with _named(example.path):
            pieces = hearing.listen(example.path)
        levels += [piece.levels for piece in pieces]
        sound_group += [shared.index(meets[example.label])] * len(pieces)
        if progress:
            progress(done, total)
    stills = np.empty((len(pictures), side, side, 3), np.uint8)
    for done, picture in enumerate(pictures):
        with _named(picture.path):
            stills[done] = fitted(read_still(picture.path), side, fit)
        if progress:
            progress(len(heard) + done + 1, total)
    alone = sorted({p.label for p in pictures} - set(shared))
    order = [*shared, *alone]
    picture_label = np.array([order.index(p.label) for p in pictures])
    return SoundPictures(
        tuple(_name(kind, meets) for kind in shared),
        np.arange(len(shared)),
        levels,
        np.array(sound_group),
        stills,
        np.where(picture_label < len(shared), picture_label, -1),
        picture_label,
    )


def meeting_classes(
    sounds: Iterable[str], pictures: Iterable[str], same: Mapping[str, str]
) -> dict[str, str]:
    """Return which class of pictures each class of sounds meets; those without any are left out.

    Raises
    ------
    ValueError
        When ``same`` names a class that is not there, or fewer than two classes meet.
    """
    heard, seen = set(sounds), set(pictures)
    for sound, picture in same.items():
        if sound not in heard:
            raise ValueError(f"--same {sound}={picture}: there are no sounds of {sound!r}")
        if picture not in seen:
            raise ValueError(f"--same {sound}={picture}: there are no pictures of {picture!r}")
    meets = {sound: same.get(sound, sound) for sound in sorted(heard)}
    meets = {sound: picture for sound, picture in meets.items() if picture in seen}
    if len(set(meets.values())) < 2:
        raise ValueError(
            f"fewer than two classes have sounds and pictures (sounds: {', '.join(sorted(heard))}; "
            f"pictures: {', '.join(sorted(seen))}); pair their names with --same SOUND=PICTURE"
        )
    return meets


def fitted(pixels: NDArray[np.uint8], side: int, fit: str) -> Images:
    """Bring a picture (H, W, 3) to (side, side, 3): its centre cut out, or squashed whole."""
    if fit not in _FITS:
        raise ValueError(f"fit {fit!r}; choose one of: {', '.join(_FITS)}")
    if fit == "crop":
        height, width = pixels.shape[:2]
        size = min(height, width)
        top, left = (height - size) // 2, (width - size) // 2
        pixels = pixels[top : top + size, left : left + size]
    return pixels if pixels.shape[:2] == (side, side) else squeeze(pixels, side)


def _best(pieces: Sequence[Piece], time_s: float, piece_s: float) -> Piece:
    """Return the piece that is heard with the best frame."""
    for piece in pieces:
        if piece.start_s <= time_s < piece.start_s + piece_s:
            return piece
    raise ValueError(f"no sound around its best frame, at {time_s:.1f} s")


def _frames_at(path: Path, times_s: Sequence[float], side: int, fit: str) -> list[Images]:
    """Frames on screen at rising times; none for times after the end."""
    screen, found = Screen(path), []
    for time_s in times_s:
        frame = screen.at(time_s)
        if frame is None:
            break
        found.append(fitted(frame.rgb(), side, fit))
    if not found:
        raise ValueError(
            "the picture ends before " + (f"{times_s[0]:.1f} s" if times_s else "any sound")
        )
    return found


def _members(group: NDArray[np.int64], groups: int) -> list[NDArray[np.int64]]:
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups + 1))
    return [order[a:b] for a, b in pairwise(starts)]


def _name(picture: str, meets: Mapping[str, str]) -> str:
    sounds = [sound for sound, met in meets.items() if met == picture]
    return sounds[0] if len(sounds) == 1 else picture


class _named:
    """Puts a file's name before what is wrong with it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError):
            raise ValueError(f"{self._path}: {error}") from error
