"""Rendered scenes with known impacts: bouncing balls, hammers, flashes, and silent movers.

Few real clips come with exact event times; here they are exact by construction. A scene is a set of
actors with closed-form motion in a picture one unit high (y down), so that it renders at any size
and rate. Everything follows from the seed. Pure numpy: distance fields with soft edges, averaged
over the exposure as a camera does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ASPECT = 4 / 3
_EXPOSURES = 3  # pictures averaged into one frame: motion blur
Colour = tuple[float, float, float]
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Ball:
    """A disc on parabolic arcs.

    Arc i begins at ``starts_s[i]`` with the i-th place, velocity and gravity; without velocity and
    gravity it is a rest. ``places`` and ``velocities`` are (arcs, 2), the others (arcs,).
    """

    starts_s: NDArray[np.float64]
    places: NDArray[np.float64]
    velocities: NDArray[np.float64]
    gravities: NDArray[np.float64]
    radius: float
    colour: Colour

    def outline(self, x: Plane, y: Plane, time_s: float) -> Plane:
        """Distance to the outline, negative inside."""
        arc = max(0, int(np.searchsorted(self.starts_s, time_s, side="right")) - 1)
        since = time_s - self.starts_s[arc]
        at = (
            self.places[arc]
            + self.velocities[arc] * since
            + np.array([0, self.gravities[arc] / 2]) * since**2
        )
        return np.hypot(x - at[0], y - at[1]) - self.radius


@dataclass(frozen=True)
class Hammer:
    """A stick with a head that turns about ``pivot``, stopped dead at ``hits_s``.

    It falls for ``fall_s``, lies for half of ``lift_s`` and rises in the other half.
    """

    hits_s: NDArray[np.float64]
    pivot: tuple[float, float]
    length: float
    raised_rad: float
    fall_s: float
    facing: int
    radius: float
    colour: Colour
    lift_s: float = 0.35

    def angle(self, time_s: float) -> float:
        """Radians above the surface."""
        nearest = int(np.searchsorted(self.hits_s, time_s, side="right"))
        lifted = 1.0
        if nearest < len(self.hits_s):  # falls with constant acceleration from rest
            to_go = self.hits_s[nearest] - time_s
            lifted = 1 - (1 - to_go / self.fall_s) ** 2 if to_go < self.fall_s else 1.0
        if nearest > 0:  # rests on the surface after a small rebound, then is lifted
            since = time_s - self.hits_s[nearest - 1]
            rebound = 0.08 * np.sin(np.pi * min(2 * since / self.lift_s, 1.0))
            lift = np.clip(2 * since / self.lift_s - 1, 0, 1)
            lifted = min(lifted, max(rebound, lift * lift * (3 - 2 * lift)))
        return float(self.raised_rad * lifted)

    def outline(self, x: Plane, y: Plane, time_s: float) -> Plane:
        """Distance to the outline, negative inside."""
        angle = self.angle(time_s)
        along = np.array([self.facing * np.cos(angle), -np.sin(angle)])
        dx, dy = x - self.pivot[0], y - self.pivot[1]
        on = np.clip(dx * along[0] + dy * along[1], 0, self.length)
        stick = np.hypot(dx - on * along[0], dy - on * along[1]) - self.radius / 3
        head = np.hypot(dx - self.length * along[0], dy - self.length * along[1]) - self.radius
        return np.minimum(stick, head)


@dataclass(frozen=True)
class Mover:
    """A disc that swings or passes and never meets anything: motion without sound."""

    centre: tuple[float, float]
    swing: tuple[float, float]
    velocity: tuple[float, float]
    period_s: float
    radius: float
    colour: Colour

    def outline(self, x: Plane, y: Plane, time_s: float) -> Plane:
        """Distance to the outline, negative inside."""
        phase = np.sin(2 * np.pi * time_s / self.period_s)
        at = [
            c + s * phase + v * time_s
            for c, s, v in zip(self.centre, self.swing, self.velocity, strict=True)
        ]
        return np.hypot(x - at[0], y - at[1]) - self.radius


@dataclass(frozen=True)
class Scene:
    """Actors, what sounds when, and the picture around them.

    Attributes
    ----------
    times_s, strengths : (events,) float64
        The truth: seconds, ascending, and values in (0, 1].
    flashes_s : tuple of float
        When a light flares up; it fades within a tenth of a second.
    exposure : float
        Share of the time between frames during which the shutter is open.
    shake, roll_rad : float
        Sway of the camera in picture heights, and its tilt.
    grain, texture : float
        Spread of the noise, and height of each of the background's 12 waves, white being 1.
    """

    duration_s: float
    fps: float
    actors: tuple[Ball | Hammer | Mover, ...]
    times_s: NDArray[np.float64]
    strengths: NDArray[np.float64]
    flashes_s: tuple[float, ...] = ()
    exposure: float = 0.5
    shake: float = 0.0
    roll_rad: float = 0.0
    grain: float = 0.0
    texture: float = 0.0
    sky: Colour = (0.85, 0.85, 0.8)
    floor_y: float = 0.85
    ground: Colour = (0.35, 0.3, 0.25)
    seed: int = 0
    _waves: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Draw the waves of background and camera once."""
        object.__setattr__(self, "_waves", np.random.default_rng(self.seed).uniform(-1, 1, (12, 4)))

    def frames(self, width: int, height: int) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield (time_s, picture); pictures are (height, width, 3) uint8 RGB."""
        rng = np.random.default_rng(self.seed)
        y, x = (np.mgrid[0:height, 0:width].astype(np.float32) + 0.5) / height
        turned = np.exp(1j * self.roll_rad) * (x - ASPECT / 2 + 1j * (y - 0.5))
        x = (turned.real + ASPECT / 2).astype(np.float32)
        y = (turned.imag + 0.5).astype(np.float32)
        still = self._background(x, y)
        for index in range(round(self.duration_s * self.fps)):
            time_s = index / self.fps
            light = self._picture(x, y, time_s, still)
            light += self.grain * rng.standard_normal((height, width, 1), dtype=np.float32)
            yield time_s, (255 * np.clip(light, 0, 1)).round().astype(np.uint8)

    def _picture(self, x: Plane, y: Plane, time_s: float, still: Plane) -> Plane:
        if self.shake:
            rate_hz, phase = 0.3 + np.abs(self._waves[:4, 0]), 3 * self._waves[:4, 1]
            wave = np.sin(2 * np.pi * rate_hz * time_s + phase)
            x = x + np.float32(self.shake * wave[:2].sum())
            y = y + np.float32(self.shake * wave[2:].sum())
            still = self._background(x, y)
        light = still.copy()
        pixels = len(y)  # in a unit of length: an edge is one pixel soft
        parts = (np.arange(_EXPOSURES) + 0.5) / _EXPOSURES - 0.5
        moments_s = time_s + parts * self.exposure / self.fps
        for actor in self.actors:
            inside = [np.clip(0.5 - actor.outline(x, y, t) * pixels, 0, 1) for t in moments_s]
            cover = np.mean(inside, axis=0)[..., None]
            light += cover * (np.array(actor.colour, np.float32) - light)
        for flash_s in self.flashes_s:
            if time_s >= flash_s:
                near = np.exp(-((x - 0.6 * ASPECT) ** 2 + (y - 0.45) ** 2) / 0.03) + 0.15
                light += near[..., None] * np.float32(np.exp(-(time_s - flash_s) / 0.04))
        return light

    def _background(self, x: Plane, y: Plane) -> Plane:
        """(height, width, 3) float32 RGB in about [0, 1]."""
        ground = np.clip((y - self.floor_y) * 60 + 0.5, 0, 1)[..., None]
        light = np.array(self.sky) * (1 - ground) + np.array(self.ground) * ground
        if self.texture:
            waves = self._waves.astype(np.float32)
            grating = sum(np.cos(30 * (a * x + b * y) + 3 * c) for a, b, c, _ in waves)
            light = light + self.texture * np.asarray(grating)[..., None]
        return light.astype(np.float32)


def bouncing_ball(
    *,
    duration_s: float,
    x: float,
    drop_y: float,
    floor_y: float,
    speed_x: float = 0.1,
    gravity: float = 3.0,
    restitution: float = 0.75,
    radius: float = 0.07,
    colour: Colour = (0.8, 0.15, 0.1),
    start_s: float = 0.0,
) -> tuple[Ball, NDArray[np.float64], NDArray[np.float64]]:
    """Let a ball fall on the floor; returns it with the times (s) and strengths of its bounces.

    A bounce from height h lasts ``2 sqrt(2 h / g)``; speed falls by ``restitution`` at each. Once a
    bounce is too low to be seen, the ball lies still.
    """
    ground_y = floor_y - radius
    speed = top_speed = float(np.sqrt(2 * gravity * (ground_y - drop_y)))
    arcs = [(0.0, x, drop_y, 0.0, 0.0, 0.0), (start_s, x, drop_y, speed_x, 0.0, gravity)]
    time, times, strengths = start_s + speed / gravity, [], []
    while time < duration_s and speed > 0.2 * top_speed:
        times.append(time)
        strengths.append(speed / top_speed)
        speed *= restitution
        arcs.append((time, x + speed_x * (time - start_s), ground_y, speed_x, -speed, gravity))
        time += 2 * speed / gravity
    arcs.append((time, x + speed_x * (time - start_s), ground_y, 0.0, 0.0, 0.0))
    table = np.array(arcs)
    ball = Ball(table[:, 0], table[:, 1:3], table[:, 3:5], table[:, 5], radius, colour)
    return ball, np.array(times), np.array(strengths)


def random_scene(seed: int) -> Scene:
    """Draw one or two sounding actors (or none), silent movers, a camera and a background."""
    rng = np.random.default_rng(seed)
    duration_s = rng.uniform(3, 5)
    floor_y = rng.uniform(0.7, 0.95)
    actors: list[Ball | Hammer | Mover] = [_mover(rng) for _ in range(rng.choice([0, 0, 1, 2]))]
    times, strengths = [np.zeros(0)], [np.zeros(0)]
    flashes: tuple[float, ...] = ()
    for kind in rng.choice(
        ["ball", "hammer", "flash", "none"], rng.choice([1, 1, 2]), p=[0.4, 0.4, 0.1, 0.1]
    ):
        if kind == "ball":
            ball, hits_s, loud = bouncing_ball(
                duration_s=duration_s,
                x=rng.uniform(0.15, 0.85) * ASPECT,
                drop_y=rng.uniform(0.05, 0.4),
                floor_y=floor_y,
                speed_x=rng.uniform(-0.15, 0.15),
                gravity=rng.uniform(1.5, 6),
                restitution=rng.uniform(0.6, 0.9),
                radius=rng.uniform(0.03, 0.12),
                colour=_colour(rng),
                start_s=rng.uniform(0, 1),
            )
            actors.append(ball)
        elif kind == "hammer":
            fall_s, lift_s = rng.uniform(0.06, 0.3), rng.uniform(0.08, 0.4)
            gaps_s = fall_s + lift_s + rng.uniform(0, rng.choice([0.05, 0.3, 1.0]), 40)
            hits_s = rng.uniform(0.2, 1.0) + np.cumsum(gaps_s)
            hits_s = hits_s[hits_s < duration_s]
            loud = np.ones(len(hits_s))
            hammer = Hammer(
                hits_s=hits_s,
                pivot=(rng.uniform(0.3, 0.7) * ASPECT, floor_y - rng.uniform(0.05, 0.1)),
                length=rng.uniform(0.15, 0.5),
                raised_rad=rng.uniform(0.3, 1.3),
                fall_s=fall_s,
                lift_s=lift_s,
                facing=int(rng.choice([-1, 1])),
                radius=rng.uniform(0.02, 0.07),
                colour=_colour(rng),
            )
            actors.append(hammer)
        else:
            hits_s = (
                np.sort(rng.uniform(0.3, duration_s, rng.integers(1, 4)))
                if kind == "flash"
                else np.zeros(0)
            )
            loud = np.ones(len(hits_s))
            flashes += tuple(hits_s)
        times.append(hits_s)
        strengths.append(loud)
    order = np.argsort(np.concatenate(times))
    return Scene(
        duration_s=duration_s,
        fps=float(rng.choice([15, 24, 25, 30, 30, 30, 50, 60])),
        actors=tuple(actors),
        times_s=np.concatenate(times)[order],
        strengths=np.concatenate(strengths)[order],
        flashes_s=flashes,
        exposure=rng.uniform(0, 0.8),
        roll_rad=rng.uniform(-0.9, 0.9) * rng.choice([0, 0, 1]),
        shake=float(rng.choice([0, 0, 0, 0.004, 0.015])),
        grain=float(rng.choice([0, 0.004, 0.015])),
        texture=float(rng.choice([0, 0, 0.015, 0.03])),
        sky=_colour(rng),
        floor_y=floor_y,
        ground=_colour(rng),
        seed=seed,
    )


def _mover(rng: np.random.Generator) -> Mover:
    swings = rng.random() < 0.6
    return Mover(
        centre=(rng.uniform(0.1, 0.9) * ASPECT, rng.uniform(0.1, 0.9)),
        swing=(rng.uniform(0, 0.25), rng.uniform(0, 0.2)) if swings else (0.0, 0.0),
        velocity=(0.0, 0.0) if swings else (rng.uniform(-0.3, 0.3), rng.uniform(-0.1, 0.1)),
        period_s=rng.uniform(0.8, 3),
        radius=rng.uniform(0.03, 0.12),
        colour=_colour(rng),
    )


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = rng.uniform(0.05, 0.95, 3)
    return red, green, blue
