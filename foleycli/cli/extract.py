"""``foley extract``: a clip's picture -> features, what it shows, and when it acts."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import options
from foleycli.cli.batch import Batch, run_batch
from foleycli.cli.console import Progress, command
from foleycli.cli.inputs import VIDEO_SUFFIXES, Job
from foleycli.dsp.spec import LOG_MEL_MINI, PICTURES, picture_spec

if TYPE_CHECKING:
    from foleycli.vision.recognition import Recogniser

EPILOG = """\b
Examples:
  foley extract clip.mp4 -o clip.features.npz
  foley extract clip.mp4 -o clip.features.npz --fps 25 --class footstep --json
  foley extract clips/ -o features/ -j 2 --resume
  foley extract clips/ -o features/ --shard auto   # in a Slurm array

\b
Files:
  NAME.features.npz holds, N frames at --fps and M steps of 1/30 s,
    features             (N, D) float32, of the recogniser's backbone
    feature_times_s      (N,) float64
    class_probabilities  (C,) float32 by the multi-scale TRN; they add up to less
                         than 1: the rest is for what is none of the classes
    trn2_series          (N,) float32 in [0, 1] by the 2-frame TRN
    timing_series        (M,) float32 in [0, 1] by optical flow
    timing_times_s       (M,) float64
    action_spectrogram   (3, bins, frames) float32 in [-1, 1], of the series that
                         --action-source names, on the grid of --front-end
  and as JSON, in __foley__, the names of the classes, the class followed, the
  duration, the front end, and how it was made.
"""


@dataclass(frozen=True)
class Settings:
    """What decides the result."""

    label: str
    fps: float | None
    recognition: str
    timing: str
    source: str
    front_end: str


def extract(
    inputs: options.Inputs,
    output: options.Output,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps",
            min=0.1,
            metavar="X",
            help="Frames a second that the recogniser looks at.",
            show_default="what it was trained with",
        ),
    ] = None,
    label: Annotated[
        str,
        typer.Option(
            "--class",
            metavar="NAME",
            help="Class whose action to follow; auto takes the likeliest.",
        ),
    ] = "auto",
    recognition: options.RecognitionModel = "recognition",
    timing: options.TimingModel = "timing",
    source: options.ActionSourceOption = options.ActionSource.timing,
    front_end_name: Annotated[
        str,
        typer.Option(
            "--front-end",
            metavar="NAME",
            help=f"Grid of the action spectrogram: {', '.join(PICTURES)}.",
            autocompletion=lambda: list(PICTURES),
        ),
    ] = LOG_MEL_MINI.name,
    jobs: options.Jobs = 1,
    shard: options.Shard = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    no_clobber: options.NoClobber = False,
    resume: options.Resume = False,
    fail_fast: options.FailFast = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """See what clips show, and when they act.

    The picture is decoded once, whatever its rate and size. Out come frame features, class
    probabilities, and two series of when something happens: one from optical flow by region, one
    from how much each pair of frames looks like the class's action.
    """
    with command("extract", quiet=quiet, verbose=verbose) as console:
        grid = picture_spec(front_end_name).name
        settings = Settings(label, fps, recognition, timing, source.value, grid)
        batch = Batch(
            inputs, output, VIDEO_SUFFIXES, ".features.npz", {".npz"},
            shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast,
        )  # fmt: skip
        uses = []
        if not dry_run:
            from foleycli.checkpoints import find_checkpoint

            uses = [find_checkpoint(recognition), find_checkpoint(timing)]
        run_batch(console, batch, look, settings, uses=uses)


def look(
    job: Job, settings: Settings, meta: Mapping[str, Any], progress: Progress | None
) -> dict[str, Any]:
    """Extract one clip's features."""
    import numpy as np

    from foleycli.cli.models import timing_model
    from foleycli.dsp.action import action_spectrogram
    from foleycli.files.arrays import save_arrays
    from foleycli.vision.clip import watch

    recogniser = _recogniser(settings)
    seen = watch(job.clip.path, recogniser)
    assert seen.frames is not None
    answer = recogniser.recognise(seen.frames)
    label = settings.label
    if label == "auto":
        label = job.clip.label if job.clip.label in recogniser.classes else answer.label
    by_class = recogniser.action_series(seen.frames, label)
    by_motion = timing_model(settings.timing).predict(seen.motion)
    spec = picture_spec(settings.front_end)
    columns = spec.frames_for(round(seen.duration_s * spec.rate_hz))
    s_act = action_spectrogram(
        by_class if settings.source == options.ActionSource.trn2 else by_motion,
        rows=spec.bins,
        columns=columns,
        duration_s=columns * spec.hop_samples / spec.rate_hz,
    )
    chances = recogniser.classify(seen.frames)
    save_arrays(
        job.output,
        {
            "features": seen.frames,
            "feature_times_s": np.arange(len(seen.frames)) / recogniser.fps,
            "class_probabilities": np.array(list(chances.values()), np.float32),
            "trn2_series": by_class.values,
            "timing_series": by_motion.values,
            "timing_times_s": np.arange(len(by_motion.values)) / by_motion.fps,
            "action_spectrogram": s_act,
        },
        kind="features",
        meta={
            **meta,
            "classes": list(chances),
            "class": label,
            "duration_s": seen.duration_s,
            "fps": recogniser.fps,
            "front_end": spec.as_dict(),
        },
    )
    doubt = "" if answer.sure else ", unsure"
    return {
        "note": f"{len(seen.frames)} frames, {answer.label} ({answer.probability:.2f}{doubt})",
        "class": answer.label,
        "probability": answer.probability,
        "sure": answer.sure,
        "frames": len(seen.frames),
        "duration_s": seen.duration_s,
    }


def _recogniser(settings: Settings) -> Recogniser:
    """Load the recogniser, to look at --fps if that is given."""
    from foleycli.cli.models import recogniser

    model = copy(recogniser(settings.recognition))
    if settings.fps is not None:
        backbone = replace(model.config.backbone, fps=settings.fps)
        model.config = replace(model.config, backbone=backbone)
    return model
