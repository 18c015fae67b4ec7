"""Systems of several networks, each in a file of its own or one part of a file.

A part is what a network is built of. What does not fit is told in one line that names the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

_Built = TypeVar("_Built")
_Network = TypeVar("_Network", bound=nn.Module)


@dataclass(frozen=True)
class ModelPart:
    """One network's configuration and tensors, the file they came from, what else that says."""

    config: Mapping[str, Any]
    tensors: dict[str, Tensor]
    path: Path
    about: Mapping[str, Any] = field(default_factory=dict)

    def built(self, name: str, build: Callable[[ModelPart], _Built]) -> _Built:
        """Build the network of this part, called ``name``; raises ValueError where it does not fit.

        A stranger's file may lack what ``build`` reads, or hold it in other shapes.
        """
        try:
            return build(self)
        except (RuntimeError, KeyError, TypeError, AttributeError, ValueError) as error:
            reason = (str(error).splitlines() or [""])[-1].strip()
            raise ValueError(
                f"{self.path}: its {name} does not fit the network ({reason})"
            ) from None


def put_in(parts: dict[str, ModelPart], name: str, part: ModelPart) -> None:
    """Add a part; raises ValueError where there is one of that name."""
    if name in parts:
        raise ValueError(f"{part.path}: has a second {name}, after {parts[name].path}'s")
    parts[name] = part


def filled(build: Callable[[], _Network], tensors: Mapping[str, Tensor]) -> _Network:
    """Build a network without drawing weights that would be thrown away; strictly these.

    Tensors are copied: those of a file lie at addresses that follow from its layout, and the
    last digits of a convolution depend on them.
    """
    with torch.device("meta"):
        network = build()
    network.to_empty(device="cpu")
    network.load_state_dict(tensors)
    return network.eval()
