"""The patch discriminator: the published layout, output and field of view."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import torch
from torch import nn

from foleycli.models.patch_discriminator import (
    MINI_PATCHES,
    PatchDiscriminator,
    PatchDiscriminatorConfig,
)

PREFIX = "loss.discriminator."


def test_layout_and_scores_are_the_references(shared: Path) -> None:
    fill = runpy.run_path(str(shared / "goldens/fill.py"))
    layout = json.loads((shared / "goldens/specvqgan/keys/codebook_vggsound.json").read_text())
    network = PatchDiscriminator().eval()
    ours = {PREFIX + name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    wanted = {name: shape for name, shape in layout.items() if name.startswith(PREFIX)}
    assert ours == wanted
    assert list(ours) == list(wanted)
    assert sum(p.numel() for p in network.parameters()) == 2_763_585
    network.load_state_dict(
        {
            name.removeprefix(PREFIX): torch.from_numpy(
                np.asarray(fill["fill_tensor"](name, shape))
            )
            for name, shape in wanted.items()
        }
    )
    name = "specvqgan/codebook_vggsound/discriminator"
    coarse = fill["test_input"](f"{name}/coarse", [1, 1, 5, 53]).repeat(16, 2).repeat(16, 3)
    fine = fill["test_input"](name, [1, 1, 80, 848])
    with torch.inference_mode():
        score = network(torch.from_numpy(np.float32(0.7) * coarse + np.float32(0.3) * fine))
    golden = np.load(shared / "goldens/specvqgan/codebook_vggsound.npz")["score"]
    assert score.shape == (1, 1, 8, 104)
    assert np.abs(score.numpy() - golden).max() / np.abs(golden).max() < 1e-4


def test_a_logit_sees_70_by_70_values() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(MINI_PATCHES).eval()
    mel = torch.zeros(1, 1, 160, 160, requires_grad=True)
    network(mel)[0, 0, 9, 9].backward()
    rows, columns = mel.grad[0, 0].nonzero(as_tuple=True)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (70, 70)


def test_weights_start_as_pix2pix_starts_them() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    wide = convolutions[3].weight
    assert abs(wide.std().item() - 0.02) < 1e-3
    assert abs(norms[2].weight.mean().item() - 1) < 5e-3
    assert abs(norms[2].weight.std().item() - 0.02) < 3e-3


def test_widths_stop_at_eight_times_the_first() -> None:
    network = PatchDiscriminator(PatchDiscriminatorConfig(channels=2, halvings=5))
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [2, 4, 8, 16, 16, 16, 1]
