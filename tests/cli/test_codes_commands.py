"""Codes on the command line: to and from sound, and drawn for a clip by SpecVQGAN's sampler."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from foleycli.checkpoints import save_checkpoint
from foleycli.dsp.front_ends.specvqgan import SPECVQGAN
from foleycli.files.arrays import load_arrays, save_arrays
from foleycli.files.provenance import file_sha256
from foleycli.media.audio import read_audio, write_audio
from foleycli.media.mux import mux
from foleycli.media.video import probe
from foleycli.models.code_transformer import CodeTransformer, CodeTransformerConfig
from foleycli.models.melgan import MelganConfig, MelganGenerator
from foleycli.models.spectrogram_codebook import CodebookConfig, SpectrogramCodebook

RATE_HZ = 22_050
CODEBOOK = CodebookConfig(
    codes=16,
    code_width=4,
    channels=4,
    multiples=(1, 1, 1, 1, 1),
    residual_blocks=1,
    groups=2,
    frames=64,
)
SAMPLERS = {
    "features": ({"features": 3, "feature_depth": 6, "classes": 0}, "resnet50"),
    "own": ({"condition": "features", "features": 3, "feature_depth": 32, "classes": 0}, "ours"),
    "class": ({"features": 0, "feature_depth": 0, "classes": 2}, ""),
    "noise": ({"features": 1, "feature_depth": 6, "classes": 0}, ""),
    "coordinates": ({"features": 0, "feature_depth": 0, "classes": 0}, ""),
}


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A codebook, a vocoder, and a sampler of every condition."""
    folder = tmp_path_factory.mktemp("codes")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        codebook = SpectrogramCodebook(CODEBOOK)
        torch.nn.init.normal_(codebook.quantize.embedding.weight)
        melgan = MelganConfig(channels=2, residual_blocks=1)
        generator = MelganGenerator(melgan)
        for name, parameter in generator.named_parameters():
            if name.endswith("weight_g"):
                torch.nn.init.constant_(parameter, 1.0)
        networks = {
            "codebook": (codebook, "codebook", "codebook", CODEBOOK),
            "vocoder": (generator, "vocoder", "generator", melgan),
        }
        for name, (fields, _) in SAMPLERS.items():
            size = CodeTransformerConfig(
                **{"codes": 16, "columns": 4, "condition": name, "layers": 1, "heads": 2}
                | {"width": 16}
                | fields
            )
            sampler = CodeTransformer(size)
            for parameter in sampler.parameters():
                if parameter.ndim > 1:
                    torch.nn.init.normal_(parameter)
            networks[name] = (sampler, "sampler", "sampler", size)
    made = {}
    for name, (network, kind, prefix, size) in networks.items():
        config = {"network": size.as_dict(), "front_end": SPECVQGAN.as_dict()}
        if kind == "sampler":
            backbone = {"backbone": SAMPLERS[name][1], "count": 1, "width": 1}
            config |= {
                "classes": ["clock", "rain"] if name == "class" else [],
                "features": backbone if SAMPLERS[name][1] else None,
                "codebook_sha256": file_sha256(made["codebook"]),
            }
        made[name] = folder / f"{name}.safetensors"
        tensors = {f"{prefix}.{n}": t for n, t in network.state_dict().items()}
        save_checkpoint(made[name], kind=kind, config=config, tensors=tensors)
    return made


def _wav(path: Path, samples: int, rate_hz: int = RATE_HZ) -> Path:
    sound = 0.2 * np.random.default_rng(samples).standard_normal(samples)
    path.parent.mkdir(exist_ok=True)
    write_audio(path, sound.clip(-1, 1).astype(np.float32), rate_hz)
    return path


@pytest.fixture
def clip(tmp_path: Path, silent_clip: Path) -> Path:
    """The silent second with noise under it."""
    noise = 0.2 * np.random.default_rng(0).standard_normal(RATE_HZ).astype(np.float32)
    path = tmp_path / "clip.mkv"
    mux(silent_clip, noise.clip(-1, 1), RATE_HZ, path)
    return path


def _models(parts: dict[str, Path], *names: str) -> list[object]:
    return [argument for name in names for argument in ("--model", parts[name])]


def test_a_sound_becomes_codes_and_a_sound_of_the_same_length(
    foley_here, tmp_path: Path, parts: dict[str, Path]
) -> None:
    _wav(tmp_path / "a.wav", 50_002, 44_100)
    codebook = _models(parts, "codebook")
    made = foley_here("spectrogram", "a.wav", "-o", "a.codes.npz", "--codes", *codebook)
    assert (made.exit_code, made.stdout) == (0, "a.codes.npz\n")
    arrays, meta = load_arrays(tmp_path / "a.codes.npz", kind="codes")
    assert arrays["codes"].shape == (5, 7)
    samples = meta["samples"]
    assert samples == 25_001
    seconds = samples / RATE_HZ
    bitrate = 5 * 7 * 4 / seconds
    assert meta["bitrate_bps"] == pytest.approx(bitrate)
    assert f"5 x 7 codes of 4 bits, {seconds:.2f} s, {bitrate / 1000:.2f} kbit/s" in made.stderr
    assert meta["codebook_sha256"] == file_sha256(parts["codebook"])
    lengths = {}
    for name, vocoder in (("v", ("vocoder",)), ("p", ())):
        models = _models(parts, "codebook", *vocoder)
        made = foley_here("invert", "a.codes.npz", "-o", f"{name}.wav", *models, "--json")
        assert made.exit_code == 0
        method = json.loads(made.stdout)["outputs"][0]["method"]
        lengths[method] = len(read_audio(tmp_path / f"{name}.wav")[0])
    assert lengths == {"vocoder": samples, "pghi+griffin-lim": samples}


def test_bytes_do_not_depend_on_what_else_is_coded(
    foley_here, tmp_path: Path, parts: dict[str, Path]
) -> None:
    for number in range(3):
        _wav(tmp_path / f"in/{number}.wav", 30_000 * (number + 1))
    common = ("--codes", *_models(parts, "codebook"))
    assert foley_here("spectrogram", "in", "-o", "both", *common).exit_code == 0
    assert foley_here("spectrogram", "in/2.wav", "-o", "one.codes.npz", *common).exit_code == 0
    together = load_arrays(tmp_path / "both/2.codes.npz")[0]["codes"]
    np.testing.assert_array_equal(load_arrays(tmp_path / "one.codes.npz")[0]["codes"], together)
    models = _models(parts, "codebook", "vocoder")
    assert foley_here("invert", "both", "-o", "sounds", *models).exit_code == 0
    assert foley_here("invert", "both/2.codes.npz", "-o", "2.wav", *models).exit_code == 0
    assert (tmp_path / "2.wav").read_bytes() == (tmp_path / "sounds/2.wav").read_bytes()


def test_a_vocoder_alone_takes_published_mels(
    foley_here, tmp_path: Path, parts: dict[str, Path]
) -> None:
    _wav(tmp_path / "a.wav", 30_000)
    foley_here("spectrogram", "a.wav", "-o", "m.spec.npz", "--front-end", "specvqgan")
    foley_here("spectrogram", "a.wav", "-o", "f.spec.npz")
    vocoder = _models(parts, "vocoder")
    assert foley_here("invert", "m.spec.npz", "-o", "m.wav", *vocoder).exit_code == 0
    assert len(read_audio(tmp_path / "m.wav")[0]) == 30_000
    made = foley_here("invert", "f.spec.npz", "-o", "f.wav", *vocoder)
    assert made.exit_code == 2
    assert "a vocoder takes the mels of the specvqgan front ends" in made.stderr
    made = foley_here("invert", "m.spec.npz", "-o", "m.wav", *_models(parts, "codebook"))
    assert "no vocoder among what is given (codebook)" in made.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("spectrogram", "a.wav", "-o", "x.codes.npz", "--codes"), "--codes and --model CODEBOOK"),
        (("spectrogram", "a.wav", "-o", "x.spec.npz", "CODEBOOK"), "--codes and --model CODEBOOK"),
        (
            ("spectrogram", "a.wav", "-o", "x.codes.npz", "--codes", "CODEBOOK", "--png", "a.png"),
            "--codes takes no --front-end, --png",
        ),
        (("spectrogram", "a.wav", "-o", "x.codes.npz", "--codes", "VOCODER"), "no codebook among"),
        (("invert", "a.codes.npz", "-o", "x.wav"), "codes need the codebook they were made by"),
        (("invert", "a.codes.npz", "-o", "x.wav", "VOCODER"), "no codebook among what is given"),
        (
            ("invert", "a.codes.npz", "-o", "x.wav", "CODEBOOK", "VOCODER", "--method", "pghi"),
            "and no --method",
        ),
    ],
)
def test_wrong_usage_of_codes_is_one_line(
    foley_here, tmp_path: Path, parts: dict[str, Path], arguments: tuple[str, ...], said: str
) -> None:
    _wav(tmp_path / "a.wav", 5000)
    foley_here(
        *("spectrogram", "a.wav", "-o", "a.codes.npz", "--codes", *_models(parts, "codebook"))
    )
    given: list[object] = []
    for word in arguments:
        given += _models(parts, word.lower()) if word.isupper() else [word]
    made = foley_here(*given)
    assert made.exit_code == 2
    assert said in made.stderr
    assert made.stderr.count("\n") == 1
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize("condition", ["noise", "coordinates"])
def test_no_condition_is_needed_and_the_duration_is_the_pictures(
    foley_here, tmp_path: Path, silent_clip: Path, parts: dict[str, Path], condition: str
) -> None:
    models = _models(parts, condition, "codebook", "vocoder")
    made = foley_here("generate", silent_clip, "-o", "a.wav", "--system", "specvqgan", *models)
    assert (made.exit_code, made.stdout) == (0, "a.wav\n"), made.stderr
    sound, rate_hz = read_audio(tmp_path / "a.wav")
    assert (len(sound), rate_hz) == (round(probe(silent_clip).duration_s * RATE_HZ), RATE_HZ)
    foley_here("generate", silent_clip, "-o", "b.wav", "--system", "specvqgan", *models)
    foley_here(
        *("generate", silent_clip, "-o", "c.wav", "--system", "specvqgan", *models, "--seed", 1)
    )
    a, b, c = ((tmp_path / f"{name}.wav").read_bytes() for name in "abc")
    assert a == b != c


def test_features_are_read_from_a_file_or_a_folder(
    foley_here, tmp_path: Path, silent_clip: Path, parts: dict[str, Path]
) -> None:
    rows = np.random.default_rng(0).random((22, 6)).astype(np.float32)
    meta = {"fps": 21.5, "backbone": "resnet50"}
    (tmp_path / "f").mkdir()
    save_arrays(tmp_path / "f/silent.features.npz", {"features": rows}, kind="features", meta=meta)
    common = ("generate", silent_clip, "--system", "specvqgan")
    models = _models(parts, "features", "codebook", "vocoder")
    for path in ("f", "f/silent.features.npz"):
        made = foley_here(*common, *models, "-o", f"{len(path)}.wav", "--features", path)
        assert made.exit_code == 0, made.stderr
    assert (tmp_path / "1.wav").read_bytes() == (tmp_path / "21.wav").read_bytes()
    made = foley_here(*common, *models, "-o", "x.wav")
    assert "make them by foley extract --backbone resnet50, and give --features" in made.stderr
    meta["backbone"] = "bninception"
    save_arrays(tmp_path / "f/silent.features.npz", {"features": rows}, kind="features", meta=meta)
    made = foley_here(*common, *models, "-o", "x.wav", "--features", "f")
    assert made.exit_code == 2
    assert "features of bninception, where this sampler was trained on those of" in made.stderr
    assert not (tmp_path / "x.wav").exists()


def test_other_features_in_a_folder_are_not_taken_for_done(
    foley_here, tmp_path: Path, silent_clip: Path, parts: dict[str, Path]
) -> None:
    (tmp_path / "f").mkdir()
    common = ("generate", silent_clip, "--system", "specvqgan", "--features", "f", "--resume")
    sounds = []
    for seed in (0, 0, 1):
        rows = np.random.default_rng(seed).random((22, 6)).astype(np.float32)
        save_arrays(
            tmp_path / "f/silent.features.npz",
            {"features": rows},
            kind="features",
            meta={"fps": 21.5, "backbone": "resnet50"},
        )
        models = _models(parts, "features", "codebook", "vocoder")
        made = foley_here(*common, *models, "-o", "out/")
        assert made.exit_code == 0, made.stderr
        path = tmp_path / "out/silent.wav"
        sounds.append((path.stat().st_mtime_ns, path.read_bytes()))
    assert sounds[0] == sounds[1]
    assert sounds[1][0] != sounds[2][0]


def test_our_own_recogniser_looks_for_itself(
    foley_here,
    tmp_path: Path,
    silent_clip: Path,
    parts: dict[str, Path],
    models: dict[str, Path],
) -> None:
    made = foley_here(
        *("generate", silent_clip, "-o", "a.wav", "--system", "specvqgan"),
        *_models(parts, "own", "codebook", "vocoder"),
        *("--recognition", models["recognition"]),
    )
    assert made.exit_code == 0, made.stderr


def test_samples_are_files_of_their_own_and_the_first_stays(
    foley_here, tmp_path: Path, silent_clip: Path, parts: dict[str, Path]
) -> None:
    chosen = _models(parts, "class", "codebook", "vocoder")
    common = ("generate", silent_clip, "--system", "specvqgan", *chosen, "--class", "rain")
    made = foley_here(*common, "-o", "out/", "--samples", 3, "--save-codes", "codes/", "--json")
    assert made.exit_code == 0, made.stderr
    names = [f"silent_sample_{number}" for number in range(3)]
    assert json.loads(made.stdout)["outputs"][0]["files"] == [f"out/{n}.wav" for n in names]
    sounds = [(tmp_path / f"out/{name}.wav").read_bytes() for name in names]
    assert len(set(sounds)) == 3
    assert foley_here(*common, "-o", "one.wav").exit_code == 0
    assert (tmp_path / "one.wav").read_bytes() == sounds[0]
    codebook = _models(parts, "codebook", "vocoder")
    foley_here("invert", "codes/silent_sample_2.codes.npz", "-o", "back.wav", *codebook)
    assert (tmp_path / "back.wav").read_bytes() == sounds[2]
    again = foley_here(*common, "-o", "out/", "--samples", 3, "--resume", "-v")
    assert "made before" in again.stderr
    (tmp_path / "out/silent_sample_1.wav").unlink()
    foley_here(*common, "-o", "out/", "--samples", 3, "--resume")
    assert (tmp_path / "out/silent_sample_1.wav").read_bytes() == sounds[1]
    made = foley_here(*common, "-o", "out.wav", "--samples", 3)
    assert "several samples need a folder" in made.stderr


@pytest.mark.parametrize("rank", ["classifier", "sync"])
def test_the_best_candidate_is_kept(
    foley_here, tmp_path: Path, silent_clip: Path, parts: dict[str, Path], rank: str
) -> None:
    chosen = _models(parts, "class", "codebook")
    common = (
        "generate",
        silent_clip,
        "--system",
        "specvqgan",
        *chosen,
        "--class",
        "rain",
        "--json",
    )

    def score(*more: object) -> float:
        made = foley_here(*common, "-o", "a.wav", "--rank", rank, *more)
        assert made.exit_code == 0, made.stderr
        return float(json.loads(made.stdout)["outputs"][0]["scores"][0])

    few, many = score("--candidates", 2), score("--candidates", 6)
    assert many >= few
    assert score("--candidates", 2) == few


def test_the_clips_own_beginning_is_kept_and_continued(
    foley_here, tmp_path: Path, clip: Path, parts: dict[str, Path]
) -> None:
    common = ("generate", clip, "--system", "specvqgan", *_models(parts, "noise", "codebook"))
    for seed in (1, 2):
        made = foley_here(
            *(*common, "-o", f"{seed}.wav", "--prime", 0.5, "--seed", seed),
            *("--save-codes", f"{seed}.codes.npz"),
        )
        assert made.exit_code == 0, made.stderr
    first, second = (load_arrays(tmp_path / f"{s}.codes.npz")[0]["codes"] for s in (1, 2))
    np.testing.assert_array_equal(first[:, :2], second[:, :2])  # 0.37 s, whole columns
    assert (first[:, 2:] != second[:, 2:]).any()
    own, _ = read_audio(clip, rate_hz=RATE_HZ)
    write_audio(tmp_path / "own.wav", own[: 2 * 4096], RATE_HZ)
    foley_here(
        *("spectrogram", "own.wav", "-o", "own.codes.npz", "--codes"), *_models(parts, "codebook")
    )
    heard = load_arrays(tmp_path / "own.codes.npz")[0]["codes"]
    assert (heard == first[:, :2]).mean() > 0.8  # 16-bit rounding may tip a code
    made = foley_here(*common, "-o", "x.wav", "--prime", 0.1)
    assert "--prime 0.1 is less than a column of codes; give 0.19 s or more" in made.stderr


def test_a_video_is_muxed_and_a_mel_is_saved_as_the_other_system_does(
    foley_here, tmp_path: Path, silent_clip: Path, parts: dict[str, Path]
) -> None:
    made = foley_here(
        *("generate", silent_clip, "-o", "a.mp4", "--system", "specvqgan"),
        *_models(parts, "noise", "codebook", "vocoder"),
        *("--save-spectrogram", "a.spec.npz", "--codec", "alac"),
    )
    assert made.exit_code == 0, made.stderr
    assert "alac" in made.stderr
    assert probe(tmp_path / "a.mp4").duration_s == pytest.approx(probe(silent_clip).duration_s)
    made = foley_here("invert", "a.spec.npz", "-o", "a.wav", *_models(parts, "vocoder"))
    assert made.exit_code == 0, made.stderr
    sounds = [read_audio(tmp_path / name)[0] for name in ("a.mp4", "a.wav")]
    np.testing.assert_allclose(sounds[0], sounds[1], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--system specvqgan needs --model SAMPLER --model CODEBOOK"),
        (("CODEBOOK",), "no sampler among what is given (codebook)"),
        (("CODEBOOK", "CLASS", "--class", "dragon"), "this sampler has: clock, rain"),
        (("CODEBOOK", "NOISE", "--class", "rain"), "--class: this sampler was trained without"),
        (("CODEBOOK", "NOISE", "--features", "f"), "--features: this sampler was trained without"),
        (("CODEBOOK", "NOISE", "--rank", "sync"), "--rank chooses among --candidates"),
        (("CODEBOOK", "NOISE", "--truncation", "1"), "--system specvqgan takes no --truncation"),
        (
            ("CODEBOOK", "NOISE", "--class", "owl", "--candidates", "2"),
            "--rank classifier: it does not know 'owl'",
        ),
    ],
)
def test_wrong_usage_of_the_sampler_is_one_line(
    foley_here,
    tmp_path: Path,
    silent_clip: Path,
    parts: dict[str, Path],
    arguments: tuple[str, ...],
    said: str,
) -> None:
    given: list[object] = []
    for word in arguments:
        given += _models(parts, word.lower()) if word.isupper() else [word]
    made = foley_here("generate", silent_clip, "-o", "x.wav", "--system", "specvqgan", *given)
    assert made.exit_code == 2
    assert said in made.stderr
    assert made.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_first_system_takes_none_of_the_others_options(foley_here, silent_clip: Path) -> None:
    made = foley_here("generate", silent_clip, "-o", "x.wav", "--top-x", 3, "--samples", 2)
    assert made.exit_code == 2
    assert "--system foleygan takes no --top-x, --samples" in made.stderr
