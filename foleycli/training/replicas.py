"""Training by several processes at once, started by ``torchrun``: replicas that stay equal.

1 process and N give the same training to rounding. Every random draw of a step is of (seed, step)
and for the whole batch; a replica takes its share of the rows. Its loss is weighed by the share
(:meth:`.Share.weigh`) and the gradients of all are added up (:func:`sum_gradients`), which makes
them those of the whole batch's mean, also where shares are not equal. What looks across a batch
does so across replicas: batch norm and dropout in :meth:`Share.whole_batch`, a contrastive loss
after :meth:`Share.gathered`. Weights, optimisers and what is saved are therefore equal on all, and
know nothing of how many there are: a run may be resumed by another number of processes.

A trainer's step ::

    share = shares(recipe.batch)[0]
    with share.whole_batch():
        loss = F.mse_loss(network(data[share.rows]), wanted[share.rows])
    share.weigh(loss).backward()
    sum_gradients(network.parameters())
    optimizer.step()
    return share.mean({"loss": float(loss.detach())})

accumulates gradients over micro-batches by a loop over ``shares(recipe.batch, accumulate)`` around
all but the last three lines, and by adding up the means; the training is the same, unless
something looks across the micro-batch, as batch norm does.

torch's own wrapper is not used: it wants one forward and one backward of one module, where our
steps freeze a judge, call parts of networks and go backward several times; and it averages over
processes, not over rows. The price is that gradients travel after the backward and not during it.

Without ``torchrun`` nothing of this happens: a share is the whole batch, and there is no group.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

# One may read its data, or write a state, long before the others have.
_PATIENCE = timedelta(hours=2)
_BUCKET = 4_000_000  # values that travel at a time

_store: Any = None  # what the processes of a launch can all read and write


class LostReplicaError(OSError):
    """Another process of the training has gone."""


def launched() -> tuple[int, int]:
    """Return this process's number and how many there are, by ``torchrun``'s environment."""
    rank, world = os.environ.get("RANK", ""), os.environ.get("WORLD_SIZE", "")
    if rank.isdecimal() and world.isdecimal() and int(world) > 1:
        return int(rank), int(world)
    return 0, 1


def replica() -> tuple[int, int]:
    """Return this replica's number and how many have joined; (0, 1) alone."""
    return launched() if _joined() else (0, 1)


def is_first() -> bool:
    """Whether this process writes and speaks for all."""
    return launched()[0] == 0


@contextmanager
def meeting() -> Iterator[None]:
    """Meet the other processes, so that :func:`join` and :func:`speaks` work; alone, do nothing.

    Errors of one process end the others: they lose touch, and ``torchrun`` stops them.
    """
    global _store
    _, world = launched()
    if world == 1:
        yield
        return
    from torch.distributed.rendezvous import rendezvous

    _store, _, _ = next(rendezvous("env://"))
    yield
    # Not after an error: leaving in order would wait for those that are gone.
    if _joined():
        dist.destroy_process_group()
    _store = None


def speaks() -> bool:
    """Whether an error is this process's to tell: true once, in the first that asks."""
    if _store is None:
        return is_first()
    try:
        return _store.add("errors", 1) == 1
    except RuntimeError:  # the store has gone with the process that kept it
        return is_first()


def join(device: str) -> str:
    """Make this process one of the replicas; alone, do nothing.

    Parameters
    ----------
    device
        ``cpu`` or ``cuda``.

    Returns
    -------
    str
        The device of this replica: of GPUs, each takes the one of its number on its machine.

    Raises
    ------
    ValueError
        When there are fewer GPUs than processes, or the device cannot be shared.
    """
    rank, world = launched()
    if world == 1:
        return device
    if _store is None:
        raise RuntimeError("join() is for the inside of meeting()")
    backend = "gloo"
    if device == "cuda":
        local, count = int(os.environ.get("LOCAL_RANK", rank)), torch.cuda.device_count()
        if local >= count:
            raise ValueError(
                f"more processes than GPUs here ({count}); start torchrun with --nproc-per-node "
                f"{count}, or use --device cpu"
            )
        device, backend = f"cuda:{local}", "cpu:gloo,cuda:nccl"
        torch.cuda.set_device(device)
    elif device != "cpu":
        raise ValueError(f"--device {device}: only cpu and cuda take several processes")
    dist.init_process_group(
        backend,
        store=_store,
        rank=rank,
        world_size=world,
        timeout=_PATIENCE,
    )
    return device


def any_replica(wish: bool) -> bool:
    """Whether any replica has the wish."""
    if not _joined():
        return wish
    return bool(add_up(torch.tensor([int(wish)])).item())


def agree(settings: Any, state: Callable[..., Any]) -> None:
    """Begin alike: refuse other settings than the first replica's, and take over its tensors.

    Processors of other makes draw first weights with another rounding.

    Parameters
    ----------
    settings
        Plain values.
    state
        Returns dicts and lists in which there are tensors, which are changed in place.

    Raises
    ------
    ValueError
        In all, when settings differ.
    """
    if not _joined():
        return
    plain = json.dumps(settings, sort_keys=True, default=str)
    own = torch.frombuffer(bytearray(hashlib.sha256(plain.encode()).digest()), dtype=torch.uint8)
    first = own.clone()
    _talk(dist.broadcast, first, src=0)
    if any_replica(not torch.equal(own, first)):
        raise ValueError(
            "the processes differ in data, options or version; give all of them the same"
        )
    for tensor in _tensors(state()):
        sent = tensor.contiguous()
        _talk(dist.broadcast, sent, src=0)
        tensor.copy_(sent)


def sum_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Add up the gradients of all replicas, each of a loss that :meth:`Share.weigh` weighed."""
    if not _joined():
        return
    bucket: list[Tensor] = []
    for gradient in (p.grad for p in parameters if p.grad is not None):
        if bucket and sum(g.numel() for g in bucket) + gradient.numel() > _BUCKET:
            _sum_bucket(bucket)
            bucket = []
        bucket.append(gradient)
    if bucket:
        _sum_bucket(bucket)


def _sum_bucket(gradients: list[Tensor]) -> None:
    flat = torch.cat([g.flatten() for g in gradients])
    add_up(flat)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view(gradient.shape))


def add_up(x: Tensor) -> Tensor:
    """Replace a contiguous tensor by its sum over all replicas; returns it."""
    _talk(dist.all_reduce, x)
    return x


def summed(x: Tensor) -> Tensor:
    """Return a tensor's sum over all replicas; gradients are added up likewise."""
    return _Summed.apply(x)


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return add_up(x.contiguous().clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return add_up(gradient.contiguous().clone())


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()


def _tensors(state: Any) -> Iterator[Tensor]:
    if isinstance(state, Tensor):
        yield state
    elif isinstance(state, dict):
        for value in state.values():
            yield from _tensors(value)
    elif isinstance(state, list | tuple):
        for value in state:
            yield from _tensors(value)


def _talk(collective: Any, tensor: Tensor, **options: Any) -> None:
    try:
        collective(tensor, **options)
    except RuntimeError as error:
        raise LostReplicaError("another process of this training has ended") from error
