"""Recipe of the timing model: real clips whose own sound says when, and rendered scenes that know.

Targets are pulses of 40 ms at the onsets of the clip's sound; every clip counts alike, however long
or busy; and half of what the networks see are scenes from :mod:`foleycli.training.scenes`. The
shipped model is ``foley train timing DATA/manifest.csv --where kind=video -o run/``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from foleycli.dsp.action import series_from_events
from foleycli.dsp.onsets import ONSET_RATE_HZ, detect_onsets
from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.media.audio import read_audio
from foleycli.media.container import MediaError
from foleycli.media.video import read_frames
from foleycli.models.timing import TimingConfig, TimingNet, normalise
from foleycli.training.scenes import Scene, random_scene
from foleycli.vision.flow import (
    CELL_NAMES,
    CELLS,
    FEATURE_NAMES,
    GRID_COLUMNS,
    GRID_ROWS,
    HEIGHT,
    PICTURE_NAMES,
    WIDTH,
    MotionFeatures,
    analyse,
)

FIRST_TRAINING_SCENE = 1000  # seeds under it are for tests and reports
Progress = Callable[[int, int], None]
_Pair = tuple[NDArray[np.float32], NDArray[np.float32]]  # normalised features, target


@dataclass(frozen=True)
class TimingRecipe:
    """Everything but the clips and the seed.

    Attributes
    ----------
    nets : int
        Size of the ensemble.
    steps, batch, window : int
        Optimiser steps a net, excerpts a step, steps of 1/30 s an excerpt.
    scenes : int
        Rendered scenes; ``scene_share`` of the excerpts are theirs.
    learning_rate, weight_decay : float
        AdamW; one cycle up and down.
    noise, gain, cell_dropout, channel_dropout : float
        Spread of the noise added to normalised features and of the log gain of the cells; shares of
        cells and of channels blinded (whole-picture channels twice as often).
    """

    network: TimingConfig = field(default_factory=TimingConfig)
    nets: int = 3
    steps: int = 600
    batch: int = 12
    window: int = 96
    scenes: int = 60
    scene_share: float = 0.5
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    noise: float = 0.1
    gain: float = 0.15
    cell_dropout: float = 0.2
    channel_dropout: float = 0.05


@dataclass(frozen=True)
class Example:
    """Motion of a clip and what is heard.

    ``times_s`` (events,) are seconds, ascending.
    """

    motion: MotionFeatures
    times_s: NDArray[np.float64]


def example_of_scene(seed: int) -> Example:
    """Render a random scene and take its motion; the truth is the scene's own."""
    scene = random_scene(seed)
    return Example(motion_of_scene(scene), scene.times_s)


def motion_of_scene(scene: Scene) -> MotionFeatures:
    """Render a scene at the size that motion is measured at, and measure it."""
    return analyse(
        _Rendered(
            time_s, 1 / scene.fps, np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        )
        for time_s, rgb in scene.frames(WIDTH, HEIGHT)
    )


@dataclass(frozen=True)
class _Rendered:
    time_s: float
    duration_s: float
    picture: NDArray[np.uint8]

    def gray(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the picture, which was rendered at the size that is asked for."""
        assert self.picture.shape == (height, width)
        return self.picture


def example_of_clip(path: Path, work: Path) -> Example:
    """Measure a clip's motion, kept in ``work`` for the next run, and hear its own onsets.

    Raises
    ------
    MediaError
        When the clip has no picture or no sound.
    """
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    kept = work / f"motion-{digest}.npz"
    if kept.is_file():
        motion = MotionFeatures(load_arrays(kept, "motion")[0]["motion"])
    else:
        motion = analyse(read_frames(path))
        save_arrays(
            kept, {"motion": motion.values}, kind="motion", meta={"features": list(motion.names)}
        )
    waveform, rate_hz = read_audio(path, rate_hz=ONSET_RATE_HZ)
    times_s, _ = detect_onsets(waveform, rate_hz)
    return Example(motion, times_s[times_s < len(motion.values) / motion.fps])


def train_timing(
    clips: Sequence[Path],
    *,
    work: Path,
    recipe: TimingRecipe | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[dict[str, Tensor], dict[str, Any], dict[str, Any]]:
    """Train the ensemble on clips with sound.

    Parameters
    ----------
    clips : sequence of Path
        Video files whose sound belongs to the picture. A clip without sound or picture is left out
        and named.
    work : Path
        Folder for the motion features, so that a second run starts at once.
    progress : callable
        Called with (done, total) over clips, scenes and optimiser steps.

    Returns
    -------
    tensors, config, report
        The first two for ``save_checkpoint(kind="timing")``; the report is plain values for
        provenance.

    Raises
    ------
    ValueError
        When no clip is left.
    """
    recipe = recipe or TimingRecipe()
    total = len(clips) + recipe.scenes + recipe.nets * recipe.steps
    done = 0

    def advance(*_: int) -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, total)

    real, left_out = [], {}
    for path in clips:
        try:
            real.append(example_of_clip(path, work))
        except MediaError as error:
            left_out[str(path)] = str(error)
        advance()
    if not real:
        raise ValueError(
            f"none of the {len(clips)} clips has both picture and sound; nothing to train on"
        )
    scenes = []
    for k in range(recipe.scenes):
        scenes.append(example_of_scene(FIRST_TRAINING_SCENE + k))
        advance()
    tensors: dict[str, Tensor] = {}
    last_losses = []
    for k in range(recipe.nets):
        net, losses = train_net(real, scenes, recipe, seed * recipe.nets + k, advance)
        tensors |= {f"net{k}.{name}": tensor for name, tensor in net.state_dict().items()}
        last_losses.append(float(np.mean(losses[-50:])))
    report = {
        "recipe": asdict(recipe),
        "seed": seed,
        "clips": len(real),
        "onsets": sum(len(e.times_s) for e in real),
        "left_out": left_out,
        "last_losses": last_losses,
    }
    return tensors, timing_config(recipe), report


def timing_config(recipe: TimingRecipe) -> dict[str, Any]:
    """Return what a checkpoint of kind ``timing`` states beside its tensors."""
    return {"network": asdict(recipe.network), "features": list(FEATURE_NAMES)}


def target(example: Example) -> NDArray[np.float32]:
    """Probability that a sound begins at each step: (N,) pulses in [0, 1]."""
    motion, times_s = example.motion, example.times_s
    duration_s = len(motion.values) / motion.fps
    return series_from_events(times_s, np.ones(len(times_s)), duration_s, motion.fps).values


def train_net(
    real: Sequence[Example],
    scenes: Sequence[Example],
    recipe: TimingRecipe,
    seed: int,
    progress: Progress | None = None,
) -> tuple[TimingNet, list[float]]:
    """Train one network; returns it with the loss of every step. Equal seeds give equal weights."""
    rng = np.random.default_rng(seed)
    pools = [[_pair(e, recipe.network) for e in pool] for pool in (real, scenes)]
    losses = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # initial weights and dropout
        net = TimingNet(recipe.network)
        optimiser = torch.optim.AdamW(
            net.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, recipe.learning_rate, total_steps=recipe.steps
        )
        for step in range(recipe.steps):
            inputs, wanted, weights = _batch(pools, recipe, rng)
            loss = functional.binary_cross_entropy_with_logits(
                net(inputs), wanted, weights, reduction="sum"
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            if progress:
                progress(step + 1, recipe.steps)
    return net.eval(), losses


def _pair(example: Example, network: TimingConfig) -> _Pair:
    return normalise(example.motion.values, network), target(example)


def _batch(
    pools: Sequence[Sequence[_Pair]], recipe: TimingRecipe, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw excerpts: (B, D, W) features, (B, W) targets, (B, W) weights that sum to 1.

    Every excerpt weighs the same, however short its clip; steps beyond the clip weigh nothing.
    """
    inputs = np.zeros((recipe.batch, recipe.network.features, recipe.window), np.float32)
    wanted = np.zeros((recipe.batch, recipe.window), np.float32)
    weights = np.zeros_like(wanted)
    for row in range(recipe.batch):
        pool = pools[1] if pools[1] and rng.random() < recipe.scene_share else pools[0]
        values, wish = pool[int(rng.integers(len(pool)))]
        start = rng.integers(0, max(1, len(values) - recipe.window + 1))
        values, wish = (part[start : start + recipe.window] for part in (values, wish))
        inputs[row, :, : len(values)] = _disturb(values, recipe, rng).T
        wanted[row, : len(values)] = wish
        weights[row, : len(values)] = 1 / (len(values) * recipe.batch)
    return torch.from_numpy(inputs), torch.from_numpy(wanted), torch.from_numpy(weights)


def _disturb(
    values: NDArray[np.float32], recipe: TimingRecipe, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Mirror, blind cells and channels, change the gain, add noise: none of it moves an event."""
    split = CELLS * len(CELL_NAMES)
    cells = values[:, :split].reshape(len(values), len(CELL_NAMES), GRID_ROWS, GRID_COLUMNS)
    picture = values[:, split:]
    if rng.random() < 0.5:
        leftward = np.array([-1 if name == "flow_x" else 1 for name in CELL_NAMES], np.float32)
        cells = cells[..., ::-1] * leftward[:, None, None]
        picture = picture * np.array([-1 if n == "camera_x" else 1 for n in PICTURE_NAMES])
    seen = rng.random((GRID_ROWS, GRID_COLUMNS)) > recipe.cell_dropout
    kept = rng.random((len(CELL_NAMES), 1, 1)) > recipe.channel_dropout
    gain = np.exp(recipe.gain * rng.standard_normal())
    picture = picture * (rng.random(len(PICTURE_NAMES)) > 2 * recipe.channel_dropout)
    changed = np.concatenate([(cells * seen * kept * gain).reshape(-1, split), picture], axis=1)
    noise = recipe.noise * rng.standard_normal(changed.shape, dtype=np.float32)
    return (changed + noise).astype(np.float32)
