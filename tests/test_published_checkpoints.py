"""Published checkpoints: the authors' layouts, every container, strict, and nothing is executed."""

from __future__ import annotations

import json
import pickle
import runpy
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from foleycli.checkpoints import load_checkpoint
from foleycli.files.provenance import file_sha256
from foleycli.models.informativity import Informativity
from foleycli.published.importing import import_checkpoint, load_published, recognise
from foleycli.published.kinds import KINDS
from foleycli.published.sources import SOURCES
from foleycli.published.summary import summarise
from foleycli.published.weights import published_tensors

LAYOUTS = {
    **{f"s2i/keys/audio_autoencoder_{d}": "s2i-autoencoder" for d in (128, 256, 512, 1024, 2048)},
    **{f"s2i/keys/generator_dense_{d}": "s2i-generator" for d in (128, 256, 512, 1024, 2048)},
    **{f"s2i/keys/discriminator_{d}": "s2i-discriminator" for d in (128, 256, 512, 1024, 2048)},
    "s2i/keys/informativity": "s2i-informativity",
    "sound2scene/keys/audio_encoder_resnet18": "sound2scene-audio",
    "sound2scene/keys/icgan_biggan128_generator": "icgan-generator",
    "sound2scene/keys/icgan_biggan128_discriminator": "icgan-discriminator",
    "vision/keys/resnet50": "resnet50",
    "specvqgan/keys/melception": "melception",
    "specvqgan/keys/vggishish16": "vggishish",
    "specvqgan/keys/bninception": "bn-inception",
    "specvqgan/keys/bninception_flow": "bn-inception",
    "specvqgan/keys/melgan_netG": "melgan-generator",
    "specvqgan/keys/melgan_netD": "melgan-discriminator",
}
UNKNOWN = ("s2i/keys/net_audio", "specvqgan/keys/lpaps")


def _empty(layout: Path) -> dict[str, Tensor]:
    """Tensors of a layout's names and shapes that take no memory, so that any size will do."""
    return {
        name: torch.zeros(
            (), dtype=torch.int64 if name.endswith("num_batches_tracked") else torch.float32
        ).expand(shape)
        for name, shape in json.loads(layout.with_suffix(".json").read_text()).items()
    }


@pytest.fixture
def informativity() -> dict[str, Tensor]:
    """A small network's weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Informativity().state_dict()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_published_layout_is_recognised_with_its_size(
    shared: Path, layout: str, tmp_path: Path
) -> None:
    torch.save(_empty(shared / "goldens" / layout), tmp_path / "weights.pth")
    tensors = published_tensors(tmp_path / "weights.pth")
    found = recognise(tensors)
    assert found is not None
    assert found.kind.name == LAYOUTS[layout]
    size = layout.rpartition("_")[2]
    if size in ("128", "256", "512", "1024", "2048"):
        assert found.config.embedding == int(size)
    assert found.dropped == (("shared.weight",) if "biggan128_generator" in layout else ())


@pytest.mark.parametrize("layout", UNKNOWN)
def test_a_network_that_is_not_here_is_not_taken_for_another(shared: Path, layout: str) -> None:
    assert recognise(_empty(shared / "goldens" / layout)) is None


def _plain(tensors: dict[str, Tensor], path: Path) -> None:
    torch.save(tensors, path)


def _legacy(tensors: dict[str, Tensor], path: Path) -> None:
    wrapped = {f"module.{name}": t for name, t in tensors.items()}
    torch.save(wrapped, path, _use_new_zipfile_serialization=False)


def _training_state(tensors: dict[str, Tensor], path: Path) -> None:
    torch.save({"epoch": 3, "loss": 0.5, "optimizer": {"lr": 0.1}, "model": tensors}, path)


def _twice_wrapped(tensors: dict[str, Tensor], path: Path) -> None:
    names = {f"module.model.{name}": t for name, t in tensors.items()}
    torch.save({"state_dict": names, "epoch": 3}, path)


@pytest.mark.parametrize(
    ("layout", "kind", "write"),
    [
        ("s2i/keys/informativity", "s2i-informativity", _legacy),
        ("s2i/keys/discriminator_512", "s2i-discriminator", _legacy),
        ("sound2scene/keys/audio_encoder_resnet18", "sound2scene-audio", save_file),
        ("sound2scene/keys/image_encoder_swav_resnet50", "swav-resnet50", _twice_wrapped),
        ("s2i/keys/informativity", "s2i-informativity", _training_state),
    ],
)
def test_what_is_imported_is_what_was_published(
    shared: Path, tmp_path: Path, layout: str, kind: str, write: Callable[..., None]
) -> None:
    fill = runpy.run_path(str(shared / "goldens/fill.py"))["fill_layout"]
    filled = {
        name: torch.from_numpy(array)
        for name, array in fill(shared / "goldens" / f"{layout}.json").items()
    }
    source, output = tmp_path / "published.pth.tar", tmp_path / "ours.safetensors"
    write(filled, source)
    import_checkpoint(source, output, kind)
    network, checkpoint = load_published(output, kind)
    assert not network.training
    assert checkpoint.provenance["source_sha256"] == file_sha256(source)
    loaded = network.state_dict()
    heads = {name for name in filled if kind == "swav-resnet50" and name.startswith("fc.")}
    published = {name: t for name, t in filled.items() if name not in heads}
    assert loaded.keys() == published.keys()
    for name, tensor in loaded.items():
        assert torch.equal(tensor, published[name]), name


def test_swav_is_told_by_its_heads_which_are_left_out(shared: Path, tmp_path: Path) -> None:
    trunk = _empty(shared / "goldens/sound2scene/keys/image_encoder_swav_resnet50")
    trunk = {name: t for name, t in trunk.items() if not name.startswith("fc.")}
    heads = {
        "projection_head.0.weight": torch.zeros(()).expand(2048, 2048),
        "prototypes.weight": torch.zeros(()).expand(3000, 128),
    }
    torch.save({f"module.{n}": t for n, t in (trunk | heads).items()}, tmp_path / "swav.pth.tar")
    found = recognise(published_tensors(tmp_path / "swav.pth.tar"))
    assert found is not None
    assert found.kind.name == "swav-resnet50"
    assert found.dropped == tuple(heads)
    assert not found.config.classes


def test_names_and_shapes_that_do_not_fit_are_listed_and_nothing_is_written(
    informativity: dict[str, Tensor], tmp_path: Path
) -> None:
    source, output = tmp_path / "bad.pth", tmp_path / "out" / "ours.safetensors"
    for name in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.bias"):
        del informativity[name]
    informativity["surplus"] = torch.zeros(1)
    informativity["fc3.weight"] = torch.zeros(3, 32)
    torch.save(informativity, source)
    wanted = (
        r"bad\.pth: not a s2i-informativity: "
        r"5 missing: fc1\.weight, fc1\.bias, fc2\.weight and 2 more; 1 unexpected: surplus; "
        r"1 of another shape: fc3\.weight \(3x32, not 2x32\)$"
    )
    with pytest.raises(ValueError, match=wanted):
        import_checkpoint(source, output, "s2i-informativity")
    with pytest.raises(ValueError, match="nearest to s2i-informativity, but 5 missing"):
        import_checkpoint(source, output)
    with pytest.raises(ValueError, match=r"not a resnet50: its size cannot be told \('fc\.bias'\)"):
        import_checkpoint(source, output, "resnet50")
    with pytest.raises(ValueError, match=r"resnet51: no kind of checkpoint that .*: s2i"):
        import_checkpoint(source, output, "resnet51")
    assert not output.parent.exists()


def test_the_kind_that_fits_is_named_when_another_was_asked_for(
    informativity: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(informativity, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"not a vggishish: .*; --as s2i-informativity fits"):
        import_checkpoint(tmp_path / "a.pth", tmp_path / "o.safetensors", "vggishish")
    torch.save({"a": torch.zeros(1)}, tmp_path / "b.pth")
    with pytest.raises(ValueError, match=r"b\.pth: none of the checkpoints that can be imported"):
        import_checkpoint(tmp_path / "b.pth", tmp_path / "o.safetensors")


def test_an_integer_is_no_weight(informativity: dict[str, Tensor], tmp_path: Path) -> None:
    informativity["fc3.bias"] = torch.zeros(2, dtype=torch.int64)
    torch.save(informativity, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"fc3\.bias \(2 int64, not 2\)"):
        import_checkpoint(tmp_path / "a.pth", tmp_path / "o.safetensors")


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_old_files_of_any_precision_become_float32_with_counters(
    informativity: dict[str, Tensor], tmp_path: Path, dtype: torch.dtype
) -> None:
    old = {n: t.to(dtype) for n, t in informativity.items() if not n.endswith("batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    import_checkpoint(tmp_path / "old.pth", tmp_path / "ours.safetensors")
    tensors = load_checkpoint(tmp_path / "ours.safetensors", "s2i-informativity").tensors
    assert tensors.keys() == informativity.keys()
    for name, tensor in informativity.items():
        assert tensors[name].dtype == tensor.dtype, name
        torch.testing.assert_close(tensors[name], tensor, rtol=1e-3, atol=1e-6)


def test_numbers_that_are_not_finite_are_refused(
    informativity: dict[str, Tensor], tmp_path: Path
) -> None:
    informativity["fc2.weight"][0, 0] = torch.nan
    torch.save(informativity, tmp_path / "nan.pth")
    with pytest.raises(ValueError, match=r"nan\.pth: NaN or infinity in 1 tensors: fc2\.weight"):
        import_checkpoint(tmp_path / "nan.pth", tmp_path / "ours.safetensors")
    assert not (tmp_path / "ours.safetensors").exists()


def test_the_same_file_gives_the_same_bytes_and_is_never_overwritten(
    informativity: dict[str, Tensor], tmp_path: Path
) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_file(informativity, tmp_path / "in.safetensors")
    import_checkpoint(tmp_path / "in.safetensors", first)
    import_checkpoint(tmp_path / "in.safetensors", second, "s2i-informativity")
    assert first.read_bytes() == second.read_bytes()
    with pytest.raises(ValueError, match=r"in\.safetensors: would overwrite what is read"):
        import_checkpoint(tmp_path / "in.safetensors", tmp_path / "in.safetensors")


class _Touches:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pickle_with_classes_is_refused_by_name_and_not_run(
    informativity: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save({"state_dict": informativity, "act": nn.ReLU()}, tmp_path / "relu.pth")
    with pytest.raises(ValueError, match=r"asks for torch\.nn\.modules\.activation\.ReLU, which"):
        published_tensors(tmp_path / "relu.pth")
    torch.save({"state_dict": informativity, "x": _Touches(tmp_path / "ran")}, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=r"x\.pth: not a readable file of weights \(it asks for"):
        published_tensors(tmp_path / "x.pth")
    for protocol, said in (
        (2, "asks for getattr, which"),
        (4, "a pickle as torch.save does not make"),
    ):
        pickled = pickle.dumps(_Touches(tmp_path / "ran"), protocol)
        (tmp_path / "plain.pth").write_bytes(pickled)
        with pytest.raises(ValueError, match=said):
            published_tensors(tmp_path / "plain.pth")
    assert not (tmp_path / "ran").exists()


def test_classes_that_lightning_keeps_beside_the_weights_are_passed_over(
    informativity: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("pytorch_lightning.callbacks.early_stopping")
    stopping = type("EarlyStopping", (), {"__module__": module.__name__})
    module.EarlyStopping = stopping  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        for name in ("pytorch_lightning", "pytorch_lightning.callbacks", module.__name__):
            patch.setitem(sys.modules, name, module)
        callbacks = {stopping: {"patience": 3}}
        torch.save({"callbacks": callbacks, "state_dict": informativity}, tmp_path / "last.ckpt")
    assert published_tensors(tmp_path / "last.ckpt").keys() == informativity.keys()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html>quota", "a web page, not the file"),
        (b"<HTML lang=en>", "a web page, not the file"),
        (b"\x1f\x8b\x08\x00", "not a readable .tar.gz"),
        (b"", "not a readable file of weights"),
        (b"PK\x03\x04", "not a readable file of weights"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff{", "not a readable file of weights"),
    ],
)
def test_other_files_are_told_what_they_are(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said) as told:
        published_tensors(path)
    assert str(told.value).startswith(f"{path}: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("write", [_plain, _legacy, save_file])
def test_a_file_cut_short_anywhere_is_refused_in_one_line(
    informativity: dict[str, Tensor], tmp_path: Path, write: Callable[..., None]
) -> None:
    path = tmp_path / "weights.pth"
    write(informativity, path)
    whole = path.read_bytes()
    for length in [*range(1, 30), *range(30, len(whole) - 1, len(whole) // 40), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a readable file of weights") as told:
            published_tensors(path)
        assert "\n" not in str(told.value), length


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"a": 1}, {1: torch.zeros(1)}, {"\x1b[2J": torch.zeros(1)}]
)
def test_what_is_no_table_of_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(ValueError, match=r"a\.pth: holds no table of weights"):
        published_tensors(tmp_path / "a.pth")


def test_an_imported_checkpoint_of_another_kind_does_not_load(
    informativity: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(informativity, tmp_path / "a.pth")
    import_checkpoint(tmp_path / "a.pth", tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="holds a 's2i-informativity' model where 'resnet50'"):
        load_published(tmp_path / "a.safetensors", "resnet50")


def test_a_summary_tells_ours_from_published_and_counts_the_same(
    informativity: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(informativity, tmp_path / "a.pth")
    import_checkpoint(tmp_path / "a.pth", tmp_path / "a.safetensors")
    theirs, ours = summarise(tmp_path / "a.pth"), summarise(tmp_path / "a.safetensors")
    assert (theirs["kind"], theirs["guessed"]) == ("s2i-informativity", True)
    assert (ours["kind"], ours["guessed"]) == ("s2i-informativity", False)
    assert ours["provenance"]["source"] == "a.pth"
    assert ours["provenance"]["source_sha256"] == theirs["sha256"]
    buffers = sum(b.numel() for b in Informativity().buffers() if b.is_floating_point())
    assert theirs["parameters"] == ours["parameters"] == 34_730 + buffers
    assert {"name": "fc3.weight", "shape": [2, 32], "dtype": "float32"} in ours["tensors"]
    torch.save({"a": torch.zeros(2)}, tmp_path / "b.pth")
    assert summarise(tmp_path / "b.pth")["kind"] is None
    shipped = summarise("classifier")
    assert shipped["kind"] == "classifier"
    assert {row["dtype"] for row in shipped["tensors"]} == {"float16", "int64"}


def test_every_source_has_a_kind_and_a_hash_that_can_be_one() -> None:
    names = [source.name for source in SOURCES]
    assert len(names) == len(set(names))
    assert {source.kind for source in SOURCES} == {kind.name for kind in KINDS}
    licences = {kind.name: kind.licence for kind in KINDS}
    for source in SOURCES:
        assert source.url.startswith("https://")
        assert source.licence == licences[source.kind]
        assert source.free == (source.licence in ("BSD-3-Clause", "MIT"))
        algorithm, _, digest = source.digest.partition(":")
        assert (algorithm, len(digest)) in (("", 0), ("md5", 32), ("sha256", 8), ("sha256", 64))
        assert set(digest) <= set("0123456789abcdef")
