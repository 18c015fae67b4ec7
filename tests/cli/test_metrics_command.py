"""``foley metrics`` as its users meet it: files in, one report out, exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foleycli.evaluation.samples import Samples
from foleycli.media.audio import write_audio

RATE_HZ = 22_050
PER_CLASS = 5
FEW = "fd,kid,mkl,accuracy"


def clicks(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Damped clicks every 0.3 to 0.5 s."""
    sound = np.zeros(samples)
    ring = np.exp(-np.arange(2000) / 150) * rng.standard_normal(2000)
    start = int(rng.uniform(0.1, 0.2) * RATE_HZ)
    while start < samples - 2000:
        sound[start : start + 2000] += ring
        start += int(rng.uniform(0.3, 0.5) * RATE_HZ)
    return 0.8 * sound / np.abs(sound).max()


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``real``, ``near`` (a little noise) and ``far`` (other sounds and lengths) of two classes."""
    folder = tmp_path_factory.mktemp("sides")
    rng = np.random.default_rng(0)
    for number in range(PER_CLASS):
        for label in ("clock", "rain"):
            samples = 2 * RATE_HZ
            noise = 0.1 * rng.standard_normal(samples)
            real = clicks(rng, samples) if label == "clock" else noise
            made = {
                "real": real,
                "near": real + 0.003 * rng.standard_normal(samples),
                "far": 0.3 * np.sin(np.arange(samples + RATE_HZ) * rng.uniform(0.02, 0.3)),
            }
            for side, sound in made.items():
                path = folder / side / label / f"{number}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_audio(path, sound.clip(-1, 1).astype(np.float32), RATE_HZ)
    return folder


@pytest.fixture(scope="module")
def statistics(sides: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real side, measured once."""
    from typer.testing import CliRunner

    from foleycli.cli.main import app

    path = tmp_path_factory.mktemp("statistics") / "real.npz"
    found = CliRunner().invoke(app, ["metrics", "stats", str(sides / "real"), "-o", str(path)])
    assert found.exit_code == 0, found.stderr
    return path


def figures_of(report: dict[str, Any]) -> dict[tuple[str, str], Any]:
    return {(f["metric"], f["system"]): f["value"] for f in report["figures"]}


def test_one_run_tells_near_from_far(foley, sides: Path) -> None:
    done = foley(
        "metrics", "--real", sides / "real", "--fake", sides / "near", "--fake", sides / "far",
        "--json", "--replicates", 100, "-j", 2,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["systems"] == ["near", "far"]
    assert {"real/real", "ground truth", "+40 ms", "shuffled"} <= set(report["references"])
    found = figures_of(report)
    assert found["fd", "near"] < found["fd", "far"]
    assert found["mkl", "near"] < found["mkl", "far"]
    assert found["lsd", "near"] < found["lsd", "far"]
    assert found["onset_f_50", "ground truth"] == 1
    assert found["onset_f_25", "+40 ms"] < found["onset_f_25", "ground truth"]
    assert found["wrong_duration_files", "far"] == 2 * PER_CLASS
    assert found["wrong_duration_files", "near"] == 0
    difference = {d["metric"]: d for d in report["differences"]}["mkl"]
    assert (difference["first"], difference["second"]) == ("near", "far")
    assert difference["difference"] < 0 < difference["p_value"] < 0.05
    assert difference["paired"]
    manifest = report["manifest"]
    assert manifest["real"]["count"] == 2 * PER_CLASS
    assert len(manifest["network"]["sha256"]) == 64


def test_report_is_the_same_whatever_the_jobs(foley, sides: Path) -> None:
    told = [
        foley(
            "metrics", "--real", sides / "real", "--fake", sides / "near", "--json",
            "--metrics", f"{FEW},onset_f_50,lsd", "--replicates", 100, "-j", jobs,
        ).stdout
        for jobs in (1, 2)
    ]  # fmt: skip
    assert told[0] == told[1] != ""


def test_shards_put_together_are_the_whole(foley_here, sides: Path, statistics: Path) -> None:
    for shard in (0, 1):
        foley_here(
            "metrics", "stats", sides / "real", "-o", f"{shard}.npz", "--shard", f"{shard}/2"
        )
    done = foley_here("metrics", "stats", "1.npz", "0.npz", "-o", "whole.npz")
    assert done.stdout == "whole.npz\n"
    assert Path("whole.npz").read_bytes() == statistics.read_bytes()


def test_statistics_stand_for_their_files(foley_here, sides: Path, statistics: Path) -> None:
    given = ("--fake", sides / "near", "--metrics", FEW, "--json", "--replicates", 100)
    by_files = json.loads(foley_here("metrics", "--real", sides / "real", *given).stdout)
    by_statistics = json.loads(foley_here("metrics", "--real", statistics, *given).stdout)
    assert by_files["figures"] == by_statistics["figures"]
    assert by_files["manifest"] == by_statistics["manifest"]


def test_set_against_itself_does_not_differ(foley_here, statistics: Path) -> None:
    done = foley_here(
        "metrics", "--real", statistics, "--fake", statistics, "--metrics", "sets,mkl", "--json"
    )
    found = figures_of(json.loads(done.stdout))
    assert found["fd", "real"] < 1e-9
    assert found["mkl", "real"] == pytest.approx(0, abs=1e-4)
    assert found["ndb", "real"] == 0
    assert found["jsd", "real"] == 0


def test_bad_file_is_named_and_left_out(foley_here, sides: Path, tmp_path: Path) -> None:
    bad = tmp_path / "made" / "clock" / "3.wav"
    for path in (sides / "near").rglob("*.wav"):
        copy = tmp_path / "made" / path.relative_to(sides / "near")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    bad.write_text("not a sound")
    given = ("metrics", "--real", sides / "real", "--fake", "made", "--metrics", FEW)
    done = foley_here(*given, "--json")
    assert done.exit_code == 1
    assert "made/clock/3.wav" in done.stderr
    report = json.loads(done.stdout)
    assert list(report["failures"]) == ["made/clock/3.wav"]
    counts = {f["metric"]: f["count"] for f in report["figures"] if f["system"] == "made"}
    assert counts["mkl"] == 2 * PER_CLASS - 1  # its partner is left out without complaint
    strict = foley_here(*given, "--strict")
    assert strict.exit_code == 2
    assert strict.stdout == ""
    assert "made/clock/3.wav" in strict.stderr
    kept = foley_here("metrics", "stats", "made", "-o", "made.npz")
    assert kept.exit_code == 1
    assert len(Samples.load("made.npz")) == 2 * PER_CLASS - 1
    assert foley_here("metrics", "stats", "made", "-o", "no.npz", "--strict").exit_code == 2
    assert not Path("no.npz").exists()


def test_limits_decide_the_exit_code(foley_here, sides: Path, statistics: Path) -> None:
    given = ("metrics", "--real", statistics, "--fake", sides / "near", "--metrics", "fd,mkl")
    assert foley_here(*given, "--fail-over", "fd=1e6", "--fail-under", "mkl=-1").exit_code == 0
    done = foley_here(*given, "--fail-over", "fd=1e-9")
    assert done.exit_code == 1
    assert "fd of near is" in done.stderr
    missing = foley_here(*given, "--fail-over", "kid=1")
    assert missing.exit_code == 1
    assert "kid of near was not computed" in missing.stderr


def test_figure_asked_for_by_name_is_missed(foley_here, statistics: Path, sides: Path) -> None:
    given = ("metrics", "--real", statistics, "--fake", sides / "near", "--json")
    done = foley_here(*given, "--metrics", "fd,onset_f_50")
    assert done.exit_code == 1
    assert "onset_f_50 of near could not be had: needs the sounds themselves" in done.stderr
    assert figures_of(json.loads(done.stdout))["onset_f_50", "near"] is None


def test_other_tools_embeddings_are_a_side(foley_here, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez("real.npz", embeddings=rng.standard_normal((40, 4)))
    np.save("made.npy", rng.standard_normal((30, 4)) + 1)
    done = foley_here("metrics", "--real", "real.npz", "--fake", "made.npy", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert figures_of(report)["fd_corrected", "made"] == pytest.approx(4, rel=0.5)
    assert figures_of(report)["ndb", "made"] is None
    assert any("no figures of pairs" in line for line in report["warnings"])


def test_forms_agree(foley_here, statistics: Path, sides: Path) -> None:
    given = ("metrics", "--real", statistics, "--fake", sides / "near", "--metrics", FEW)
    report = json.loads(foley_here(*given, "--json").stdout)
    rows = list(csv.DictReader(io.StringIO(foley_here(*given, "--csv").stdout)))
    whole = {(r["metric"], r["system"]): float(r["value"]) for r in rows if not r["class"]}
    assert whole == figures_of(report)
    shown = f"{figures_of(report)['fd', 'near']:.3f}"
    for form in ((), ("--markdown",), ("--latex",)):
        assert shown in foley_here(*given, *form).stdout


def test_table_prints_published_rows_beside_ours(foley_here, statistics: Path, sides: Path) -> None:
    done = foley_here(
        "metrics", "--real", statistics, "--fake", f"ours={sides / 'near'}",
        "--table", "foleygan-ii", "--csv", "--replicates", 100,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "ours" in done.stdout
    assert "measured" in done.stdout
    published = next(line for line in done.stdout.splitlines() if "AutoFoley" in line)
    assert "published" in published


def test_baselines_stand_beside_the_systems(foley_here, sides: Path) -> None:
    done = foley_here(
        "metrics", "--real", sides / "real", "--fake", sides / "near", "--json",
        "--metrics", "fd,onset_f_50", "--baseline", "shaped-noise", "--baseline", "real",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    found = figures_of(json.loads(done.stdout))
    assert found["fd", "baseline shaped-noise"] is not None
    assert found["onset_f_50", "baseline real"] > found["onset_f_50", "baseline shaped-noise"]


def test_rows_by_file_are_written(foley_here, sides: Path, statistics: Path) -> None:
    given = ("metrics", "--real", statistics, "--fake", sides / "near", "--metrics", "mkl")
    assert foley_here(*given, "--per-file", "rows.jsonl").exit_code == 0
    rows = [json.loads(line) for line in Path("rows.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows[:2]] == ["clock/0", "clock/1"]
    assert rows[0]["label"] == "clock"
    assert {"mkl", "loudness_lufs", "answer"} <= rows[0].keys()
    assert foley_here(*given, "--per-file", "rows.txt").exit_code == 2


def test_bins_are_kept_for_other_sets(foley_here, statistics: Path) -> None:
    given = ("metrics", "--real", statistics, "--fake", statistics, "--metrics", "ndb", "--json")
    first = foley_here(*given, "--ndb-bins", "bins.npz", "--ndb-k", 3)
    written = Path("bins.npz").read_bytes()
    again = foley_here(*given, "--ndb-bins", "bins.npz")
    assert Path("bins.npz").read_bytes() == written
    assert first.stdout == again.stdout.replace('"bins": null', '"bins": 3')
    assert figures_of(json.loads(first.stdout))["ndb", "real"] == 0


def test_pictures_are_compared_too(foley_here, tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for side, level in (("real", 60), ("made", 90)):
        for number in range(6):
            path = tmp_path / side / "fire" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, level, (40, 50, 3), np.uint8)).save(path)
    done = foley_here("metrics", "--real", "real", "--fake", "made", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    assert figures_of(report)["fd", "made"] > 0
    assert report["manifest"]["network"]["kind"] == "pictures"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--real", "real"), "needs --real PATH and --fake PATH"),
        (("--real", "absent", "--fake", "real"), "absent: no such file or folder"),
        (("--real", "real", "--fake", "real", "--metrics", "onset_f"), "near it: onset_f_"),
        (("--real", "real", "--fake", "real", "--fail-over", "fd"), "METRIC=VALUE"),
        (("--real", "real", "--fake", "real", "--json", "--csv"), "choose one"),
        (("--real", "real", "--fake", "real", "--fake", "real"), "two systems are called real"),
        (("--real", "real", "--fake", "real", "--table", "foleygan-i"), "foleygan-ii"),
        (("--real", "real", "--fake", "real", "--baseline", "noise"), "shaped-noise"),
        (("--real", "real", "--fake", "real", "--network", "absent"), "no such model"),
        (("--real", "real", "--fake", "real", "--video", "real"), "nothing to work on"),
    ],
)
def test_wrong_usage_is_two(
    foley_here, tmp_path: Path, sides: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "real").symlink_to(sides / "real")
    done = foley_here("metrics", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_options_may_come_from_a_file(foley_here, statistics: Path, tmp_path: Path) -> None:
    (tmp_path / "foley.toml").write_text('[metrics]\nmetrics = "fd"\n')
    done = foley_here(
        "--config", "foley.toml", "metrics", "--real", statistics, "--fake", statistics, "--json"
    )
    assert done.exit_code == 0, done.stderr
    assert {f["metric"] for f in json.loads(done.stdout)["figures"]} == {"fd"}
