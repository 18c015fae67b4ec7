"""SpecVQGAN's published files: layouts, archives of runs, settings; nothing in them is run."""

from __future__ import annotations

import io
import json
import pickle
import sys
import tarfile
import types
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foleycli.checkpoints import load_checkpoint
from foleycli.models.bn_inception import BNInception, BNInceptionConfig
from foleycli.models.code_order import column_major
from foleycli.models.code_transformer import CodeTransformer, CodeTransformerConfig
from foleycli.models.melgan import (
    MelganConfig,
    MelganDiscriminator,
    MelganDiscriminatorConfig,
    MelganGenerator,
)
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook
from foleycli.published.importing import import_checkpoint, load_published, recognise
from foleycli.published.run_settings import merged, read_settings
from foleycli.published.sources import published_source
from foleycli.published.summary import summarise
from foleycli.published.weights import published_weights

CODEBOOK = CodebookConfig(
    codes=16, code_width=32, channels=32, multiples=(1, 1, 1, 1, 1), residual_blocks=1
)
SAMPLER = CodeTransformerConfig(
    codes=16, features=5, feature_depth=6, classes=0, layers=2, heads=1, width=64
)
FULL = {
    **{f"codebook_{data}": "specvqgan-codebook" for data in ("vggsound", "vas")},
    **{
        f"transformer_{data}_{count}feats": "specvqgan-sampler"
        for data in ("vggsound", "vas")
        for count in (1, 5, 212)
    },
    **{
        f"gpt{condition}_{data}": "specvqgan-sampler"
        for condition in ("class", "featsclass")
        for data in ("vggsound", "vas")
    },
}
PROJECT = """\
model:
  base_learning_rate: 5e-6
  target: specvqgan.models.cond_transformer.Net2NetTransformer
data:
  target: train.ConditionedSpectrogramDataModuleFromConfig
  params:
    # rgb_feats_dir_path: './data/vggsound/feature_rgb_bninception_dim1024_21.5fps'
    rgb_feats_dir_path: './data/vggsound/feature_resnet50_dim2048_21.5fps' # ResNet50
    flow_feats_dir_path: null
    train:
      target: specvqgan.data.vggsound.VGGSoundSpecsCondOnFeatsTrain
      params:
        specs_dataset_cfg:
"""


def _sampler_state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    length = SAMPLER.prefix + SAMPLER.length
    masks = {
        f"transformer.blocks.{n}.attn.mask": torch.ones(1, 1, length, length).tril()
        for n in range(SAMPLER.layers)
    }
    order = column_major(5, 53)
    return {
        **{
            f"first_stage_model.{n}": t
            for n, t in SpectrogramCodebook(CODEBOOK).state_dict().items()
        },
        **{f"transformer.{n}": t for n, t in CodeTransformer(SAMPLER).state_dict().items()},
        **masks,
        "first_stage_permuter.forward_shuffle_idx": order,
        "first_stage_permuter.backward_shuffle_idx": order.argsort(),
    }


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """A callback class that is gone again when files are read."""
    module = types.ModuleType("pytorch_lightning.callbacks.progress")
    callback = type("SomeCallback", (), {"__module__": module.__name__})
    module.SomeCallback = callback  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        for name in ("pytorch_lightning", "pytorch_lightning.callbacks", module.__name__):
            patch.setitem(sys.modules, name, module)
        yield callback


def _lightning_bytes(state: Mapping[str, Tensor], callback: type) -> bytes:
    written = io.BytesIO()
    torch.save(
        {
            "epoch": 3,
            "global_step": 7,
            "pytorch-lightning_version": "1.2.10",
            "callbacks": {callback: {"best_model_score": torch.tensor(0.5), "dirpath": "logs"}},
            "optimizer_states": [{"state": {}, "param_groups": []}],
            "lr_schedulers": [],
            "state_dict": dict(state),
        },
        written,
    )
    return written.getvalue()


def _archive(path: Path, files: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"logs/2021-06-03_x/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def run(tmp_path: Path, lightning: type) -> Path:
    """A sampler's run of three checkpoints, of which last.ckpt counts, and its settings."""
    state = _sampler_state()
    others = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    return _archive(
        tmp_path / "run.tar.gz",
        {
            "checkpoints/epoch_000009.ckpt": _lightning_bytes(others, lightning),
            "checkpoints/last.ckpt": _lightning_bytes(state, lightning),
            "checkpoints/zzz.ckpt": _lightning_bytes(others, lightning),
            "configs/2021-06-03-project.yaml": PROJECT.encode(),
            "configs/2021-06-03-lightning.yaml": b"lightning: {}\n",
        },
    )


@pytest.mark.parametrize("layout", FULL)
def test_every_published_layout_is_recognised_whole(shared: Path, layout: str) -> None:
    shapes = json.loads((shared / f"goldens/specvqgan/keys/{layout}.json").read_text())
    tensors = {name: torch.zeros(()).expand(shape) for name, shape in shapes.items()}
    found = recognise(tensors)
    assert found is not None
    assert found.kind.name == FULL[layout]
    with torch.device("meta"):
        names = found.kind.network(found.config).state_dict().keys()
    assert set(names) == set(shapes) - set(found.dropped)
    left_out = ("loss.", ".attn.mask", "first_stage_permuter.")
    assert all(any(part in name for part in left_out) for name in found.dropped)
    size = asdict(found.config)
    if layout.startswith("codebook"):
        assert size["codes"] == (128 if "vas" in layout else 1024)
    else:
        wanted = [int(word[:-5]) for word in layout.split("_") if word.endswith("feats")]
        assert size["transformer"]["features"] == (
            wanted[0] if wanted else size["transformer"]["features"]
        )
        assert (size["codebook"] is None) == layout.startswith("gpt")


def test_a_run_is_imported_from_its_archive_with_what_it_was_trained_on(
    run: Path, tmp_path: Path
) -> None:
    found = import_checkpoint(run, tmp_path / "ours.safetensors")
    assert found.kind.name == "specvqgan-sampler"
    checkpoint = load_checkpoint(tmp_path / "ours.safetensors", "specvqgan-sampler")
    assert checkpoint.config["features"] == {"backbone": "resnet50", "count": 5, "width": 6}
    assert checkpoint.config["replaced_by_noise"] is False
    assert checkpoint.config["classes"] == []
    network, _ = load_published(tmp_path / "ours.safetensors", "specvqgan-sampler")
    state = _sampler_state()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    assert len(found.dropped) == SAMPLER.layers + 2
    shown = summarise(run)
    assert (shown["kind"], shown["guessed"]) == ("specvqgan-sampler", True)
    assert json.loads(json.dumps(shown["config"])) == checkpoint.config


def test_without_a_last_checkpoint_the_last_by_name_is_taken(
    tmp_path: Path, lightning: type
) -> None:
    def marked(value: float) -> bytes:
        return _lightning_bytes({"a": torch.tensor(value)}, lightning)

    files = {"checkpoints/epoch_39.ckpt": marked(39), "checkpoints/epoch_09.ckpt": marked(9)}
    weights = published_weights(_archive(tmp_path / "run.tar.gz", files))
    assert weights.tensors["a"].item() == 39
    assert weights.settings == {}


def test_an_unpacked_checkpoint_finds_the_settings_beside_its_folder(run: Path) -> None:
    folder = run.parent / "unpacked"
    with tarfile.open(run) as archive:
        archive.extractall(folder, filter="data")
    inside = folder / "logs/2021-06-03_x"
    assert published_weights(inside / "checkpoints/last.ckpt").settings["data"]["params"]
    (inside / "configs/2021-06-03-project.yaml").write_text("data: [")
    with pytest.raises(ValueError, match=r"last\.ckpt: settings beside it: .*not the YAML"):
        published_weights(inside / "checkpoints/last.ckpt")


@pytest.mark.parametrize(
    ("project", "told"),
    [
        ("data: {params: {replace_feats_with_random: true}}", ("", True)),
        ("data: {params: {rgb_feats_dir_path: a_bninception_x}}", ("bninception", False)),
        (
            "data:\n  params:\n    rgb_feats_dir_path: a_bninception_x\n    flow_feats_dir_path: b",
            ("bninception+flow", False),
        ),
        ("data: 3", ("", False)),
    ],
)
def test_the_settings_say_whose_features_or_noise(
    tmp_path: Path, lightning: type, project: str, told: tuple[str, bool]
) -> None:
    files = {
        "checkpoints/last.ckpt": _lightning_bytes(_sampler_state(), lightning),
        "configs/x-project.yaml": project.encode(),
    }
    import_checkpoint(_archive(tmp_path / "run.tar.gz", files), tmp_path / "o.safetensors")
    config = load_checkpoint(tmp_path / "o.safetensors").config
    assert (config["features"]["backbone"], config["replaced_by_noise"]) == told


def test_a_codebooks_run_leaves_out_what_only_training_needs(
    tmp_path: Path, lightning: type
) -> None:
    torch.manual_seed(0)
    state = SpectrogramCodebook(CODEBOOK).state_dict()
    loss = {"loss.perceptual_loss.lin0.model.1.weight": torch.zeros(1, 64, 1, 1)}
    files = {"checkpoints/epoch_1.ckpt": _lightning_bytes({**state, **loss}, lightning)}
    found = import_checkpoint(_archive(tmp_path / "c.tar.gz", files), tmp_path / "c.safetensors")
    assert found.config == CODEBOOK
    assert found.dropped == tuple(loss)
    tensors = load_checkpoint(tmp_path / "c.safetensors", "specvqgan-codebook").tensors
    assert all(torch.equal(tensors[name], tensor) for name, tensor in state.items())


def test_the_vocoder_keeps_the_prefix_that_is_its_own(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = MelganConfig(mels=8, channels=4, ratios=(4, 2, 2), residual_blocks=2)
    judge = MelganDiscriminatorConfig(scales=2, channels=8, strided=3, stride=2)
    for network, kind in (
        (MelganGenerator(config), "melgan-generator"),
        (MelganDiscriminator(judge), "melgan-discriminator"),
    ):
        torch.save(network.state_dict(), tmp_path / "net.pt")
        found = import_checkpoint(tmp_path / "net.pt", tmp_path / "net.safetensors")
        assert (found.kind.name, found.config) == (kind, network.config)
        loaded, _ = load_published(tmp_path / "net.safetensors", kind)
        for name, tensor in loaded.state_dict().items():
            assert torch.equal(tensor, network.state_dict()[name]), name


@pytest.mark.parametrize("channels", [3, 2])
def test_bn_inception_converted_from_caffe_has_its_norms_made_flat(
    tmp_path: Path, channels: int
) -> None:
    network = BNInception(BNInceptionConfig(channels, 1 / 16))
    state = {
        name: tensor[None] if "_bn." in name and tensor.ndim == 1 else tensor
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    state |= {"fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)}
    torch.save(state, tmp_path / "bn.pth")
    found = import_checkpoint(tmp_path / "bn.pth", tmp_path / "bn.safetensors")
    assert (found.kind.name, found.config) == ("bn-inception", network.config)
    loaded, _ = load_published(tmp_path / "bn.safetensors", "bn-inception")
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


class _Touches:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_hostile_archives_run_and_write_nothing(tmp_path: Path) -> None:
    written = io.BytesIO()
    torch.save({"state_dict": {}, "callbacks": _Touches(tmp_path / "ran")}, written)
    hostile = {"../../../checkpoints/last.ckpt": written.getvalue()}
    with pytest.raises(ValueError, match=r"run\.tar\.gz: not a readable file of weights"):
        published_weights(_archive(tmp_path / "run.tar.gz", hostile))
    pickled = {"checkpoints/last.ckpt": pickle.dumps(_Touches(tmp_path / "ran"))}
    with pytest.raises(ValueError, match=r"run\.tar\.gz: not a readable file of weights"):
        published_weights(_archive(tmp_path / "run.tar.gz", pickled))
    assert [path.name for path in tmp_path.iterdir()] == ["run.tar.gz"]


def test_archives_that_are_cut_or_hold_no_checkpoint_are_named(run: Path) -> None:
    whole = run.read_bytes()
    for length in (5, len(whole) // 2, len(whole) - 4):
        run.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"run\.tar\.gz: not a readable \.tar\.gz") as told:
            published_weights(run)
        assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match=r"an archive without a checkpoint"):
        published_weights(_archive(run, {"readme.txt": b"hello"}))


def test_settings_are_read_without_making_what_they_name() -> None:
    text = """\
!!python/object:argparse.Namespace
batch_size: 64  # a comment
rate: 1e-6
small: 0.00
odd: -3
word: val/loss # another
hash: 'a # b'
empty:
nothing: null
path: !!python/object/apply:pathlib.PosixPath
- /
- data
- 'it''s'
flow: [ 1,1,2, [a, 'b, c']]
brackets: {deep: {er: true}, x: no quotes}
items:
- &id001
  name: first
  value: 1.5
- name: second
  rest:
    - 1
    - 2
folded: one long
  line
"""
    assert read_settings(text) == {
        "batch_size": 64,
        "rate": 1e-6,
        "small": 0.0,
        "odd": -3,
        "word": "val/loss",
        "hash": "a # b",
        "empty": None,
        "nothing": None,
        "path": ["/", "data", "it's"],
        "flow": [1, 1, 2, ["a", "b, c"]],
        "brackets": {"deep": {"er": True}, "x": "no quotes"},
        "items": [{"name": "first", "value": 1.5}, {"name": "second", "rest": [1, 2]}],
        "folded": "one long line",
    }
    assert read_settings("# nothing\n") is None


@pytest.mark.parametrize(
    "text",
    ["a: [1, 2", "a: 1\n  b: 2\n c: 3", "a: b\n- c", "- a\nb", "a: {b 1}", "[" * 100, "- " * 100],
)
def test_settings_that_are_none_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="not the YAML of a training run") as told:
        read_settings(text)
    assert "\n" not in str(told.value)


def test_later_settings_lie_over_earlier_ones() -> None:
    first = {"a": {"b": 1, "c": 2}, "d": 3}
    assert merged(first, {"a": {"b": 4}, "d": None}) == {"a": {"b": 4, "c": 2}, "d": None}


def test_the_table_has_every_run_at_its_address() -> None:
    source = published_source("specvqgan-sampler-b-212-rn")
    assert source.url.endswith("specvqgan_public/models/2021-07-29T11-52-28_vas_transformer.tar.gz")
    assert source.digest == "md5:6e553ea44c8bc7a3310961f74e7974ea"
    assert source.file == "2021-07-29T11-52-28_vas_transformer.tar.gz"
    assert published_source("vggishish").url.endswith("specvqgan_public/vggishish16.pt")
    assert published_source("specvqgan-codebook-vas").licence == "MIT"
