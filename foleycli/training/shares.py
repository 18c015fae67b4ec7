"""A process's share of a batch, and networks that see the whole batch all the same.

Networks call :func:`torch.nn.functional.batch_norm` and ``dropout``, themselves or through torch's
layers. In :meth:`Share.whole_batch` those calls, in training, normalise by the statistics of all
processes' rows, and drop what one process would drop of the whole batch: the mask is drawn whole,
from a random state that is the same in all, and each process takes its rows. torch has synchronised
batch norm for GPUs only, and as a layer that takes the place of its own; networks here know nothing
of training. For how a trainer uses this see ``replicas.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from foleycli.training.replicas import add_up, replica, summed


@dataclass(frozen=True)
class Share:
    """What of a batch, or of a micro-batch, is this process's.

    Attributes
    ----------
    sizes : tuple of int
        Rows of every process, in their order.
    rank : int
        This process's number.
    start : int
        Where the micro-batch begins in the whole batch.
    batch : int
        Rows of the whole batch.
    """

    sizes: tuple[int, ...]
    rank: int
    start: int
    batch: int

    @property
    def rows(self) -> slice:
        """Which rows of the whole batch are this process's."""
        first = self.start + sum(self.sizes[: self.rank])
        return slice(first, first + self.sizes[self.rank])

    def weigh(self, loss: Tensor) -> Tensor:
        """Weigh a mean over this process's rows as a part of the whole batch's."""
        own = self.sizes[self.rank]
        return loss if own == self.batch else loss * (own / self.batch)

    def mean(self, scores: dict[str, float]) -> dict[str, float]:
        """Return the share in the whole batch's means that all processes have together.

        Those are the means themselves where the batch is not cut into micro-batches.
        """
        own = self.sizes[self.rank]
        if own == self.batch:
            return scores
        parts = torch.tensor(list(scores.values()), dtype=torch.float64) * (own / self.batch)
        if len(self.sizes) > 1:
            add_up(parts)
        return dict(zip(scores, parts.tolist(), strict=True))

    def widened(self, x: Tensor) -> Tensor:
        """Put this process's rows in their places among all, the others zero."""
        before, after = sum(self.sizes[: self.rank]), sum(self.sizes[self.rank + 1 :])
        return F.pad(x, (*(0, 0) * (x.ndim - 1), before, after)) if before or after else x

    def narrowed(self, x: Tensor) -> Tensor:
        """Undo :meth:`widened`."""
        before = sum(self.sizes[: self.rank])
        return x[before : before + self.sizes[self.rank]] if len(self.sizes) > 1 else x

    def gathered(self, x: Tensor) -> Tensor:
        """Return the rows of all processes, in their order; gradients find their way back."""
        return summed(self.widened(x)) if len(self.sizes) > 1 else x

    def whole_batch(self) -> AbstractContextManager[Any]:
        """Let networks' batch norm and dropout see the batch of all."""
        return _WholeBatch(self.sizes, self.rank) if len(self.sizes) > 1 else nullcontext()


def shares(batch: int, accumulate: int = 1) -> list[Share]:
    """Share out a batch, cut into ``accumulate`` micro-batches, as evenly as can be.

    Raises
    ------
    ValueError
        When a process would be left without rows.
    """
    rank, world = replica()
    if batch < accumulate * world:
        raise ValueError(
            f"a batch of {batch} cannot be shared out to {world} processes in {accumulate} "
            f"micro-batches; take a batch of {accumulate * world} or more, or fewer processes"
        )
    found, start = [], 0
    for size in _evenly(batch, accumulate):
        found.append(Share(_evenly(size, world), rank, start, batch))
        start += size
    return found


def _evenly(whole: int, parts: int) -> tuple[int, ...]:
    return tuple(whole // parts + (part < whole % parts) for part in range(parts))


class _WholeBatch(TorchFunctionMode):
    """Takes torch's batch norm and dropout.

    A network may be given several batches of one sharing on top of each other, such as real and
    generated pictures: of K times its rows a process has K shares.
    """

    def __init__(self, sizes: tuple[int, ...], rank: int) -> None:
        super().__init__()
        self.sizes, self.rank = sizes, rank
        self._ours: dict[Any, Callable[..., Tensor]] = {
            F.batch_norm: self._batch_norm,
            F.dropout: self._dropout,
            F.dropout2d: self._dropout2d,
        }

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Take the calls named above; leave the others, and those in evaluation, as they are."""
        return self._ours.get(func, func)(*args, **(kwargs or {}))

    def _copies(self, x: Tensor) -> int:
        own = self.sizes[self.rank]
        if len(x) % own:
            raise RuntimeError(f"{len(x)} rows in a batch of which this process has {own}")
        return len(x) // own

    def _batch_norm(
        self,
        x: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return F.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
        count = self._copies(x) * sum(self.sizes) * x[0, 0].numel()
        y, mean, var = _Standardised.apply(x, count, eps)
        with torch.no_grad():
            if running_mean is not None and running_var is not None:
                running_mean.lerp_(mean, momentum)
                running_var.lerp_(var * (count / (count - 1)), momentum)
        return y if weight is None or bias is None else y * _wide(weight, x) + _wide(bias, x)

    def _dropout(
        self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if not training:
            return x
        order = torch.contiguous_format
        if x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last):
            order = torch.channels_last  # masks are drawn in the order of memory
        whole = x.new_ones(self._whole(x, x.shape[1:])).contiguous(memory_format=order)
        return x * self._own(F.dropout(whole, p, True))

    def _dropout2d(
        self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
    ) -> Tensor:
        if not training:
            return x
        whole = x.new_ones(self._whole(x, (x.shape[1], 1, 1)))
        return x * self._own(F.dropout2d(whole, p, True))

    def _whole(self, x: Tensor, rest: tuple[int, ...]) -> tuple[int, ...]:
        return (self._copies(x) * sum(self.sizes), *rest)

    def _own(self, mask: Tensor) -> Tensor:
        before = sum(self.sizes[: self.rank])
        copies = mask.unflatten(0, (-1, sum(self.sizes)))
        return copies[:, before : before + self.sizes[self.rank]].flatten(0, 1)


class _Standardised(torch.autograd.Function):
    """(B, C, ...) -> itself with mean 0 and variance 1 a channel, over the rows of all processes.

    The derivative is that of batch norm (Ioffe and Szegedy 2015), its two means taken over all
    processes too: ``dx = (dy - mean(dy) - y mean(dy y)) / sqrt(var + eps)``.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        dims = [0, *range(2, x.ndim)]
        mean = add_up(x.sum(dims)) / count
        centred = x - _wide(mean, x)
        # From the mean of all: the mean of squares less the square of the mean would cancel.
        var = add_up(centred.square().sum(dims)) / count
        rate = (var + eps).rsqrt()
        y = centred * _wide(rate, x)
        ctx.save_for_backward(y, rate)
        ctx.count, ctx.dims = count, dims
        ctx.mark_non_differentiable(mean, var)
        return y, mean, var

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (y, rate), dy = ctx.saved_tensors, gradients[0]
        sums = add_up(torch.cat([dy.sum(ctx.dims), (dy * y).sum(ctx.dims)])) / ctx.count
        mean, slope = sums.chunk(2)
        return (dy - _wide(mean, dy) - y * _wide(slope, dy)) * _wide(rate, dy), None, None


def _wide(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *(1,) * (x.ndim - 2))
