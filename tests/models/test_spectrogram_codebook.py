"""Spectrogram VQGAN: the published layouts and outputs, its quantiser, and folding."""

from __future__ import annotations

import copy
import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from foleycli.models.spectrogram_codebook import (
    MINI_CODEBOOK,
    PAPER_CODEBOOK,
    VAS_CODEBOOK,
    CodebookConfig,
    Quantiser,
    SpectrogramCodebook,
    code_hits,
)

TINY = CodebookConfig(
    codes=11, code_width=6, channels=4, multiples=(1, 2, 4), residual_blocks=1, groups=2
)


def _relative(ours: Tensor, golden: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - golden).max() / np.abs(golden).max())


@pytest.fixture(scope="module")
def published(shared: Path) -> tuple[SpectrogramCodebook, Tensor]:
    """The network of VGGSound under filled weights, and the golden's mel."""
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    with torch.device("meta"):
        network = SpectrogramCodebook(PAPER_CODEBOOK)
    weights = {
        name: torch.from_numpy(fill["fill_tensor"](name, list(tensor.shape)))
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(weights, assign=True)
    name = "specvqgan/codebook_vggsound/encoder"
    coarse = fill["test_input"](f"{name}/coarse", [1, 1, 5, 53]).repeat(16, 2).repeat(16, 3)
    fine = fill["test_input"](name, [1, 1, 80, 848])
    return network.eval(), torch.from_numpy(np.float32(0.7) * coarse + np.float32(0.3) * fine)


@pytest.mark.parametrize(
    ("config", "layout", "count"),
    [
        (PAPER_CODEBOOK, "codebook_vggsound", 72_137_089),
        (VAS_CODEBOOK, "codebook_vas", 71_907_713),
    ],
    ids=["vggsound", "vas"],
)
def test_layout_is_the_published_one(
    shared: Path, config: CodebookConfig, layout: str, count: int
) -> None:
    shapes = json.loads((shared / f"goldens/specvqgan/keys/{layout}.json").read_text())
    wanted = {name: shape for name, shape in shapes.items() if not name.startswith("loss.")}
    with torch.device("meta"):
        network = SpectrogramCodebook(config)
    ours = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    assert ours == wanted
    assert list(ours) == list(wanted)
    assert sum(p.numel() for p in network.parameters()) == count


@pytest.mark.slow
def test_codes_and_quantiser_loss_are_the_references(
    shared: Path, published: tuple[SpectrogramCodebook, Tensor]
) -> None:
    network, mel = published
    golden = np.load(shared / "goldens/specvqgan/codebook_vggsound.npz")
    with torch.inference_mode():
        z = network.quant_conv(network.encoder(mel))
        found = network.quantize(z)
    assert _relative(z.flatten()[golden["z_flat_index"]], golden["z"]) < 1e-4
    assert np.array_equal(found.codes.flatten(1), golden["codes"])
    assert found.loss.item() == pytest.approx(golden["loss"].item(), rel=1e-6)
    shares = np.bincount(golden["codes"][0]) / 265
    entropy = -sum(share * np.log(share) for share in shares if share)
    assert found.perplexity.item() == pytest.approx(np.exp(entropy), rel=1e-4)


@pytest.mark.slow
def test_decoded_mel_is_the_references_before_and_after_folding(
    shared: Path, published: tuple[SpectrogramCodebook, Tensor]
) -> None:
    network, _ = published
    golden = np.load(shared / "goldens/specvqgan/codebook_vggsound.npz")
    codes = torch.from_numpy(golden["decoder_codes"]).long().view(1, 5, 53)
    for decoder in (network, network.fold()):
        with torch.inference_mode():
            mel = decoder.decode_codes(codes)
        assert _relative(mel.flatten()[golden["mel_flat_index"]], golden["mel"]) < 1e-4
        assert _relative(F.avg_pool2d(mel, 4), golden["mel_4x_mean"]) < 1e-4


def test_quantiser_picks_the_nearest_code() -> None:
    torch.manual_seed(0)
    quantiser = Quantiser(TINY)
    z = torch.randn(2, TINY.code_width, 3, 5) / TINY.codes
    found = quantiser(z)
    book = quantiser.embedding.weight.detach()
    distances = (z.movedim(1, -1).unsqueeze(-2) - book).square().sum(-1)  # (2, 3, 5, codes)
    assert torch.equal(found.codes, distances.argmin(-1))
    assert len(found.codes.unique()) > 3
    torch.testing.assert_close(found.vectors, book[found.codes].movedim(-1, 1))


def test_gradient_passes_the_quantiser_as_if_it_were_not_there() -> None:
    torch.manual_seed(0)
    quantiser = Quantiser(TINY)
    z = torch.randn(1, TINY.code_width, 3, 5, requires_grad=True)
    slope = torch.randn_like(z)
    (quantiser(z).vectors * slope).sum().backward()
    assert torch.equal(z.grad, slope)
    assert quantiser.embedding.weight.grad is None


def test_beta_weighs_the_codebooks_term_and_not_the_encoders() -> None:
    torch.manual_seed(0)
    quantiser = Quantiser(TINY)
    z = torch.randn(1, TINY.code_width, 1, 1, requires_grad=True)
    found = quantiser(z)
    found.loss.backward()
    apart = (z - quantiser.look_up(found.codes)).detach()
    torch.testing.assert_close(z.grad, 2 * apart / TINY.code_width)
    moved = quantiser.embedding.weight.grad[found.codes.item()]
    torch.testing.assert_close(moved, -TINY.beta * z.grad.flatten())


def test_perplexity_counts_the_codes_in_even_use() -> None:
    quantiser = Quantiser(TINY)
    even = quantiser.look_up(torch.arange(TINY.codes).repeat(3).view(3, 1, -1))
    assert quantiser(even).perplexity.item() == pytest.approx(TINY.codes, rel=1e-5)
    one = quantiser.look_up(torch.full((2, 3, 4), 5))
    assert quantiser(one).perplexity.item() == pytest.approx(1)
    assert code_hits(quantiser(one).codes, TINY.codes).tolist() == [0] * 5 + [24] + [0] * 5


def test_any_length_is_coded_by_whole_codes() -> None:
    torch.manual_seed(0)
    network = SpectrogramCodebook(TINY).eval()
    with torch.no_grad():
        for frames, columns in ((4, 1), (23, 5), (40, 10)):
            mel, quantised = network(torch.rand(2, 1, 8, frames))
            assert quantised.codes.shape == (2, 2, columns)
            assert mel.shape == (2, 1, 8, 4 * columns)
    with pytest.raises(ValueError, match="a mel of 8 x 3 is smaller than one code; give 4 x 4"):
        network.encode(torch.rand(1, 1, 8, 3))


def test_codes_alone_give_the_same_mel() -> None:
    torch.manual_seed(0)
    network = SpectrogramCodebook(TINY).eval()
    with torch.no_grad():
        mel, quantised = network(torch.rand(1, 1, 8, 12))
        again = network.decode_codes(quantised.codes)
    torch.testing.assert_close(again, mel, rtol=1e-4, atol=1e-5)


def test_folding_changes_only_the_time_it_takes() -> None:
    torch.manual_seed(0)
    network = SpectrogramCodebook(TINY).eval()
    folded = copy.deepcopy(network).fold()
    codes = torch.randint(TINY.codes, (2, 3, 7))
    with torch.inference_mode():
        torch.testing.assert_close(
            folded.decode_codes(codes), network.decode_codes(codes), rtol=1e-4, atol=1e-5
        )
    assert folded.state_dict().keys() == network.state_dict().keys() - {
        f"decoder.up.{level}.upsample.conv.{kind}"
        for level in (1, 2)
        for kind in ("weight", "bias")
    } | {f"decoder.up.{level}.upsample.{kind}" for level in (1, 2) for kind in ("weight", "bias")}


def test_in_place_sums_leave_the_gradient_right() -> None:
    torch.manual_seed(0)
    network = SpectrogramCodebook(TINY).double().eval()
    z = torch.randn(1, TINY.code_width, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network.decode, (z,))
    with torch.no_grad():
        quiet = network.decode(z)
    torch.testing.assert_close(quiet, network.decode(z))


def test_every_parameter_of_the_mini_size_learns() -> None:
    torch.manual_seed(0)
    network = SpectrogramCodebook(MINI_CODEBOOK)
    mel, quantised = network(torch.rand(1, 1, 80, 32) * 2 - 1)
    (F.mse_loss(mel, torch.ones_like(mel)) + quantised.loss).backward()
    idle = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    # Softmax ignores what is added to all scores: the bias of the keys moves nothing.
    assert {name for name in idle if not name.endswith(".k.bias")} == set()


def test_configuration_survives_its_dictionary() -> None:
    config = CodebookConfig.from_dict(json.loads(json.dumps(MINI_CODEBOOK.as_dict())))
    assert config == MINI_CODEBOOK
    assert (PAPER_CODEBOOK.code_rows, PAPER_CODEBOOK.code_columns) == (5, 53)
    assert (config.code_rows, config.code_columns) == (5, 53)
