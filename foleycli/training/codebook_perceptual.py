"""LPAPS with the ears of a classifier from a file."""

from __future__ import annotations

import os
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from foleycli.checkpoints import load_checkpoint
from foleycli.models.lpaps import Lpaps, LpapsConfig
from foleycli.models.sound_classifier import config_among
from foleycli.models.vggishish import Vggishish, VggishishConfig

KIND = "vggishish"

Rows = tuple[NDArray[np.floating], NDArray[np.floating]]


def load_lpaps(
    path: str | os.PathLike[str], weights: Literal["none", "uniform"], rows: Rows
) -> tuple[Lpaps, bool]:
    """Build LPAPS on a trained VGGish-ish, whole, or not at all.

    Parameters
    ----------
    path
        A checkpoint of kind ``vggishish``: trained here, or imported.
    weights
        Of the channels; see :class:`LpapsConfig`.
    rows
        Means and deviations of the mels' rows, (80,) each, in [0, 1], for a file without any:
        imported ones have none.

    Returns
    -------
    Lpaps
    bool
        Whether the file had means and deviations.

    Raises
    ------
    ValueError
        When it is another file, or its tensors are not its network's.
    """
    checkpoint = load_checkpoint(path, KIND)
    config = cast("VggishishConfig", config_among(KIND, checkpoint.config))
    with torch.device("meta"):  # its classifier, of 0.5 GB, is not wanted
        network = Vggishish(config)
    try:
        network.load_state_dict(checkpoint.tensors, assign=True)
    except RuntimeError as error:
        cause = str(error).splitlines()[-1].strip()
        raise ValueError(f"{path}: tensors do not fit the network ({cause})") from None
    lpaps = Lpaps(LpapsConfig(config, weights))
    lpaps.load_vggishish(network)
    given = checkpoint.config.get("rows")
    means, deviations = (given["mean"], given["std"]) if given else (r.tolist() for r in rows)
    lpaps.scaling_layer.set_statistics(means, deviations)
    return lpaps.eval(), given is not None
