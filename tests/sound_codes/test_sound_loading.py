"""Files of parts: ours, published ones, and those that do not belong together."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foleycli.checkpoints import load_checkpoint, save_checkpoint
from foleycli.models.code_transformer import CodeTransformer, CodeTransformerConfig
from foleycli.models.melgan import MelganConfig, MelganGenerator
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook
from foleycli.published.importing import import_checkpoint
from foleycli.sound_codes.loading import load_sound_codes

PUBLISHED = CodebookConfig(
    codes=16, code_width=32, channels=32, multiples=(1, 1, 1, 1, 1), residual_blocks=1
)


def _files(folder: Path, *names: str) -> list[str]:
    return [str(folder / f"{name}.safetensors") for name in names]


def _changed(folder: Path, name: str, **changes: object) -> str:
    """Write a checkpoint anew, with other entries in its configuration; None takes one out."""
    given = load_checkpoint(folder / f"{name}.safetensors")
    config = {k: v for k, v in {**given.config, **changes}.items() if v is not None}
    path = folder / f"changed-{name}.safetensors"
    save_checkpoint(path, kind=given.kind, config=config, tensors=given.tensors)
    return str(path)


def test_parts_come_from_a_file_each(parts: Path) -> None:
    models = load_sound_codes(_files(parts, "vocoder", "sampler", "codebook"))
    assert models.codec is not None and models.codec.has_vocoder
    assert models.sampler is not None and models.sampler.backbone == "resnet50"
    assert len(models.codebook_sha256) == 64
    alone = load_sound_codes(_files(parts, "vocoder"), ("vocoder",))
    assert alone.codec is None and alone.vocoder is not None


def test_a_training_folder_is_a_file_too(parts: Path) -> None:
    (parts / "run").mkdir()
    shutil.copy(parts / "codebook.safetensors", parts / "run/model.safetensors")
    assert load_sound_codes([str(parts / "run")], ("codebook",)).codec is not None


def test_eight_bit_weights_draw_codes(parts: Path) -> None:
    models = load_sound_codes(_files(parts, "sampler"), ("sampler",), precision="int8")
    assert models.sampler is not None
    with pytest.raises(ValueError, match="precision 'int4'; choose float32 or int8"):
        load_sound_codes(_files(parts, "sampler"), precision="int4")


def test_files_that_do_not_belong_together_are_refused(parts: Path) -> None:
    other = _changed(parts, "codebook", note="trained again")
    cases = [
        (["codebook", "sampler"], ["vocoder"], "no vocoder among what is given"),
        (["vocoder"], ["codebook"], r"no codebook among .* \(vocoder\); add it: foley train"),
        (["codebook", "codebook"], [], "has a second codebook, after .*codebook"),
    ]
    for names, needs, said in cases:
        with pytest.raises(ValueError, match=said):
            load_sound_codes(_files(parts, *names), needs)
    with pytest.raises(ValueError, match=r"sampler\.safetensors: was trained on another codebook"):
        load_sound_codes([*_files(parts, "sampler"), other])
    with pytest.raises(ValueError, match="holds a 'classifier' model; needed are: codebook"):
        load_sound_codes(["classifier"])
    network = load_checkpoint(_files(parts, "sampler")[0]).config["network"]
    small = _changed(parts, "sampler", network={**network, "rows": 4}, codebook_sha256=None)
    with pytest.raises(ValueError, match=r"its sampler does not fit|draws 16 codes in 4 rows"):
        load_sound_codes([small, *_files(parts, "codebook")])


def test_other_mels_are_refused(parts: Path) -> None:
    front = load_checkpoint(_files(parts, "codebook")[0]).config["front_end"]
    other = _changed(parts, "codebook", front_end={**front, "low_hz": 0.0})
    with pytest.raises(ValueError, match="its front end specvqgan had other constants"):
        load_sound_codes([other])
    small = MelganConfig(mels=40, channels=2, residual_blocks=1)
    tensors = {f"generator.{n}": t for n, t in MelganGenerator(small).state_dict().items()}
    config = {"network": small.as_dict()}
    save_checkpoint(parts / "v.safetensors", kind="vocoder", config=config, tensors=tensors)
    with pytest.raises(ValueError, match=r"its vocoder does not fit .*makes 256 samples of 40"):
        load_sound_codes([str(parts / "v.safetensors")])


def test_damaged_tensors_are_one_line(parts: Path) -> None:
    given = load_checkpoint(_files(parts, "codebook")[0])
    tensors = {n: t for n, t in given.tensors.items() if not n.endswith("quant_conv.bias")}
    save_checkpoint(
        parts / "bad.safetensors", kind="codebook", config=given.config, tensors=tensors
    )
    with pytest.raises(ValueError, match=r"bad\.safetensors: its codebook does not fit") as told:
        load_sound_codes([str(parts / "bad.safetensors")])
    assert "\n" not in str(told.value)


def _publish(folder: Path, seed: int = 0) -> tuple[str, str, str]:
    """Import a sampler as published, its codebook from a file of its own, and a vocoder."""
    torch.manual_seed(seed)
    codebook = SpectrogramCodebook(PUBLISHED)
    size = CodeTransformerConfig(codes=16, condition="class", features=0, classes=8, layers=1)
    network = CodeTransformer(replace(size, feature_depth=0, heads=1, width=64))
    made = {
        "sampler": {
            **{f"first_stage_model.{n}": t for n, t in codebook.state_dict().items()},
            **{f"transformer.{n}": t for n, t in network.state_dict().items()},
        },
        "codebook": codebook.state_dict(),
        "vocoder": MelganGenerator(MelganConfig(channels=2, residual_blocks=1)).state_dict(),
    }
    for name, tensors in made.items():
        torch.save(tensors, folder / f"{name}.pt")
        import_checkpoint(folder / f"{name}.pt", folder / f"{name}-{seed}.safetensors")
    return tuple(str(folder / f"{n}-{seed}.safetensors") for n in made)  # type: ignore[return-value]


def test_published_parts_work_like_ours_and_a_sampler_brings_its_codebook(tmp_path: Path) -> None:
    sampler, codebook, vocoder = _publish(tmp_path)
    for files in ([sampler, vocoder], [sampler, codebook, vocoder]):
        models = load_sound_codes(files, ("codebook", "sampler", "vocoder"))
        assert models.codec is not None and models.sampler is not None
        assert models.codec.grid.config == PUBLISHED
        assert models.sampler.classes[:2] == ("baby", "cough")
        assert models.sampler.draw([1], 2, 0.2, label=3).shape == (1, 5, 2)
    _, other, _ = _publish(tmp_path, seed=1)
    with pytest.raises(ValueError, match=r"not the codebook that .*sampler-0.* was trained on"):
        load_sound_codes([sampler, other])
