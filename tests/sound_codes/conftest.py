"""SpecVQGAN's networks at the smallest size, untrained, alive enough to tell inputs apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from foleycli.checkpoints import save_checkpoint
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN
from foleycli.files.provenance import file_sha256
from foleycli.models.code_transformer import CodeTransformer, CodeTransformerConfig
from foleycli.models.melgan import MelganConfig, MelganGenerator
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook

# Windows of 8 columns, so that a second or two is long.
CODEBOOK = CodebookConfig(
    codes=16,
    code_width=4,
    channels=4,
    multiples=(1, 1, 1, 1, 1),
    residual_blocks=1,
    groups=2,
    frames=128,
)
MELGAN = MelganConfig(channels=2, ratios=(8, 8, 2, 2), residual_blocks=3)
SAMPLER = CodeTransformerConfig(
    codes=16, columns=8, features=3, feature_depth=6, classes=2, layers=1, heads=2, width=16
)


@pytest.fixture(scope="session")
def codebook() -> SpectrogramCodebook:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SpectrogramCodebook(CODEBOOK)
        with torch.no_grad():
            seen = network.quant_conv(network.encoder(2 * torch.rand(1, 1, 80, 128) - 1))
            vectors = seen[0].flatten(1).T[torch.randperm(40)[: CODEBOOK.codes]]
            network.quantize.embedding.weight.copy_(vectors)  # so that all codes are used
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def melgan() -> MelganGenerator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = MelganGenerator(MELGAN)
        for name, parameter in network.named_parameters():
            if name.endswith("weight_g"):
                torch.nn.init.constant_(parameter, 1.0)
    return network.eval().requires_grad_(False)


def lively(config: CodeTransformerConfig) -> CodeTransformer:
    """A sampler whose draws depend on all it sees."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        network = CodeTransformer(config)
        for parameter in network.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def make_sampler() -> Callable[[CodeTransformerConfig], CodeTransformer]:
    return lively


@pytest.fixture
def parts(tmp_path: Path, codebook: SpectrogramCodebook, melgan: MelganGenerator) -> Path:
    """A folder of our own checkpoints: codebook, vocoder, sampler."""
    front = {"front_end": SPECVQGAN.as_dict()}
    save_checkpoint(
        tmp_path / "codebook.safetensors",
        kind="codebook",
        config={"network": CODEBOOK.as_dict(), **front},
        tensors={f"codebook.{n}": t for n, t in codebook.state_dict().items()},
    )
    save_checkpoint(
        tmp_path / "vocoder.safetensors",
        kind="vocoder",
        config={"network": MELGAN.as_dict(), **front},
        tensors={f"generator.{n}": t for n, t in melgan.state_dict().items()},
    )
    save_checkpoint(
        tmp_path / "sampler.safetensors",
        kind="sampler",
        config={
            "network": SAMPLER.as_dict(),
            "classes": [],
            "features": {"backbone": "resnet50", "count": 3, "width": 6},
            "codebook_sha256": file_sha256(tmp_path / "codebook.safetensors"),
        },
        tensors={f"sampler.{n}": t for n, t in lively(SAMPLER).state_dict().items()},
    )
    return tmp_path
