"""SpecVQGAN's published features: pickles of one NumPy array, read without running anything.

A pickle is a program: it names functions and calls them. The few that build a plain array are
answered here by records of what they were given, and all others are refused, so that no code runs
but this module's.
"""

from __future__ import annotations

import io
import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SUFFIX = ".pkl"
_FLOAT = re.compile(r"f[248]")
_FRAMES, _FLOW = "feature_rgb_", "feature_flow_"  # beginnings of the published folders' names


def read_feature_pickle(path: str | os.PathLike[str]) -> NDArray[np.float32]:
    """Read one file of published features.

    Returns
    -------
    (N, width) float32
        N is 215 for ResNet-50's and 214 to 216 for BN-Inception's.

    Raises
    ------
    ValueError
        When it is not a pickle of one such array, is damaged, or asks for anything else.
    OSError
        When it cannot be read at all.
    """
    content = Path(path).read_bytes()
    try:
        found = _Restricted(io.BytesIO(content), encoding="bytes").load()
        if not isinstance(found, _Array):
            raise ValueError(f"holds {type(found).__name__} where an array is needed")
        values = found.values()
    except Exception as error:  # damaged pickles raise a dozen kinds
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{path}: no pickle of features ({reason})") from None
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"{path}: holds {values.shape}, not finite features (N, width)")
    return values.astype(np.float32)


def flow_beside(path: Path) -> Path:
    """Return where the published layout has the flow that belongs to a file of frames' features.

    Raises
    ------
    ValueError
        When its folder is not named as published.
    """
    folder = path.parent.name
    if not folder.startswith(_FRAMES):
        raise ValueError(
            f"{path}: its flow is looked for in the folder {_FLOW}... beside {_FRAMES}..., and "
            f"this one is {folder!r}; rename both, or leave out --flow"
        )
    return path.parent.with_name(folder.replace(_FRAMES, _FLOW, 1)) / path.name


class _Type:
    """A dtype as a pickle tells it: a letter with a size, then a tuple with the byte order."""

    def __init__(self, code: Any = "", *_: Any) -> None:
        self.code, self.order = code, "|"

    def __setstate__(self, state: Any) -> None:
        _, self.order, *_ = state

    def dtype(self) -> np.dtype[Any]:
        code, order = (v.decode() if isinstance(v, bytes) else v for v in (self.code, self.order))
        if not _FLOAT.fullmatch(code) or order not in ("<", ">", "=", "|"):
            raise ValueError(f"an array of {code!r}, not of floating-point numbers")
        return np.dtype(order.replace("|", "=") + code)


class _Array:
    """An array as a pickle tells it: version, shape, dtype, whether columns come first, bytes."""

    def __init__(self, *_: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def values(self) -> NDArray[np.floating]:
        _, shape, kind, columns_first, content = self.state
        if not isinstance(kind, _Type) or not isinstance(content, bytes):
            raise ValueError("no plain array")
        values = np.frombuffer(content, kind.dtype())
        return values.reshape(shape[::-1]).T if columns_first else values.reshape(shape)


_ANSWERS = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): None,  # named only to be handed to _reconstruct
    ("numpy", "dtype"): _Type,
}


class _Restricted(pickle.Unpickler):
    """Answers the names that arrays are pickled by, of NumPy 1 and 2."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ANSWERS:
            raise ValueError(f"it asks for {module}.{name}")
        return _ANSWERS[module, name]
