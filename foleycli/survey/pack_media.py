"""The media of a study, as raters see and hear them.

All sounds of a study are at 48 kHz, as loud as each other (ITU-R BS.1770) and of as many channels,
and last as long as their pictures. What betrays a condition otherwise is the file, so that none of
two is the same, bit for bit: every sound has noise of its own under it, below the 16th bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foleycli.media.audio import fit, read_audio
from foleycli.media.browser import RATE_HZ, browser_picture, write_sound
from foleycli.media.clock import picture_clock
from foleycli.media.container import MediaError
from foleycli.media.mux import mux
from foleycli.media.stills import STILL_SUFFIXES, read_still, write_still
from foleycli.media.video import probe
from foleycli.metrics.loudness import loudness
from foleycli.survey.eventful import is_eventful
from foleycli.survey.stimuli import SHIFT_MS, Material, Medium
from foleycli.survey.study import MEDIA_FOLDER

LOUDNESS_LUFS = -23.0  # EBU R 128
CHECK_NAME = "check.m4a"
_PEAK_DBTP = -1.0
_MOST_GAIN_DB = 30.0
_LOW_PASS_HZ = 3500.0  # BS.1534's low anchor
_NOISE_DB = -15.0  # of the sound's own level
_FADE_S = 0.01
_APART = 2.0**-17  # a quarter of a 16-bit step
_BURST_S, _GAP_S = 0.35, 0.45

Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Making:
    """One clip's media, and how to make them; the unit of work.

    Attributes
    ----------
    media : tuple of Medium
        All of one clip.
    folder : Path
        Of the pack.
    lufs : float or None
        Loudness of all of them; None leaves levels as they are.
    stereo : bool
        Keep two channels; else both channels carry the mean.
    """

    media: tuple[Medium, ...]
    folder: Path
    lufs: float | None
    stereo: bool


@dataclass(frozen=True)
class Made:
    """One medium that was written.

    Attributes
    ----------
    name, file : str
        File is its path within the pack.
    kind : str
        ``video``, ``sound`` or ``picture``.
    seconds : float
        0 of a picture.
    lufs : float or None
        Loudness that the sound had; None where it is too quiet to have one.
    gain_db : float
        What it was changed by.
    cut_s : float
        By how much the sound was longer than the picture; negative: silence was put after it.
    """

    name: str
    file: str
    kind: str
    seconds: float = 0.0
    lufs: float | None = None
    gain_db: float = 0.0
    cut_s: float = 0.0


def work_of(media: Iterable[Medium], folder: Path, lufs: float | None) -> list[Making]:
    """Part media by clip; two channels are kept where every sound has two.

    Raises
    ------
    ValueError
        When a file cannot be read; it is named.
    """
    by_clip: dict[str, list[Medium]] = {}
    for medium in sorted(media, key=lambda medium: medium.name):
        by_clip.setdefault(medium.clip, []).append(medium)
    files = {m.file for some in by_clip.values() for m in some if not _is_picture(m)}
    channels = {_channels(Path(file)) for file in sorted(files)}
    return [Making(tuple(some), folder, lufs, channels == {2}) for some in by_clip.values()]


def make_media(work: Making) -> list[Made]:
    """Write all media of a clip.

    Raises
    ------
    ValueError
        When a file cannot be read; it is named.
    """
    pictures = [medium for medium in work.media if _is_picture(medium)]
    made = [_write_picture(medium, work.folder) for medium in pictures]
    heard = [medium for medium in work.media if medium not in pictures]
    videos = {medium.video for medium in heard}
    for video in sorted(videos):
        own = [medium for medium in heard if medium.video == video]
        if not video:
            made += _write_all(own, work, None)
            continue
        try:
            with browser_picture(video) as picture:
                made += _write_all(own, work, picture)
        except MediaError as error:
            raise _named(video, error) from None
    return made


def shiftable_clips(material: Material) -> list[str]:
    """List clips whose original sound has events, so that a shift is heard.

    Raises
    ------
    ValueError
        When an original cannot be read; it is named.
    """
    found = []
    for clip in material.clips:
        if clip.reference is not None:
            sound = _read(clip.reference).mean(0)
            if is_eventful(sound, RATE_HZ, SHIFT_MS):
                found.append(clip.id)
    return found


def write_check(folder: Path, bursts: int, lufs: float | None) -> None:
    """Write the sound that raters set their volume by: bursts of noise, as loud as the clips."""
    rng = np.random.default_rng(bursts)
    size, gap = round(_BURST_S * RATE_HZ), round(_GAP_S * RATE_HZ)
    spectrum = np.fft.rfft(rng.standard_normal((bursts, size)))
    spectrum /= np.sqrt(np.arange(spectrum.shape[1]) + 30)  # pink
    noise = np.fft.irfft(spectrum, size) * np.hanning(size) ** 0.25
    sound = np.pad(noise, ((0, 0), (gap, 0))).ravel().astype(np.float32)
    sound = np.tile(np.pad(sound / np.abs(sound).max() / 2, (0, gap)), (2, 1))
    gain_db = _gains_db({"": sound}, LOUDNESS_LUFS if lufs is None else lufs)[""]
    sound *= np.float32(10 ** (gain_db / 20))
    write_sound(folder / MEDIA_FOLDER / CHECK_NAME, sound)


def _write_all(media: Sequence[Medium], work: Making, picture: Path | None) -> list[Made]:
    """Write the sounds of a clip, with its picture or, in a study of pictures, alone."""
    samples = round(picture_clock(picture).duration * RATE_HZ) if picture else None
    sounds, lengths = {}, {}
    for medium in media:
        sound = _read(Path(medium.file))
        if not work.stereo or len(sound) == 1:
            sound = np.repeat(sound.mean(0, keepdims=True), 2, 0)
        lengths[medium.name] = sound.shape[1]
        sounds[medium.name] = fit(_changed(sound, medium), samples or sound.shape[1])
    known = {name: _level(sound) for name, sound in sounds.items()}
    gains_db = dict.fromkeys(sounds, 0.0) if work.lufs is None else _gains_db(sounds, work.lufs)
    made = []
    for medium in media:
        name = medium.name
        sound = sounds[name] * np.float32(10 ** (gains_db[name] / 20))
        sound = sound + _rng(name).uniform(-_APART, _APART, sound.shape).astype(np.float32)
        file = f"{MEDIA_FOLDER}/{name}.{'mp4' if picture else 'm4a'}"
        if picture:
            mux(picture, sound, RATE_HZ, work.folder / file, codec="aac")
        else:
            write_sound(work.folder / file, sound / max(1.0, float(np.abs(sound).max())))
        cut_s = (lengths[name] - sound.shape[1]) / RATE_HZ
        made.append(
            Made(
                *(name, file, "video" if picture else "sound", sound.shape[1] / RATE_HZ),
                *(known[name][0], gains_db[name], cut_s),
            )
        )
    return made


def _changed(sound: Sound, medium: Medium) -> Sound:
    """Make a gold item of an original."""
    if medium.shift_ms:
        moved = round(abs(medium.shift_ms) * RATE_HZ / 1000)
        left = sound[:, moved:] if medium.shift_ms < 0 else sound
        fade = np.minimum(1, np.arange(1, left.shape[1] + 1) / (_FADE_S * RATE_HZ))
        faded = (left * fade * fade[::-1]).astype(np.float32)  # no click where silence meets it
        return np.pad(faded, ((0, 0), (moved if medium.shift_ms > 0 else 0, 0)))
    if medium.kind == "degraded":
        from scipy.signal import butter, sosfiltfilt

        low = butter(8, _LOW_PASS_HZ, fs=RATE_HZ, output="sos")
        length = sound.shape[1]
        padded = fit(sound, max(length, RATE_HZ // 10)).astype(np.float64)
        level = float(np.sqrt((sound**2).mean())) or 1e-3
        noise = _rng(medium.name).standard_normal(padded.shape)
        noise *= level * 10 ** (_NOISE_DB / 20)
        worse = sosfiltfilt(low, padded, axis=1) + noise
        return np.asarray(worse[:, :length], np.float32)
    return sound


def _gains_db(sounds: Mapping[str, Sound], lufs: float) -> dict[str, float]:
    """Say how to make sounds of one clip equally loud, none of them beyond full scale.

    Where one would be, all are made softer by as much. A sound too quiet to have a loudness is left
    as it is, and none is raised by more than 30 dB.
    """
    gains, over = {}, 0.0
    for name, sound in sounds.items():
        own, peak = _level(sound)
        gains[name] = 0.0 if own is None else min(lufs - own, _MOST_GAIN_DB)
        if peak is not None:
            over = max(over, peak + gains[name] - _PEAK_DBTP)
    return {name: gain - over for name, gain in gains.items()}


def _level(sound: Sound) -> tuple[float | None, float | None]:
    """Integrated loudness and true peak of a sound in two channels."""
    found = loudness(sound, RATE_HZ)
    return found.integrated_lufs, found.true_peak_dbtp


def _read(path: Path) -> Sound:
    """Read (1 or 2, samples) float32 at 48 kHz; more channels are averaged."""
    try:
        sound, _ = read_audio(path, rate_hz=RATE_HZ, mono=False)
        if len(sound) > 2:
            sound = read_audio(path, rate_hz=RATE_HZ)[0][None]
    except MediaError as error:
        raise _named(path, error) from None
    if not sound.size or not np.isfinite(sound).all():
        raise ValueError(f"{path}: the sound is empty, or holds NaN or infinity")
    return sound


def _channels(path: Path) -> int:
    try:
        found = probe(path)
    except MediaError as error:
        raise _named(path, error) from None
    if found.audio_channels is None:
        raise ValueError(f"{path}: no audio stream")
    return found.audio_channels


def _write_picture(medium: Medium, folder: Path) -> Made:
    """Write a picture anew: how a file is packed, and what is noted in it, may tell who made it."""
    file = f"{MEDIA_FOLDER}/{medium.name}.png"
    try:
        write_still(folder / file, read_still(medium.file))
    except MediaError as error:
        raise _named(medium.file, error) from None
    return Made(medium.name, file, "picture")


def _is_picture(medium: Medium) -> bool:
    return not medium.video and Path(medium.file).suffix.lower() in STILL_SUFFIXES


def _named(path: str | Path, error: MediaError) -> ValueError:
    return ValueError(f"{path}: {error}; every clip of a study needs all of its files")


def _rng(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
