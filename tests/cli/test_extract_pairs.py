"""``foley extract --pairs`` and ``--moments`` as a user meets them, and training on both."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from foleycli.checkpoints import load_checkpoint
from foleycli.files.arrays import load_arrays
from foleycli.media.mux import mux
from tests.imagination.conftest import save_system, scene_networks, thuds

FoleyHere = Callable[..., Result]
QUICK = ("--preset", "smoke", "--device", "cpu", "-o", "run")


@pytest.fixture
def here(tmp_path: Path, silent_clip: Path) -> Path:
    """Clips of a second in class folders, one without sound, and a scene model."""
    for label in ("dog", "rain"):
        (tmp_path / "clips" / label).mkdir(parents=True)
        for number in range(3):
            sound = thuds(16_000, 1.0, seed=len(label) + number)
            mux(silent_clip, sound, 16_000, tmp_path / f"clips/{label}/{label}{number}.mp4")
    save_system(tmp_path / "scene.safetensors", "sound2scene", scene_networks())
    return tmp_path


def _json(result: Result) -> dict:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("system", ["s2i", "sound2scene"])
def test_clips_become_pairs_that_train(foley_here: FoleyHere, here: Path, system: str) -> None:
    made = _json(foley_here("extract", "clips", "-o", "pairs", "--pairs", system, "--json"))
    assert [Path(o["output"]).name for o in made["outputs"]] == [
        f"{label}{number}.pairs.npz" for label in ("dog", "rain") for number in range(3)
    ]
    assert {o["class"] for o in made["outputs"]} == {"dog", "rain"}
    assert all((o["sounds"], o["pictures"]) == (1, 1) for o in made["outputs"])
    again = _json(
        foley_here("extract", "clips", "-o", "pairs", "--pairs", system, "--json", "--resume")
    )
    assert len(again["skipped"]) == 6
    trained = foley_here("train", system, "pairs", *QUICK, "--batch", 4)
    assert trained.exit_code == 0, trained.stderr
    model = load_checkpoint(here / "run", kind=system)
    assert model.config["classes"] == ["dog", "rain"]
    assert (model.provenance["data"], model.provenance["clips"]) == ("pairs", 6)
    one = foley_here("train", system, "pairs", *QUICK[:-1], "r", "--classes", "dog", "-n")
    assert _json(one)["clips"] == 3


def test_results_do_not_depend_on_jobs_or_shards(foley_here: FoleyHere, here: Path) -> None:
    foley_here("extract", "clips", "-o", "whole", "--pairs", "s2i", "-q")
    for shard in ("0/2", "1/2"):
        foley_here("extract", "clips", "-o", "parts", "--pairs", "s2i", "-q", "--shard", shard)
    foley_here("extract", "clips", "-o", "jobs", "--pairs", "s2i", "-q", "-j", 2)
    files = [path.relative_to(here / "whole") for path in (here / "whole").rglob("*.npz")]
    assert len(files) == 6
    for name in files:
        contents = {(here / place / name).read_bytes() for place in ("whole", "parts", "jobs")}
        assert len(contents) == 1


def test_classes_of_a_manifest_and_splits_are_kept(foley_here: FoleyHere, here: Path) -> None:
    rows = [f"clips/{c}/{c}{k}.mp4,{c}{k},animal-{c}" for c in ("dog", "rain") for k in range(2)]
    (here / "list.csv").write_text("\n".join(["path,id,class", *rows]))
    foley_here("extract", "list.csv", "-o", "pairs", "--pairs", "s2i", "-q")
    settings = _json(foley_here("train", "s2i", "pairs", *QUICK, "-n"))
    assert settings["classes"] == ["animal-dog", "animal-rain"]
    splits = ["path,class,split"]
    splits += [f"pairs/{c}0.pairs.npz,{c},train" for c in ("dog", "rain")]
    splits += [f"pairs/{c}1.pairs.npz,{c},valid" for c in ("dog", "rain")]
    (here / "split.csv").write_text("\n".join(splits))
    made = _json(foley_here("train", "s2i", "split.csv", *QUICK, "--batch", 2, "--json"))
    assert set(made["valid"]) == {"mse", "mse_shuffled"}
    assert load_checkpoint(here / "run").config["classes"] == ["dog", "rain"]


def test_frames_are_ranked_edited_and_taken(foley_here: FoleyHere, here: Path) -> None:
    rank = ("extract", "clips", "-o", "moments", "--moments", "--model", "scene.safetensors")
    made = foley_here(*rank, "--moments-json", "best.json", "--top", 3, "--device", "cpu")
    assert made.exit_code == 0, made.stderr
    assert len(made.stdout.splitlines()) == 6
    assert "best.json: the best 3 frames of 6 of 6 clips" in made.stderr
    path = here / "moments/dog/dog0.moments.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["rank"] for row in rows] == [str(k) for k in range(1, 11)]
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    best = json.loads((here / "best.json").read_text())
    assert best["dog0"] == [round(10 * float(row["time_s"])) for row in rows[:3]]

    cut = ("extract", "clips", "-o", "pairs", "--pairs", "sound2scene", "--moments-from")
    taken = _json(foley_here(*cut, "moments", "--top", 2, "--json"))["outputs"][0]
    assert (taken["sounds"], taken["pictures"], taken["ranked"]) == (1, 2, True)
    times = load_arrays(here / "pairs/dog/dog0.pairs.npz")[0]["picture_time_s"]
    assert times.tolist() == sorted(float(row["time_s"]) for row in rows[:2])
    path.write_text("time_s\n0.9\n")
    (here / "moments/dog/dog1.moments.csv").unlink()
    foley_here(*cut, "moments", "--resume", "-q")
    assert load_arrays(here / "pairs/dog/dog0.pairs.npz")[0]["picture_time_s"].tolist() == [0.9]
    assert load_arrays(here / "pairs/dog/dog1.pairs.npz")[0]["picture_time_s"].tolist() == [0.5]
    published = foley_here(*cut, "best.json", "--fit", "crop")
    assert "no ranked frames" not in published.stderr
    arrays, meta = load_arrays(here / "pairs/dog/dog0.pairs.npz")
    assert (arrays["picture_time_s"][0], meta["fit"]) == (best["dog0"][0] / 10, "crop")
    trained = foley_here(*("train", "sound2scene", "clips", "--moments", "moments"), *QUICK)
    assert trained.exit_code == 0, trained.stderr


def test_a_failed_clip_is_named_and_the_others_are_listed(
    foley_here: FoleyHere, here: Path, silent_clip: Path
) -> None:
    (here / "clips/rain/mute.mp4").write_bytes(silent_clip.read_bytes())
    (here / "clips/rain/text.mp4").write_text("no film")
    made = foley_here("extract", "clips/rain", "-o", "pairs", "--pairs", "s2i")
    assert made.exit_code == 1
    assert "mute.mp4: no audio stream (found: video/h264)" in made.stderr
    assert "2 of 5 failed" in made.stderr
    assert sorted(p.name for p in (here / "pairs").glob("*.npz")) == [
        f"rain{k}.pairs.npz" for k in range(3)
    ]
    rank = ("--moments", "--model", "scene.safetensors", "--moments-json", "best.json")
    made = foley_here("extract", "clips/rain", "-o", "moments", *rank, "--device", "cpu")
    assert made.exit_code == 1
    assert sorted(json.loads((here / "best.json").read_text())) == ["rain0", "rain1", "rain2"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--pairs", "s2i", "--moments"), "first rank with --moments"),
        (("--fit", "crop"), "--fit and --moments-from are for --pairs"),
        (("--moments", "--moments-from", "m"), "--fit and --moments-from are for --pairs"),
        (("--model", "scene.safetensors"), "are for --moments"),
        (("--top", 3), "--top is for --pairs and --moments"),
        (("--pairs", "s2i", "--top", 3), "give them with --moments-from"),
        (("--moments", "--top", 3), "--moments-json"),
        (("--pairs", "s2i", "--class", "dog"), "are for features"),
        (("--pairs", "s2i", "--fps", 5), "are for features"),
        (("--moments", "--timing", "other"), "are for features"),
        (("--pairs", "s2i", "--moments-from", "nowhere"), "nowhere: no such file or folder"),
        (("--moments", "--model", "nobody"), "nobody: no such model"),
    ],
)
def test_wrong_usage_is_one_line(
    foley_here: FoleyHere, here: Path, options: tuple[object, ...], reason: str
) -> None:
    refused = foley_here("extract", "clips", "-o", "out", *options)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert reason in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not (here / "out").exists()


def test_training_refuses_what_does_not_fit(foley_here: FoleyHere, here: Path) -> None:
    foley_here("extract", "clips", "-o", "pairs", "--pairs", "s2i", "-q")

    def refused(*options: object) -> str:
        found = foley_here("train", *options, *QUICK)
        assert (found.exit_code, found.stdout) == (2, "")
        assert len(found.stderr.splitlines()) == 1, found.stderr
        return found.stderr

    assert "was cut for s2i; cut the clips with --pairs sound2scene" in refused(
        "sound2scene", "pairs"
    )
    assert "no pairs left to train on" in refused("s2i", "pairs", "--classes", "cat")
    assert "pairs is no manifest" in refused("s2i", "pairs", "--where", "tier=free")
    assert "leave out --moments" in refused("s2i", "pairs", "--moments", "pairs")
    (here / "pairs/dog/a.mp4").write_bytes(b"")
    assert "holds clips and pairs; give the folder of one" in refused("s2i", "pairs")


def test_the_authors_records_train_true_pairs(foley_here: FoleyHere, here: Path) -> None:
    rng = np.random.default_rng(0)

    def records(first: int) -> bytes:
        return b"".join(
            f"{1 + k % 2:03}{first:05}{k:03}".encode() + rng.bytes(12_800 + 27_648)
            for k in range(4)
        )

    (here / "records").mkdir()
    for number, name in enumerate(("data_batch_001", "data_batch_002", "val_batch_001")):
        (here / "records" / f"{name}.bin").write_bytes(records(number))
    (here / "records" / "README.md").write_text("passed over")
    made = foley_here("train", "s2i", "records", *QUICK, "--batch", 4, "--json")
    assert set(_json(made)["valid"]) == {"mse", "mse_shuffled"}
    assert "8 seconds of sound and 8 pictures of 2 classes: baby cry, dog" in made.stderr
    model = load_checkpoint(here / "run")
    assert (model.config["classes"], model.provenance["data"]) == (["baby cry", "dog"], "records")
    given = foley_here("train", "s2i", "records", *QUICK[:-1], "second", "--autoencoder", "run")
    assert given.exit_code == 0, given.stderr
    scene = foley_here("train", "sound2scene", "records", *QUICK)
    assert "which sound2scene cannot hear" in scene.stderr
    alone = here / "sounds.bin"
    alone.write_bytes(b"".join(bytes([k % 2]) + rng.bytes(12_800) for k in range(6)))
    ear = foley_here("train", "s2i", "sounds.bin", *QUICK[:-1], "ear")
    assert ear.exit_code == 0, ear.stderr
    assert "only the autoencoder is trained" in ear.stderr
    assert load_checkpoint(here / "ear").kind == "s2i-autoencoder"
