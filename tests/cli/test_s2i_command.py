"""``foley s2i`` as a user meets it: pictures, controls, refusals, records, the same bytes again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import Result

from foleycli.checkpoints import embedded_models
from foleycli.files.provenance import file_sha256
from foleycli.media.audio import write_audio
from tests.imagination.conftest import s2i_networks, save_system, scene_networks, thuds

FoleyHere = Callable[..., Result]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds, pictures and both systems."""
    root = tmp_path_factory.mktemp("stage")
    (root / "sounds" / "far").mkdir(parents=True)
    (root / "photos").mkdir()
    for k, name in enumerate(("thud", "bang", "far/door")):
        write_audio(root / "sounds" / f"{name}.wav", thuds(16_000, 2.4, seed=k), 16_000)
    rng = np.random.default_rng(0)
    for k in range(4):
        pixels = rng.integers(0, 60 * (k + 1), (40, 50 + k, 3), np.uint8)
        Image.fromarray(pixels).save(root / "photos" / f"{k}.png")
    save_system(root / "s2i.safetensors", "s2i", s2i_networks())
    save_system(root / "scene.safetensors", "sound2scene", scene_networks())
    return root


@pytest.fixture
def here(stage: Path, tmp_path: Path) -> Path:
    shutil.copytree(stage, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def s2i(foley_here: FoleyHere, here: Path) -> FoleyHere:
    """``s2i(*arguments)`` draws ``sounds/thud.wav`` by Sound2Scene."""

    def run(
        *arguments: object, model: str = "scene", sound: str = "sounds/thud.wav", stdin: str = ""
    ) -> Result:
        given = ("s2i", sound, "--model", f"{model}.safetensors", *arguments)
        return foley_here(*given, stdin=stdin)

    return run


def _record(path: Path) -> dict[str, object]:
    with Image.open(path) as image:
        return json.loads(image.text["foley"])


def test_a_sound_becomes_a_picture_that_tells_how(s2i: FoleyHere, here: Path) -> None:
    done = s2i("-o", "a.png", "--seed", 3)
    assert (done.exit_code, done.stdout) == (0, "a.png\n")
    model = file_sha256(here / "scene.safetensors")
    assert f"sound2scene, decoder: generator, model: scene.safetensors (sha256 {model[:12]})" in (
        done.stderr
    )
    with Image.open(here / "a.png") as image:
        assert image.size == (16, 16)
    record = _record(here / "a.png")
    assert record["models"] == [{"name": "scene.safetensors", "sha256": model}]
    assert (record["seed"], record["system"]) == (3, "sound2scene")
    assert record["input"]["sha256"] == file_sha256(here / "sounds/thud.wav")
    assert record["options"]["decoder"] == "generator"


@pytest.mark.parametrize("model", ["scene", "s2i"])
def test_same_seed_same_bytes_wherever_the_files_lie(
    s2i: FoleyHere, here: Path, model: str
) -> None:
    s2i("-o", "a.png", model=model)
    (here / "deep").mkdir()
    shutil.move(here / f"{model}.safetensors", here / "deep")
    s2i("-o", "deep/b.png", model=f"deep/{model}", sound=str(here / "sounds/thud.wav"))
    assert (here / "a.png").read_bytes() == (here / "deep/b.png").read_bytes()
    shutil.copy(here / "sounds/bang.wav", here / "deep")
    for name in ("sounds/bang.wav", "deep/bang.wav"):
        s2i("-o", f"{name[:4]}.png", "--mix", name, "--interp", name, model=f"deep/{model}")
    assert (here / "soun.png").read_bytes() == (here / "deep.png").read_bytes()
    assert _record(here / "deep.png")["read_besides"] == [file_sha256(here / name)] * 2
    s2i("-o", "c.png", "--seed", 1, model=f"deep/{model}")
    with Image.open(here / "a.png") as a, Image.open(here / "c.png") as c:
        assert (np.asarray(a) != np.asarray(c)).any()


def test_a_draw_depends_on_no_other_draw_clip_or_shard(s2i: FoleyHere, here: Path) -> None:
    s2i("-o", "one.png")
    s2i("-o", "three.png", "--samples", 3)
    with Image.open(here / "one.png") as one, Image.open(here / "three.png") as three:
        first = np.asarray(one.resize((96, 96), Image.Resampling.NEAREST))
        sheet = np.asarray(three)
    cells = [sheet[20:116, 4 + 100 * k : 100 + 100 * k] for k in range(3)]
    np.testing.assert_array_equal(cells[0], first)
    assert (cells[1] != cells[0]).any()
    assert (cells[2] != cells[1]).any()
    s2i("-o", "batch/", sound="sounds")
    shard = s2i("-o", "shard/", "--shard", "1/3", sound="sounds")
    assert shard.stdout == "shard/far/door.png\n"
    assert (here / "shard/far/door.png").read_bytes() == (here / "batch/far/door.png").read_bytes()
    assert (here / "batch/thud.png").read_bytes() == (here / "one.png").read_bytes()


@pytest.mark.slow
def test_several_processes_make_what_one_does(s2i: FoleyHere, here: Path) -> None:
    edit = ("--edit", "photos/1.png", "--edit-steps", "2")
    for arguments in (edit, ("--library", "photos")):
        s2i("-o", "one/", *arguments, sound="sounds")
        done = s2i("-o", "two/", *arguments, "-j", 2, sound="sounds")
        assert done.exit_code == 0, done.stderr
        for name in ("thud", "bang", "far/door"):
            made = [(here / folder / f"{name}.png").read_bytes() for folder in ("one", "two")]
            assert made[0] == made[1]


def test_a_gain_sweep_keeps_the_noise_and_tells_what_clips(s2i: FoleyHere, here: Path) -> None:
    done = s2i("-o", "g.png", "--gain-db", "-20,0,20", "--json")
    (output,) = json.loads(done.stdout)["outputs"]
    assert output["columns"] == ["-20 dB", "0 dB", "20 dB"]
    assert output["clipped"]["20 dB"] > 0 == output["clipped"]["0 dB"]
    assert "samples clipped: 20 dB" in done.stderr
    s2i("-o", "plain.png")
    with Image.open(here / "g.png") as sheet, Image.open(here / "plain.png") as plain:
        zero = np.asarray(sheet)[20:116, 104:200]
        np.testing.assert_array_equal(
            zero, np.asarray(plain.resize((96, 96), Image.Resampling.NEAREST))
        )


def test_every_control_makes_its_columns(s2i: FoleyHere, here: Path) -> None:
    bang = "sounds/bang.wav"
    for arguments, columns in (
        (["--mix", f"{bang}:-6", "--mix-norm", "rms"], [""]),
        (["--mix", bang, "--mix-sweep", "0:1:3"], ["mix 0", "mix 0.5", "mix 1"]),
        (["--interp", bang, "--steps", 3], ["t 0", "t 0.5", "t 1"]),
        (["--interp", bang, "--steps", 2, "--slerp"], ["t 0", "t 1"]),
        (["--image", "photos/1.png"], [""]),
        (["--image", "photos/1.png", "--image-weight", "0,1"], ["picture 0", "picture 1"]),
        (["--per-second"], ["0 s", "1 s"]),
        (["--segment", 1, "--samples", 2, "--candidates", 2], [""]),
        (["--truncation", 0.5, "--stretch"], [""]),
    ):
        for suffix in (".png", ".gif"):
            done = s2i("-o", f"x{suffix}", "--json", *arguments)
            assert done.exit_code == 0, done.stderr
            (output,) = json.loads(done.stdout)["outputs"]
            assert output["columns"] == columns, arguments
        with Image.open(here / "x.gif") as image:
            assert image.n_frames == max(len(columns), 2 * ("--samples" in arguments), 1)


def test_candidates_keep_the_picture_most_like_the_sound(s2i: FoleyHere, here: Path) -> None:
    from foleycli.imagination.loading import load_system

    system = load_system([str(here / "scene.safetensors")])
    latent = system.hear(thuds(16_000, 2.4, seed=0), None)[0]
    likeness = []
    for count in (1, 8):
        s2i("-o", "c.png", "--candidates", count)
        with Image.open(here / "c.png") as image:
            likeness.append(float(system.see(np.asarray(image)) @ latent))
    assert likeness[1] > likeness[0]
    eight = (here / "c.png").read_bytes()
    s2i("-o", "c.png")  # what a small model does unless told
    assert (here / "c.png").read_bytes() == eight
    with Image.open(here / "c.png") as image:
        assert json.loads(image.text["foley"])["options"]["candidates"] == 8


def test_an_edit_is_kept_beside_the_output_and_taken_up_again(s2i: FoleyHere, here: Path) -> None:
    edit = ("--edit", "photos/2.png", "--edit-steps", 5, "--edit-gain", "10,-10")
    first = s2i("-o", "out/e.png", *edit, "--edit-strength", "0,2")
    assert first.exit_code == 0, first.stderr
    assert "2.png: inverted, loss" in first.stderr
    kept = here / "out/2.inversion.npz"
    before = kept.read_bytes()
    again = s2i("-o", "out/f.png", *edit, "--edit-strength", "0,2")
    assert "inverted before" in again.stderr
    assert kept.read_bytes() == before
    assert (here / "out/e.png").read_bytes() == (here / "out/f.png").read_bytes()
    other = s2i("-o", "out/f.png", *edit, "--seed", 1)
    assert "2.png: inverted, loss" in other.stderr
    with Image.open(here / "out/e.png") as image:
        sheet = np.asarray(image)
    assert (sheet[20:116, 4:100] != sheet[20:116, 104:200]).any()


def test_an_edit_of_strength_0_is_the_photograph_as_the_generator_draws_it(
    s2i: FoleyHere, here: Path
) -> None:
    import torch

    from foleycli.imagination.inversion import Inversion
    from foleycli.imagination.loading import load_system
    from foleycli.imagination.sheets import as_pixels

    edit = ("--edit", "photos/2.png", "--edit-steps", 5, "--edit-kept", "kept.npz")
    s2i("-o", "e.png", *edit, "--edit-strength", 0)
    found = Inversion.load(here / "kept.npz")
    system = load_system([str(here / "scene.safetensors")])
    with Image.open(here / "e.png") as image:
        np.testing.assert_array_equal(
            np.asarray(image),
            as_pixels(system.draw(found.feature, torch.from_numpy(found.z)[None])),
        )


def test_retrieval_gives_the_nearest_pictures_and_names_broken_ones(
    s2i: FoleyHere, here: Path
) -> None:
    done = s2i("-o", "r.png", "--library", "photos", "--library-index", "i.npz", "--json")
    assert done.exit_code == 0, done.stderr
    assert "decoder: retrieval" in done.stderr
    (output,) = json.loads(done.stdout)["outputs"]
    (nearest,) = output["found"][0]
    with Image.open(here / "r.png") as r, Image.open(here / "photos" / nearest["picture"]) as p:
        np.testing.assert_array_equal(np.asarray(r), np.asarray(p))
    index = (here / "i.npz").read_bytes()
    (here / "photos/broken.jpg").write_bytes(b"no picture")
    done = s2i("-o", "both/", "--library", "photos", "--samples", 2, sound="sounds")
    assert done.exit_code == 1
    assert "photos/broken.jpg: not a picture" in done.stderr
    assert "1 of 5 pictures left out" in done.stderr
    assert len(list((here / "both").rglob("*.png"))) == 3
    s2i("-o", "r.png", "--library", "photos", "--library-index", "i.npz")
    assert (here / "i.npz").read_bytes() != index


def test_resume_makes_again_what_another_library_or_model_would_change(
    s2i: FoleyHere, here: Path
) -> None:
    arguments = ("-o", "out/", "--library", "photos", "--resume", "--json")
    assert len(json.loads(s2i(*arguments, sound="sounds").stdout)["outputs"]) == 3
    assert len(json.loads(s2i(*arguments, sound="sounds").stdout)["skipped"]) == 3
    shutil.copy(here / "photos/0.png", here / "photos/new.png")
    assert len(json.loads(s2i(*arguments, sound="sounds").stdout)["outputs"]) == 3
    save_system(here / "scene.safetensors", "sound2scene", scene_networks(), classes=["new"])
    assert len(json.loads(s2i(*arguments, sound="sounds").stdout)["outputs"]) == 3


def test_retrieval_needs_no_generator_and_drawing_does(s2i: FoleyHere, here: Path) -> None:
    networks = scene_networks()
    del networks["generator"]
    save_system(here / "blank.safetensors", "sound2scene", networks, generator=None)
    done = s2i("-o", "r.png", "--library", "photos", model="blank")
    assert done.exit_code == 0, done.stderr
    done = s2i("-o", "r.png", model="blank")
    assert done.exit_code == 2
    assert "has no generator; add its --model, or give a --library" in done.stderr


def test_s2i_hears_seconds_and_draws_by_dropout(s2i: FoleyHere, here: Path) -> None:
    done = s2i("-o", "a.png", model="s2i")
    assert "heard second" in done.stderr
    done = s2i("-o", "b.gif", "--per-second", "--samples", 2, "--no-dropout", model="s2i")
    assert "--no-dropout leaves nothing" in done.stderr
    done = s2i("-o", "b.gif", "--per-second", "--samples", 2, model="s2i")
    assert done.exit_code == 0, done.stderr
    for name in ("c.png", "d.png"):
        s2i("-o", name, "--no-dropout", "--seed", len(name) + ord(name[0]), model="s2i")
    with Image.open(here / "c.png") as c, Image.open(here / "d.png") as d:
        np.testing.assert_array_equal(np.asarray(c), np.asarray(d))
    done = s2i("-o", "e.png", "--gain-db", "-20,0", "--ref-level", -15, model="s2i")
    assert done.exit_code == 0
    assert "not the track's own" in done.stderr


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("s2i", "--gain-db 0,10", "add --ref-level"),
        ("s2i", "--library photos", "sound2scene --model with its image part"),
        ("s2i", "--candidates 2", "image part"),
        ("s2i", "--truncation 0.5", "for sound2scene"),
        ("s2i", "--interp sounds/bang.wav --slerp", "for sound2scene"),
        ("s2i", "--system sound2scene", "is of s2i, not sound2scene"),
        ("scene", "--ref-level -10", "for s2i"),
        ("scene", "--no-dropout", "for s2i"),
        ("scene", "--decoder retrieval", "needs --library"),
        ("scene", "--decoder generator --library photos", "--decoder retrieval"),
        ("scene", "--library photos --stretch", "for --decoder generator"),
        ("scene", "--library nowhere", "no such folder"),
        ("scene", "--library photos --samples 9", "holds 4 pictures"),
        ("scene", "--edit photos/0.png --samples 2", "own noise"),
        ("scene", "--edit sounds/bang.wav", "bang.wav: not a picture"),
        ("scene", "--edit photos/0.png --edit-kept scene.safetensors", "not a readable"),
        ("scene", "--edit-gain 3", "give two gains"),
        ("scene", "--image nothing.jpg", "nothing.jpg"),
        ("scene", "--mix nothing.wav", "nothing.wav"),
        ("scene", "--interp photos/0.png", "0.png: no audio stream"),
        ("scene", "--gain-db loud", "write numbers as"),
        ("scene", "--gain-db 0:1", "write numbers as"),
        ("scene", "--gain-db 900", "from -100 to 100 dB"),
        ("scene", "--mix sounds/bang.wav:200", "--mix 200: gains are"),
        ("scene", "--gain-db nan", "write numbers as"),
        ("scene", "--mix-sweep 0:1:3", "0 are given to mix"),
        ("scene", "--per-second --gain-db 0,1", "gains and seconds"),
        ("scene", "--segment 7", "no second 7"),
        ("scene", "--truncation 0", "too small"),
        ("s2i", "--ref-level nan", "give a number of dB"),
    ],
)
def test_what_cannot_work_is_told_in_one_line_with_a_remedy(
    s2i: FoleyHere, here: Path, model: str, arguments: str, words: str
) -> None:
    done = s2i("-o", "x.png", *arguments.split(), model=model)
    assert done.exit_code == 2, done.stderr
    said = [line for line in done.stderr.splitlines() if words in line]
    assert len(said) == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert not (here / "x.png").exists()


def test_the_shipped_model_draws_the_same_by_seed_and_others_by_others(
    foley_here: FoleyHere, here: Path
) -> None:
    assert "sound2scene" in embedded_models()
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        done = foley_here("s2i", "sounds/thud.wav", "-o", f"{name}.png", "--seed", seed)
        assert done.exit_code == 0, done.stderr
    first, same, other = ((here / f"{name}.png").read_bytes() for name in "abc")
    assert first == same != other
    with Image.open(here / "a.png") as image:
        assert image.size == (64, 64)
        assert np.asarray(image).std() > 10


def test_without_a_shipped_model_the_remedy_is_told(foley_here: FoleyHere, here: Path) -> None:
    assert "s2i" not in embedded_models()
    done = foley_here("s2i", "sounds/thud.wav", "-o", "x.png", "--system", "s2i")
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert "give one with --model" in line


def test_odd_sounds_are_drawn_or_named(s2i: FoleyHere, here: Path, silent_clip: Path) -> None:
    sounds = here / "odd"
    sounds.mkdir()
    write_audio(sounds / "short.wav", np.array([0.1], np.float32), 16_000)
    write_audio(sounds / "silent.wav", np.zeros(30_000, np.float32), 44_100)
    stereo = np.stack([thuds(44_100, 1.2), thuds(44_100, 1.2, seed=1)])
    write_audio(sounds / "stereo.wav", stereo, 44_100)
    whole = (here / "sounds/thud.wav").read_bytes()
    (sounds / "cut.wav").write_bytes(whole[: len(whole) // 2])
    (sounds / "empty.wav").write_bytes(b"")
    write_audio(sounds / "nothing.wav", np.zeros(0, np.float32), 16_000)
    shutil.copy(silent_clip, sounds / "mute.mp4")
    for model in ("scene", "s2i"):
        done = s2i("-o", f"{model}/", sound="odd", model=model)
        assert done.exit_code == 1
        made = {path.stem for path in (here / model).glob("*.png")}
        assert made == {"short", "silent", "stereo", "cut"}
        assert "silent.wav: the sound is silent" in done.stderr
        assert "mute.mp4: no audio stream" in done.stderr
        assert "3 of 7 failed" in done.stderr


def test_nothing_that_is_read_is_overwritten(s2i: FoleyHere, here: Path) -> None:
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    for arguments in (
        ("-o", "photos/1.png", "--image", "photos/1.png"),
        ("-o", "photos/1.png", "--edit", "photos/1.png"),
        ("-o", "photos/1.png", "--library", "photos"),
        ("-o", "x.png", "--library", "photos", "--library-index", "x.png"),
        ("-o", "x.png", "--library", "photos", "--library-index", "sounds/thud.wav"),
        ("-o", "x.wav"),
    ):
        done = s2i(*arguments)
        assert done.exit_code == 2, (arguments, done.stderr)
        for path, contents in before.items():
            assert path.read_bytes() == contents, (arguments, path)


def test_a_plan_needs_no_model_and_pictures_go_to_standard_output(
    s2i: FoleyHere, foley_here: FoleyHere, here: Path
) -> None:
    done = foley_here("s2i", "sounds", "-o", "out/", "--format", "gif", "--dry-run")
    assert done.stdout.splitlines()[0] == "sounds/bang.wav\tout/bang.gif"
    assert not (here / "out").exists()
    done = s2i("-o", "listed/", sound="-", stdin="sounds/bang.wav\nsounds/thud.wav\n")
    assert done.stdout == "listed/sounds/bang.png\nlisted/sounds/thud.png\n"
    assert s2i("-o", "-").stdout_bytes.startswith(b"\x89PNG")
