"""What a clip shows, and when it acts: FoleyGAN Algorithm 1, lines 1 to 3.

A multi-scale temporal relation network (MTRN) gives class probabilities, a 2-frame one (2TRN) the
action series P_act. Besides the classes the networks have one output for everything else, so that
footage of other things need not be called by a wrong name; and an answer is only called sure above
a probability that was chosen on pictures kept out of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foleycli.dsp.action import ActionSeries
from foleycli.models.resnet import ResNet, ResNetConfig
from foleycli.models.trn import RelationConfig, TemporalRelations, segment_centres
from foleycli.vision.backbone import BackboneConfig, FrameEncoder

ActionKind = Literal["probability", "margin"]


@dataclass(frozen=True)
class RecognitionConfig:
    """Everything about a trained recogniser but its weights.

    Attributes
    ----------
    classes
        Names of the outputs in order; the networks may have one more output, "anything else".
    backbone, mtrn, trn2
        Sizes of the three networks; ``trn2.frames`` is 2, or 3 or 4 for the wider action series.
    temperature
        Divides MTRN's logits, and ``action_temperature`` 2TRN's, so that probabilities are what
        they claim on held-out pictures.
    sure_above
        Probability from which an answer is called sure.
    """

    classes: tuple[str, ...]
    backbone: BackboneConfig
    mtrn: RelationConfig
    trn2: RelationConfig
    temperature: float = 1.0
    action_temperature: float = 1.0
    sure_above: float = 0.5

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as a checkpoint keeps them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RecognitionConfig:
        """Undo :meth:`as_dict`, also after a journey through JSON."""
        backbone = dict(values["backbone"])
        network = dict(backbone["network"])
        network["blocks"] = tuple(network["blocks"])
        backbone["network"] = ResNetConfig(**network)
        relations = {
            name: RelationConfig(**{**values[name], "scales": tuple(values[name]["scales"])})
            for name in ("mtrn", "trn2")
        }
        plain = {"classes": tuple(values["classes"]), "backbone": BackboneConfig(**backbone)}
        return cls(**{**values, **plain, **relations})


@dataclass(frozen=True)
class Recognition:
    """The likeliest class, its probability, whether to believe it, and all classes ranked.

    Probabilities of ``ranked`` add up to less than 1; the rest is for things that are none of the
    classes.
    """

    label: str
    probability: float
    sure: bool
    ranked: tuple[tuple[str, float], ...]


class Recogniser:
    """Class probabilities and action series from frame features.

    Parameters
    ----------
    config, tensors
        Of a checkpoint of kind ``recognition``: parts ``backbone``, ``mtrn`` and ``trn2``.
    """

    def __init__(self, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        self.config = RecognitionConfig.from_dict(config)
        self.backbone = ResNet(self.config.backbone.network).eval()
        self.mtrn = TemporalRelations(self.config.mtrn).eval()
        self.trn2 = TemporalRelations(self.config.trn2).eval()
        for name in ("backbone", "mtrn", "trn2"):
            start = f"{name}."
            state = {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}
            getattr(self, name).load_state_dict(state)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that can be recognised."""
        return self.config.classes

    @property
    def fps(self) -> float:
        """Frames a second that :meth:`encoder` wants."""
        return self.config.backbone.fps

    def encoder(self) -> FrameEncoder:
        """Something to push frames into; ``finish()`` gives the features for the methods below."""
        return FrameEncoder(self.backbone, self.config.backbone)

    def classify(self, features: NDArray[np.float32]) -> dict[str, float]:
        """Calibrated probability of each class, in the order of ``classes``.

        Parameters
        ----------
        features : (N, D) float32
            Of a clip's frames in order; the centres of MTRN's equal segments are looked at.

        Raises
        ------
        ValueError
            When there are no frames, or the features are of another backbone.
        """
        frames = self._checked(features)
        centres = segment_centres(len(frames), self.config.mtrn.frames)
        with torch.inference_mode():
            logits = self.mtrn(frames[None, centres])[0]
        chances = torch.softmax(logits / self.config.temperature, 0)
        return dict(zip(self.classes, chances.tolist(), strict=False))

    def recognise(self, features: NDArray[np.float32]) -> Recognition:
        """Name what a clip shows, and whether to trust it; takes what :meth:`classify` takes."""
        ranked = sorted(self.classify(features).items(), key=lambda item: -item[1])
        label, probability = ranked[0]
        return Recognition(label, probability, probability >= self.config.sure_above, tuple(ranked))

    def action_series(
        self, features: NDArray[np.float32], label: str, kind: ActionKind = "probability"
    ) -> ActionSeries:
        """How much each moment looks like the class's action.

        Parameters
        ----------
        features : (N, D) float32
            Of a clip's frames at ``fps``, in order.
        label : str
            The class whose action is followed.
        kind : {"probability", "margin"}
            P_act(t) = softmax(r_t / T)[label] as in the paper; or, because that saturates where the
            class is plain to see, the logistic of the z-scored margin between the class's score and
            the rest.

        Returns
        -------
        ActionSeries
            N values. The score of a run of W frames stands for its middle, half a frame off the
            grid for even W, and is interpolated back onto the frames' times; the ends are held.

        Raises
        ------
        ValueError
            When the class is none of ``classes``, or the features are of another backbone.
        """
        if label not in self.classes:
            raise ValueError(f"class {label!r} is none of: {', '.join(self.classes)}")
        frames = self._checked(features)
        width = self.config.trn2.frames
        padded = torch.cat([frames, frames[-1:].expand(max(0, width - len(frames)), -1)])
        with torch.inference_mode():
            scores = self.trn2.slide(padded) / self.config.action_temperature
        series = _follow(scores, self.classes.index(label), kind)
        middles = np.arange(len(series)) + (width - 1) / 2
        values = np.interp(np.arange(len(frames)), middles, series)
        return ActionSeries(values.astype(np.float32), self.fps)

    def _checked(self, features: NDArray[np.float32]) -> Tensor:
        wanted = self.config.mtrn.features
        if features.ndim != 2 or features.shape[1] != wanted or not len(features):
            raise ValueError(
                f"features have shape {features.shape} where (frames >= 1, {wanted}) is needed; "
                "extract them with this recogniser's own backbone"
            )
        return torch.from_numpy(np.ascontiguousarray(features, np.float32))


def _follow(scores: Tensor, index: int, kind: ActionKind) -> NDArray[np.float32]:
    """Turn relation scores r_t (N, C) into one value in [0, 1] each."""
    if kind == "probability":
        return torch.softmax(scores, 1)[:, index].numpy()
    others = torch.cat([scores[:, :index], scores[:, index + 1 :]], 1)
    margin = scores[:, index] - torch.logsumexp(others, 1)
    spread = margin.std(correction=0).clamp_min(1e-3)  # a still picture has no action to enlarge
    return torch.sigmoid((margin - margin.mean()) / spread).numpy()
