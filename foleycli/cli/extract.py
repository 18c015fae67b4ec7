"""``foley extract``: a clip -> features, what it shows and when it acts; or pairs to train on."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import extract_backbone as backbone_mode
from foleycli.cli import extract_moments as moments_mode
from foleycli.cli import extract_pairs as pairs_mode
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
  foley extract clips/ -o pairs/ --pairs s2i
  foley extract clips/ -o moments/ --moments --model run/
  foley extract clips/ -o pairs/ --pairs sound2scene --moments-from moments/
  foley extract clips/ -o features/ --backbone resnet50 --model resnet50.safetensors
  foley extract clips/ -o features/ --backbone bninception --flow --model bn.safetensors
  foley extract vas/features/dog/feature_resnet50_dim2048_21.5fps/ -o features/dog/
      --backbone resnet50                          # SpecVQGAN's published .pkl

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
  NAME.features.npz of --backbone holds
    features             (N, W) float32, 21.5 a second: N is 215 but with --all, W is
                         2048 of ResNet-50's, 1024 of BN-Inception's, 2048 with --flow
    feature_times_s      (N,) float64
  and in __foley__ the backbone, fps, and the SHA-256 of its models. It is what foley
  train sampler and foley generate --system specvqgan take. Published features are
  brought to 215 rows as their own loader does, by rows of zeros; with --flow those of
  feature_flow_... are taken from beside feature_rgb_....
  NAME.pairs.npz holds, M sounds and N pictures (as many, but with --top),
    sounds          s2i: (M, 128, 100) uint8, a second of log mel each, relative to
                    the loudest of the whole clip; sound2scene: (M, 160000) int16,
                    ten seconds at 16 kHz each, repeated where the clip is shorter
    sound_start_s, sound_length_s
                    (M,) float64, before any filling up
    pictures        (N, 96, 96, 3) or (N, 224, 224, 3) uint8, RGB
    picture_time_s  (N,) float64
    picture_sound   (N,) int64, the index of the sound of each
  and in __foley__ the class: the manifest's, or the folder's. A rest under half a
  piece is left out. foley train s2i|sound2scene reads folders of such files.
  NAME.moments.csv has the columns clip, rank, time_s and score, the best first.
  Edit it at will: only time_s is needed, and rank decides the order.
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


_DEFAULTS = Settings(
    "auto", None, "recognition", "timing", options.ActionSource.timing.value, LOG_MEL_MINI.name
)


def extract(
    inputs: options.Inputs,
    output: options.Output,
    fps: Annotated[
        float | None,
        typer.Option(
            "--fps",
            min=0.1,
            metavar="X",
            help="Frames a second that are looked at.",
            show_default="what the recogniser was trained with, 10 with --moments",
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
    pairs: pairs_mode.Pairs = None,
    fit: pairs_mode.FitOption = pairs_mode.Fit.auto,
    moments_from: pairs_mode.MomentsFrom = "",
    moments: moments_mode.Moments = False,
    model: moments_mode.Model = None,
    moments_json: moments_mode.MomentsJson = "",
    top: pairs_mode.Top = None,
    backbone: backbone_mode.BackboneOption = None,
    flow: backbone_mode.Flow = False,
    every: backbone_mode.All = False,
    device: options.DeviceOption = options.Device.auto,
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
    """See what clips show, and when they act; or cut them into pairs of sound and picture.

    The picture is decoded once, whatever its rate and size. Out come frame features, class
    probabilities, and two series of when something happens: one from optical flow by region, one
    from how much each pair of frames looks like the class's action.

    With --pairs the clip's own sound is cut into pieces, each with the frame at its middle, for
    foley train s2i and foley train sound2scene. With --moments its frames are ranked instead, by a
    sound2scene model of a first round of training; --pairs --moments-from then takes the best ones
    for a second round. The paper selects frames so, by another network.

    With --backbone the frames go through a published network instead, at SpecVQGAN's rate.
    """
    with command("extract", quiet=quiet, verbose=verbose) as console:
        grid = picture_spec(front_end_name).name
        settings = Settings(
            label, None if moments else fps, recognition, timing, source.value, grid
        )
        _refuse(
            {
                "--pairs and --moments are two things: first rank with --moments, then cut with "
                "--pairs --moments-from": bool(pairs) and moments,
                "--backbone writes features, not --pairs or --moments": (
                    bool(backbone) and bool(pairs or moments)
                ),
                "--flow and --all are for --backbone": not backbone and (flow or every),
                "--fit and --moments-from are for --pairs": (
                    not pairs and bool(moments_from or fit != pairs_mode.Fit.auto)
                ),
                "--model and --moments-json are for --moments, and --model for --backbone": (
                    not moments and bool(moments_json or (model and not backbone))
                ),
                "--top is for --pairs and --moments": bool(top) and not (pairs or moments),
                "--class, --recognition, --timing, --action-source and --front-end (and with "
                "--pairs or --backbone --fps) are for features; leave them out": (
                    bool(pairs or moments or backbone)
                    and (settings != _DEFAULTS or bool(fps and not moments))
                ),
            }
        )
        suffix, writes = ".features.npz", ".npz"
        if pairs:
            suffix = pairs_mode.SUFFIX
        elif moments:
            suffix, writes = moments_mode.SUFFIX, ".csv"
        reads = backbone_mode.READS if backbone else VIDEO_SUFFIXES
        batch = Batch(
            inputs, output, reads, suffix, {writes},
            shard, jobs, dry_run, as_json, no_clobber, resume, fail_fast,
            once=[moments_json], keeps=[moments_from],
        )  # fmt: skip
        if pairs:
            pairs_mode.extract_pairs(console, batch, pairs, fit, moments_from, top)
            return
        place = ""
        if (backbone or moments) and not dry_run:
            place = options.torch_device(device)
        if backbone:
            seen_by = backbone_mode.Settings(backbone.value, flow, every, place)
            backbone_mode.extract_backbone(console, batch, model or [], seen_by)
            return
        if moments:
            ranking = moments_mode.Settings(fps or moments_mode.FPS, place)
            moments_mode.extract_moments(console, batch, model or [], ranking, moments_json, top)
            return
        uses = []
        if not dry_run:
            from foleycli.checkpoints import find_checkpoint

            uses = [find_checkpoint(recognition), find_checkpoint(timing)]
        run_batch(console, batch, look, settings, uses=uses)


def _refuse(reasons: Mapping[str, bool]) -> None:
    """Raise ValueError with the first reason that is met."""
    for reason, met in reasons.items():
        if met:
            raise ValueError(reason)


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
