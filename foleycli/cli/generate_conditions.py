"""What a clip is sounded by when SpecVQGAN's sampler draws: features, class, and the ranking."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from foleycli.cli.inputs import Job
from foleycli.cli.models import recogniser, timing_model

if TYPE_CHECKING:
    from foleycli.sound_codes.conditions import FeatureTrack
    from foleycli.sound_codes.ranking import ClassRanking, SyncRanking
    from foleycli.sound_codes.sampler import Sampler
    from foleycli.sound_embedding import SoundEmbedder
    from foleycli.vision.clip import ClipFeatures

_FEATURES_SUFFIX = ".features.npz"
_PUBLISHED_BACKBONES = ("resnet50", "bninception", "bninception+flow")


@dataclass(frozen=True)
class Settings:
    """What decides the result."""

    models: tuple[str, ...]
    label: str
    seed: int
    features: str
    top_x: int | None
    temperature: float
    samples: int
    prime_s: float
    candidates: int
    rank: str
    rank_model: str
    precision: str
    timing: str
    recognition: str
    codec: str
    original_gain_db: float | None
    device: str


@dataclass(frozen=True, eq=False)
class Condition:
    """What sampler and ranking are told of a clip, and what to say of it.

    ``label`` is empty where nobody asked for a class, and ``ranks`` where there is no choice.
    """

    track: FeatureTrack | None
    label: str
    index: int | None
    ranks: str
    ranking: ClassRanking | SyncRanking | None
    said: tuple[str, ...]


def condition_of(job: Job, settings: Settings, sampler: Sampler) -> Condition:
    """Find out what has to be told; the picture is watched only for what is not given."""
    label = settings.label
    if label == "auto" and job.clip.label:
        label = job.clip.label  # a manifest knows better
    ranks = ""
    if settings.candidates > 1:
        ranks = settings.rank or ("sync" if label == "auto" else "classifier")
    track = _given_features(job, settings) if settings.features else None
    looks = sampler.wants_features and track is None
    if looks and sampler.backbone in _PUBLISHED_BACKBONES:
        raise ValueError(
            f"this sampler sees features of {sampler.backbone}; make them by foley extract "
            f"--backbone {sampler.backbone}, and give --features"
        )
    names = label == "auto" and (sampler.wants_class or ranks == "classifier")
    said: list[str] = []
    seen = None
    if looks or names or ranks == "sync":
        from foleycli.vision.clip import watch

        viewer = recogniser(settings.recognition) if looks or names else None
        seen = watch(job.clip.path, viewer)
        said += seen.damage
        if viewer is not None and seen.frames is not None and looks:
            from foleycli.sound_codes.conditions import FeatureTrack

            track = FeatureTrack(seen.frames, viewer.fps)
        if viewer is not None and seen.frames is not None and names:
            answer = viewer.recognise(seen.frames)
            label = answer.label
            doubt = "" if answer.sure else ", unsure; use --class"
            said.append(f"class: {label} ({answer.probability:.2f}{doubt})")
    if label == "auto":
        label = ""
    elif not names:
        said.append(f"class: {label}")
    if track is not None:
        sampler.check_features(track)
    index = sampler.check_class(label) if sampler.wants_class else None
    ranking = _ranking(ranks, label, seen, settings)
    return Condition(track, label, index, ranks, ranking, tuple(said))


def feature_files(given: str) -> list[Path]:
    """List the files of ``--features``: itself, or those of a folder."""
    path = Path(given)
    if not given:
        return []
    return sorted(path.rglob(f"*{_FEATURES_SUFFIX}")) if path.is_dir() else [path]


def _given_features(job: Job, settings: Settings) -> FeatureTrack:
    from foleycli.sound_codes.conditions import load_features

    path = Path(settings.features)
    return load_features(path / f"{job.clip.id}{_FEATURES_SUFFIX}" if path.is_dir() else path)


def _ranking(
    ranks: str, label: str, seen: ClipFeatures | None, settings: Settings
) -> ClassRanking | SyncRanking | None:
    from foleycli.sound_codes.ranking import ClassRanking, SyncRanking

    if ranks == "classifier":
        return ClassRanking(_listener(settings.rank_model, settings.device), label)
    if ranks == "sync" and seen is not None:
        return SyncRanking(timing_model(settings.timing).predict(seen.motion))
    return None


@cache
def _listener(name: str, device: str) -> SoundEmbedder:
    from foleycli.checkpoints import load_checkpoint
    from foleycli.sound_embedding import SoundEmbedder

    checkpoint = load_checkpoint(name)
    try:
        return SoundEmbedder.from_checkpoint(checkpoint, device)
    except ValueError as error:
        raise ValueError(f"--rank-model {name}: {error}") from None
