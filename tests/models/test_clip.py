"""CLIP: the published layout, and the outputs of transformers 5.23 on a small configuration."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from foleycli.models.clip import VIT_B_16, VIT_B_32, VIT_L_14, Clip, ClipConfig, TowerConfig

# CLIPModel(CLIPConfig(...)) with the sizes of _small(), _filled() weights and _inputs().
IMAGE_FEATURES = {
    "quick_gelu": [
        [-0.8375681, 0.1758088, 1.1041198, 1.4981966, 1.1673629, 0.2716945],
        [-0.9274865, 0.3448423, 1.4503176, 1.8540487, 1.3606886, 0.2089521],
    ],
    "gelu": [
        [-0.8343970, 0.1750564, 1.0998080, 1.4924114, 1.1629037, 0.2707190],
        [-0.9278650, 0.3432167, 1.4482312, 1.8525114, 1.3604440, 0.2101187],
    ],
}
TEXT_FEATURES = {
    "quick_gelu": [
        [0.8638209, 0.8581631, -1.1351610, -0.4992400, 1.2930142, 0.0904056],
        [0.7401336, -0.6004599, -0.5502759, 0.7744501, 0.3054049, -0.8710150],
    ],
    "gelu": [
        [0.8574070, 0.8577072, -1.1286030, -0.5008577, 1.2869678, 0.0939351],
        [0.7366446, -0.5946270, -0.5486312, 0.7680971, 0.3057688, -0.8647772],
    ],
}
LOGITS = {
    "quick_gelu": [[-0.2021116, -0.0136597], [-0.2065288, -0.0046842]],
    "gelu": [[-0.2021909, -0.0141798], [-0.2066044, -0.0053096]],
}


def _small(activation: str = "quick_gelu") -> ClipConfig:
    values = {
        "model_type": "clip",
        "projection_dim": 6,
        "text_config": {
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 7,
            "vocab_size": 20,
            "hidden_act": activation,
        },
        "vision_config": {
            "hidden_size": 12,
            "intermediate_size": 20,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": 24,
            "patch_size": 8,
            "hidden_act": activation,
        },
    }
    return ClipConfig.from_published(values)


def _filled(network: Clip) -> dict[str, Tensor]:
    """Waves of another pitch and phase for each name in alphabetical order."""
    state, filled = network.state_dict(), {}
    for i, name in enumerate(sorted(state)):
        shape = state[name].shape
        steps = torch.arange(math.prod(shape), dtype=torch.float64)
        wave = torch.sin(steps * (0.7 + 0.01 * i) + i).reshape(shape)
        if len(shape) > 1:
            wave /= math.sqrt(math.prod(shape[1:]))
        else:
            gain = name.endswith(("norm.weight", "norm1.weight", "norm2.weight"))
            wave = 0.1 * wave + gain
        filled[name] = wave.float()
    return filled


def _network(activation: str = "quick_gelu") -> Clip:
    network = Clip(_small(activation)).eval()
    network.load_state_dict(_filled(network))
    return network


def _inputs() -> tuple[Tensor, Tensor]:
    steps = torch.arange(2 * 3 * 24 * 24, dtype=torch.float64)
    images = torch.sin(steps * steps * 1e-3).reshape(2, 3, 24, 24).float()
    return images, torch.tensor([[18, 3, 7, 19, 0, 0, 0], [18, 5, 19, 2, 11, 1, 4]])


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_outputs_are_those_of_transformers(activation: str):
    network, (images, tokens) = _network(activation), _inputs()
    with torch.inference_mode():
        pictures, texts = network.image_features(images), network.text_features(tokens)
        logits = network(images, tokens)
    for found, expected in (
        (pictures, IMAGE_FEATURES[activation]),
        (texts, TEXT_FEATURES[activation]),
        (logits, LOGITS[activation]),
    ):
        torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("config", "parameters"),
    [(VIT_B_32, 151_277_313), (VIT_B_16, 149_620_737), (VIT_L_14, 427_616_513)],
    ids=["B/32", "B/16", "L/14"],
)
def test_published_sizes_have_the_published_number_of_parameters(
    config: ClipConfig, parameters: int
):
    with torch.device("meta"):
        network = Clip(config)
    assert sum(p.numel() for p in network.parameters()) == parameters
    assert len(network.state_dict()) == (398 if config is not VIT_L_14 else 590)


def test_names_are_the_published_ones():
    with torch.device("meta"):
        state = Clip().state_dict()
    shapes = {
        "logit_scale": (),
        "text_model.embeddings.token_embedding.weight": (49408, 512),
        "text_model.embeddings.position_embedding.weight": (77, 512),
        "text_model.encoder.layers.11.self_attn.out_proj.bias": (512,),
        "text_model.encoder.layers.0.mlp.fc1.weight": (2048, 512),
        "text_model.final_layer_norm.weight": (512,),
        "text_projection.weight": (512, 512),
        "vision_model.embeddings.class_embedding": (768,),
        "vision_model.embeddings.patch_embedding.weight": (768, 3, 32, 32),
        "vision_model.embeddings.position_embedding.weight": (50, 768),
        "vision_model.pre_layrnorm.weight": (768,),
        "vision_model.encoder.layers.11.layer_norm2.bias": (768,),
        "vision_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
        "vision_model.post_layernorm.bias": (768,),
        "visual_projection.weight": (512, 768),
    }
    assert {name: tuple(state[name].shape) for name in shapes} == shapes


def test_what_follows_the_end_token_does_not_matter():
    network = _network()
    with torch.inference_mode():
        short = network.text_features(torch.tensor([[18, 3, 7, 19]]))
        long = network.text_features(torch.tensor([[18, 3, 7, 19, 5, 12, 2]]))
        other = network.text_features(torch.tensor([[18, 7, 3, 19]]))
    torch.testing.assert_close(short, long, rtol=0, atol=1e-6)
    assert (short - other).abs().max() > 1e-2


def test_an_older_spelling_of_the_config_prevails():
    values = {
        "model_type": "clip",
        "projection_dim": 768,
        "text_config": {},
        "text_config_dict": {
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_attention_heads": 12,
        },
        "vision_config_dict": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "patch_size": 14,
        },
    }
    assert ClipConfig.from_published(values) == VIT_L_14
    assert ClipConfig.from_published({"model_type": "clip", "text_config_dict": None}) == VIT_B_32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "siglip"}, "'siglip' model, not of a 'clip'"),
        ({"model_type": "clip", "text_config": {"layer_norm_eps": 1e-6}}, "layer_norm_eps 1e-06"),
        ({"model_type": "clip", "vision_config": {"hidden_act": "relu"}}, "activation 'relu'"),
    ],
)
def test_other_models_are_refused(values: dict, message: str):
    with pytest.raises(ValueError, match=message):
        ClipConfig.from_published(values)


def test_unfit_inputs_are_refused():
    network = _network()
    with pytest.raises(ValueError, match="need pictures of 3 x 24 x 24"):
        network.image_features(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="8 tokens, where 7 is the most"):
        network.text_features(torch.zeros(1, 8, dtype=torch.int64))
    with pytest.raises(ValueError, match="5 heads do not share a width of 16"):
        TowerConfig(16, 24, 2, 5)
