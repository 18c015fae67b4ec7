"""Trains SpecVQGAN's codebook (Iashin and Rahtu 2021, 3.1) on the mels of any sounds.

An update takes encoder, codebook and decoder down the gradient of ``codebook_losses.py``, and from
``starts_at`` on the discriminator down its own, both Adams of the same constant rate.

The best codebook is the one of least mean |x - x'| + LPAPS on sounds held out. A discriminator
costs some of that and makes what is drawn look real (the paper's ablation: a Frechet distance of
1.0 with it and 130 without), so that validations before it is heard count only until there is a
later one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from foleycli.dsp.front_ends.table import front_end
from foleycli.models.lpaps import Lpaps
from foleycli.models.patch_discriminator import PatchDiscriminator
from foleycli.models.spectrogram_codebook import SpectrogramCodebook, code_hits
from foleycli.training.codebook_losses import (
    GeneratorLoss,
    codebook_discriminator_loss,
    codebook_generator_loss,
)
from foleycli.training.codebook_recipe import CodebookRecipe
from foleycli.training.mel_data import Mel, cut, window_batch
from foleycli.training.replicas import sum_gradients
from foleycli.training.shares import Share, shares
from foleycli.training.stages import named_tensors
from foleycli.training.validated import ValidatedTrainer, over_all, own

_BETAS = (0.5, 0.9)
_REVIVAL = 2  # what random numbers are for; mel_data.py has 0 and 1
_NEARBY = 0.01  # of the vectors' spread: how far from a vector a code is put


class CodebookTrainer(ValidatedTrainer):
    """Codebook, discriminator, and the step that updates them."""

    kind = "codebook"
    kept = ("network", "judge", "optimizer", "judge_optimizer", "use")

    def __init__(
        self,
        recipe: CodebookRecipe,
        mels: Sequence[Mel],
        held_out: Sequence[Mel],
        seed: int,
        device: str = "cpu",
        lpaps: Lpaps | None = None,
    ) -> None:
        """Build the networks; ``lpaps`` is needed where the recipe says so.

        Raises
        ------
        ValueError
            When there is no sound.
        """
        super().__init__(recipe, seed)
        if not mels:
            raise ValueError("no sounds to train on")
        if (lpaps is None) != (recipe.lpaps == "off"):
            raise ValueError(f"lpaps={recipe.lpaps!r}; give a network if and only if it is not off")
        self.recipe: CodebookRecipe = recipe
        self.mels, self.held_out, self.device = mels, held_out, device
        self.judged_from = recipe.loss.starts_at
        self._shares = shares(recipe.batch, recipe.accumulate)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = _placed(SpectrogramCodebook(recipe.network), device)
            self.judge = _placed(PatchDiscriminator(recipe.patches), device)
        self.lpaps = None if lpaps is None else _placed(lpaps, device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), recipe.rate, _BETAS)
        self.judge_optimizer = torch.optim.Adam(self.judge.parameters(), recipe.rate, _BETAS)
        self.use = CodeUse(recipe.network.codes)

    def update(self, step: int) -> dict[str, float]:
        """Do one update; returns the losses' terms, of mels in [-1, 1], and the perplexity."""
        self._revive(step)
        heard = self.recipe.loss.adversarial_at(step)
        self.optimizer.zero_grad(set_to_none=True)
        self.judge_optimizer.zero_grad(set_to_none=True)
        scores: dict[str, float] = {}
        hits = torch.zeros(self.recipe.network.codes, dtype=torch.float64)
        for share in self._shares:
            mel = self._windows(step, share.rows)
            terms, drawn, codes = self._draw(mel, share, heard)
            share.weigh(terms.total).backward()
            found = _logged(terms, self.lpaps is not None, heard)
            if heard:
                with share.whole_batch():
                    loss = codebook_discriminator_loss(self.judge(mel), self.judge(drawn.detach()))
                share.weigh(loss).backward()
                found |= {"discriminator": float(loss.detach())}
            hits += code_hits(codes, len(hits)).cpu()
            for name, value in share.mean(found).items():
                scores[name] = scores.get(name, 0.0) + value
        self._step(self.network, self.optimizer)
        if heard:
            self._step(self.judge, self.judge_optimizer)
        over_all(hits)  # in place
        self.use.hits += hits
        return scores | {"perplexity": perplexity(hits)}

    def _draw(self, mel: Tensor, share: Share, heard: bool) -> tuple[GeneratorLoss, Tensor, Tensor]:
        """Return the loss, what was drawn, and its codes."""
        self.judge.requires_grad_(False)
        with share.whole_batch():
            drawn, quantised = self.network(mel)
            terms = codebook_generator_loss(
                self.recipe.loss,
                mel,
                drawn,
                quantised.loss,
                perceptual=None if self.lpaps is None else self.lpaps(mel, drawn),
                logits=self.judge(drawn) if heard else None,
                last_layer=self.network.last_layer,
            )
        self.judge.requires_grad_(True)
        return terms, drawn, quantised.codes

    def _step(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        sum_gradients(network.parameters())
        optimizer.step()

    @torch.no_grad()
    def _revive(self, step: int) -> None:
        """Put codes that were not used of late beside vectors of the encoder, of the whole batch.

        At first that is all of them. Every process encodes some of the batch and all draw alike.
        """
        recipe, every = self.recipe, self.recipe.revive_every
        if not every or step % every or step > recipe.loss.starts_at:
            return
        idle = torch.nonzero(self.use.hits == 0)[:, 0]
        self.use.hits.zero_()
        size, factor = recipe.network, recipe.network.factor
        grid = (size.mels // factor, recipe.sight.frames // factor)
        vectors = torch.zeros(recipe.batch, size.code_width, *grid)
        mels = self._windows(step, slice(None))
        for number in own(recipe.batch):  # one by one, to take little memory
            encoded = self.network.encoder(mels[number : number + 1])
            vectors[number] = self.network.quant_conv(encoded)[0]
        rows = over_all(vectors).movedim(1, -1).flatten(0, 2)
        rng = np.random.default_rng([self.seed, step, _REVIVAL])
        chosen = rows[torch.from_numpy(rng.integers(len(rows), size=len(idle)))]
        noise = torch.from_numpy(rng.standard_normal(chosen.shape)).float()
        book = self.network.quantize.embedding.weight
        book[idle.to(book.device)] = (chosen + _NEARBY * rows.std(0) * noise).to(book.device)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Draw the held-out sounds, a window of each.

        Returns
        -------
        dict
            ``mel_l1`` of mels in [0, 1], of which 0.01 is 1 dB; ``lpaps`` where it is listened to;
            ``perplexity`` of the codes, and ``zero_hit_codes``, how many are never used.
        """
        if not self.held_out:
            return {}
        self.network.eval()
        sums = torch.zeros(2, dtype=torch.float64)
        hits = torch.zeros(self.recipe.network.codes, dtype=torch.float64)
        for number in own(len(self.held_out)):
            mel = self._tensor(cut(self.held_out[number], self.recipe.sight)[None])
            drawn, quantised = self.network(mel)
            heard = 0.0 if self.lpaps is None else float(self.lpaps(mel, drawn))
            sums += torch.tensor([float((mel - drawn).abs().mean()) / 2, heard])
            hits += code_hits(quantised.codes, len(hits)).cpu()
        self.network.train()
        distance, heard = (over_all(sums) / len(self.held_out)).tolist()
        over_all(hits)
        return {
            "mel_l1": distance,
            **({} if self.lpaps is None else {"lpaps": heard}),
            "perplexity": perplexity(hits),
            "zero_hit_codes": int((hits == 0).sum()),
        }

    def cost(self, scores: Mapping[str, float]) -> float:
        """Return the reconstruction's part of the loss; see :meth:`ValidatedTrainer.cost`."""
        return 2 * scores["mel_l1"] + self.recipe.loss.perceptual * scores.get("lpaps", 0.0)

    def model_config(self) -> dict[str, Any]:
        """See :meth:`ValidatedTrainer.model_config`."""
        front = front_end("specvqgan").as_dict()
        return {"network": self.recipe.network.as_dict(), "front_end": front}

    def model_tensors(self) -> dict[str, Tensor]:
        """See :meth:`ValidatedTrainer.model_tensors`."""
        return named_tensors("codebook", self.network)

    def _windows(self, step: int, rows: slice) -> Tensor:
        recipe = self.recipe
        return self._tensor(
            window_batch(self.mels, recipe.sight, self.seed, step, recipe.batch, rows)
        )

    def _tensor(self, mels: NDArray[np.float32]) -> Tensor:
        """(B, 80, T) in [0, 1] -> (B, 1, 80, T) in [-1, 1]."""
        return 2 * torch.from_numpy(mels)[:, None].to(self.device) - 1


class CodeUse(nn.Module):
    """How often each code was used since it was last asked: ``hits`` (codes,) float64."""

    hits: Tensor

    def __init__(self, codes: int) -> None:
        super().__init__()
        self.register_buffer("hits", torch.zeros(codes, dtype=torch.float64))


def perplexity(hits: Tensor) -> float:
    """Exponential of the entropy of codes' shares; hits (codes,)."""
    return float(torch.special.entr(hits / hits.sum()).sum().exp())


def _logged(terms: GeneratorLoss, perceptual: bool, heard: bool) -> dict[str, float]:
    told = {"reconstruction": terms.reconstruction, "quantiser": terms.quantiser}
    if perceptual:
        told["lpaps"] = terms.perceptual
    if heard:
        told["adversarial"] = terms.adversarial
    return {name: float(value.detach()) for name, value in told.items()}


def _placed(network: Any, device: str) -> Any:
    return network.to(device=device, memory_format=torch.channels_last)
