"""Sounds as codes of SpecVQGAN's codebook, with the features and classes that a sampler sees.

Encoding is far dearer than a step of training, and always gives the same: a sound is encoded once
and kept in a file named by its hash. Processes share out what is to be encoded.

A sound whose window is the middle of its first ten seconds (see :class:`Sight`) is encoded as that
window; of others all is encoded as ``foley spectrogram --codes`` does, and windows are taken of the
codes. Features are taken from where the window begins: the published mel leaves out 6 frames and
the published loader one row of features, which is the same 0.07 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from foleycli.files.arrays import read_meta
from foleycli.files.provenance import file_sha256
from foleycli.sound_codes.codec import SoundCodec
from foleycli.sound_codes.conditions import FeatureTrack, load_features
from foleycli.sound_codes.stored import SUFFIX, StoredCodes, load_codes, save_codes
from foleycli.training.data import Example
from foleycli.training.mel_data import Sight, cut, read_mel
from foleycli.training.replicas import any_replica
from foleycli.training.validated import own

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class CodedSound:
    """A sound to learn from, or to be judged on.

    Attributes
    ----------
    codes : (rows, columns) int16 or int32
    start_s : float
        Where in the clip they begin.
    label : int
        Number of the class; 0 where there are none.
    track : FeatureTrack or None
        Features of the clip.
    """

    codes: NDArray[np.integer]
    start_s: float = 0.0
    label: int = 0
    track: FeatureTrack | None = None

    def first_column(self, columns: int, place: float | None) -> int:
        """Return where a window of ``columns`` begins: in the middle, or at a place from 0 to 1."""
        spare = self.codes.shape[1] - columns
        return spare // 2 if place is None else int(place * (spare + 1))

    def features(self, first: int, columns: int, column_s: float, count: int) -> Tensor:
        """Return what is seen of a window: ``[1, width, count]`` float32."""
        assert self.track is not None
        return self.track.window(self.start_s + first * column_s, columns * column_s, count)

    def condensed(self, columns: int, column_s: float, count: int) -> CodedSound:
        """Forget the features that are never seen, where the codes are of one window."""
        if self.track is None or self.codes.shape[1] != columns:
            return self
        seen = self.features(0, columns, column_s, count)[0].T.numpy().copy()
        fps = count / (columns * column_s)
        return replace(self, start_s=0.0, track=replace(self.track, values=seen, fps=fps))


def encode_sounds(
    examples: Sequence[Example],
    codec: SoundCodec,
    codebook_sha256: str,
    sight: Sight,
    folder: Path,
    progress: Progress | None = None,
) -> list[CodedSound]:
    """Encode every sound that is not in ``folder`` yet, and return all, without labels or features.

    Raises
    ------
    ValueError
        When a sound does not decode; the message names it.
    """
    kept = [folder / f"{file_sha256(e.path)}-{_way(sight)}{SUFFIX}" for e in examples]
    mine = own(len(examples))
    for done, number in enumerate(mine, 1):
        path, target = examples[number].path, kept[number]
        if _known(target, codec, codebook_sha256) is None:
            try:
                mel = read_mel(path, sight)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
            _encode(mel, codec, codebook_sha256, sight, target)
        if progress:
            progress(done, len(mine))
    any_replica(False)  # all have written theirs
    return [_loaded(path, codec, codebook_sha256) for path in kept]


def read_tracks(paths: Sequence[Path], progress: Progress | None = None) -> Iterator[FeatureTrack]:
    """Read the features of clips one by one: 215 rows of 2048 take 1.8 MB.

    Raises
    ------
    ValueError
        When one is missing or of another backbone or length than the first; the message names it.
    """
    wanted = ""
    for done, path in enumerate(paths, 1):
        if not path.is_file():
            raise ValueError(f"{path}: no such features; foley extract DATA -o DIR/ makes them")
        track = load_features(path)
        told = _form(track)
        wanted = wanted or told
        if told != wanted:
            raise ValueError(f"{path}: {told}, not {wanted} as in {paths[0]}; extract all alike")
        yield track
        if progress:
            progress(done, len(paths))


def _form(track: FeatureTrack) -> str:
    return f"{track.values.shape[1]} features of {track.backbone or 'an unnamed backbone'}"


def _way(sight: Sight) -> str:
    return f"{'whole' if sight.whole else 'middle'}-{sight.short}"


def _encode(
    mel: NDArray[np.float16], codec: SoundCodec, codebook_sha256: str, sight: Sight, target: Path
) -> None:
    grid, start_s, seen = codec.grid, 0.0, mel.astype(np.float32)
    if not sight.whole:
        start_s = (mel.shape[1] - sight.frames) // 2 / grid.config.factor * grid.column_s
        seen = cut(mel, sight)
    codes = codec.encode(seen)
    stored = StoredCodes(codes, codes.shape[1] * grid.column_samples)
    save_codes(target, stored, grid, codebook_sha256, {"start_s": start_s})


def _known(path: Path, codec: SoundCodec, codebook_sha256: str) -> StoredCodes | None:
    """Return the codes that are kept, unless another codebook or version made them."""
    try:
        return load_codes(path, codec.grid, codebook_sha256)
    except (ValueError, OSError):
        return None


def _loaded(path: Path, codec: SoundCodec, codebook_sha256: str) -> CodedSound:
    codes = load_codes(path, codec.grid, codebook_sha256).codes
    smallest = np.min_scalar_type(-codec.grid.config.codes)
    return CodedSound(codes.astype(smallest), float(read_meta(path)["start_s"]))
