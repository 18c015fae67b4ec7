"""``foley extract --backbone``: clips -> the visual features that SpecVQGAN is conditioned on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Console, Progress
from foleycli.cli.inputs import VIDEO_SUFFIXES, Job, collect

if TYPE_CHECKING:
    from foleycli.vision.clip_features import Eye

_PICKLE = ".pkl"
READS = VIDEO_SUFFIXES | {_PICKLE}


class Backbone(StrEnum):
    """What ``--backbone`` takes."""

    resnet50 = "resnet50"
    bninception = "bninception"


_KINDS = {Backbone.resnet50: "resnet50", Backbone.bninception: "bn-inception"}

BackboneOption = Annotated[
    Backbone | None,
    typer.Option(
        "--backbone",
        help="Write the features of this network instead, as SpecVQGAN's samplers take them.",
        show_default=False,
    ),
]
Flow = Annotated[
    bool,
    typer.Option(
        "--flow", help="With --backbone bninception: look at optical flow, too, 1024 more features."
    ),
]
All = Annotated[
    bool,
    typer.Option(
        "--all",
        help="With --backbone: keep a row for every frame of a clip, however long; else there are "
        "215, of its first ten seconds, repeated where it is shorter.",
    ),
]


@dataclass(frozen=True)
class Settings:
    """What decides the result; models are known by their hashes."""

    backbone: str
    flow: bool
    every: bool
    device: str

    @property
    def name(self) -> str:
        """What samplers call these features."""
        return f"{self.backbone}+flow" if self.flow else self.backbone


def extract_backbone(
    console: Console, batch: Batch, models: Sequence[str], settings: Settings
) -> None:
    """Write the features of every clip of a batch, or of every published file of features."""
    if settings.flow and settings.backbone != Backbone.bninception:
        raise ValueError("--flow is for --backbone bninception")
    uses: list[Path] = []
    if models and not batch.dry_run:
        from foleycli.checkpoints import find_checkpoint

        uses = [find_checkpoint(model) for model in models]
        _eye(tuple(models), settings)
    elif not models and Path("-") not in batch.inputs:
        clips = collect(batch.inputs, batch.reads)
        if not all(_is_pickle(clip.path) for clip in clips):
            raise ValueError(_no_weights(settings))
    run_batch(console, batch, _Look(tuple(models)), settings, uses=uses)


@dataclass(frozen=True)
class _Look:
    """Extracts one clip's features."""

    models: tuple[str, ...]

    def __call__(
        self, job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None
    ) -> dict[str, Any]:
        import numpy as np

        from foleycli.files.arrays import save_arrays
        from foleycli.vision.clip_features import FPS, clip_rows

        told: dict[str, Any] = {"backbone": settings.name, "fps": FPS}
        if _is_pickle(job.clip.path):
            values = _published_rows(job.clip.path, settings)
            times_s, notes = np.arange(len(values)) / FPS, ["as published"]
        else:
            if not self.models:
                raise ValueError(_no_weights(settings))
            eye = _eye(self.models, settings)
            seen = clip_rows(job.clip.path, eye, every=settings.every, progress=progress)
            values, times_s, notes = seen.values, seen.times_s, [*seen.damage]
            told |= {
                "duration_s": seen.duration_s,
                "model_sha256": meta["options"]["uses"],
            }
            if seen.frames < len(values):
                notes.append(f"those of {seen.frames} frames repeated")
        arrays = {"features": values, "feature_times_s": times_s}
        save_arrays(job.output, arrays, kind="features", meta={**meta, **told})
        rows, width = values.shape
        return {
            "note": ", ".join([f"{rows} x {width} features of {settings.name}", *notes]),
            "backbone": settings.name,
            "shape": [rows, width],
        }


@cache
def _eye(models: tuple[str, ...], settings: Settings) -> Eye:
    """Load the networks, once a process."""
    from foleycli.published.importing import load_published
    from foleycli.vision import clip_features

    kind = _KINDS[Backbone(settings.backbone)]
    networks: list[Any] = [load_published(model, kind)[0].to(settings.device) for model in models]
    if settings.backbone == Backbone.resnet50 and len(networks) == 1:
        return clip_features.ResnetEye(networks[0])
    frames = [network for network in networks if _channels(network) == 3]
    flow = [network for network in networks if _channels(network) == 2]
    if len(frames) != 1 or len(flow) > settings.flow:
        raise ValueError(
            f"--model: {len(networks)} networks of {kind}; give one of frames, and at most one of "
            "flow with --flow"
        )
    if settings.flow and not flow:
        flow = [clip_features.flow_network(frames[0]).to(settings.device)]
    return clip_features.InceptionEye(frames[0], *flow)


def _channels(network: Any) -> int:
    return int(getattr(network.config, "channels", 3))


def _no_weights(settings: Settings) -> str:
    kind = _KINDS[Backbone(settings.backbone)]
    return (
        f"--backbone {settings.backbone} needs --model, and no weights are in this package; foley "
        f"checkpoint pull {kind} fetches the published file, foley checkpoint import FILE -o "
        f"{kind}.safetensors makes a model of it"
    )


def _published_rows(path: Path, settings: Settings) -> Any:
    """Read published features, brought to as many rows as the published loader brings them to."""
    import numpy as np

    from foleycli.vision.clip_features import ROWS
    from foleycli.vision.feature_pickles import flow_beside, read_feature_pickle

    files = [path, flow_beside(path)] if settings.flow else [path]
    found = [read_feature_pickle(file) for file in files]
    rows = max(map(len, found)) if settings.every else ROWS
    return np.concatenate(
        [np.pad(f, ((0, max(0, rows - len(f))), (0, 0)))[:rows] for f in found], 1
    )


def _is_pickle(path: Path) -> bool:
    return path.suffix.lower() == _PICKLE
