"""The import rules of the house, read from the source (no module is imported)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "foleycli"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 400

# Who may import whom, by the first name under foleycli; "dsp.spec" is one module of it.
MAY_IMPORT = {
    "media": set(),
    "dsp": set(),
    "files": set(),
    "models": {"dsp.spec"},
    "vision": {"models", "media", "dsp"},
    "checkpoints": {"models", "files"},
    "model_parts": set(),
    "drawing": {"dsp", "files"},
    "spectrograms": {"dsp", "files"},
    "published": {"models", "checkpoints", "files"},
    "downloads": {"files"},
    "sound_embedding": {"models", "checkpoints", "published", "dsp", "files"},
    "training": {
        *("models", "vision", "sound_embedding", "sound_codes", "checkpoints", "published"),
        *("dsp", "media", "files"),
    },
    "generation": {"models", "vision", "checkpoints", "dsp", "media", "files"},
    "imagination": {
        *("models", "vision", "checkpoints", "model_parts"),
        *("dsp", "media", "files"),
    },
    "sound_codes": {
        *("models", "vision", "sound_embedding", "checkpoints", "model_parts", "published"),
        *("dsp", "media", "metrics", "files"),
    },
    "metrics": {"models", "dsp", "files"},
    "evaluation": {
        *("metrics", "vision", "sound_embedding", "checkpoints", "published"),
        *("models", "dsp", "media", "files"),
    },
    "survey": {"evaluation", "metrics", "media", "files"},
    "cli": {
        *(
            "training",
            "generation",
            "sound_codes",
            "metrics",
            "survey",
            "vision",
            "drawing",
            "spectrograms",
        ),
        *("evaluation", "imagination", "sound_embedding", "checkpoints", "published"),
        *("downloads", "dsp", "media", "files"),
    },
}
# Files shared by all: how to write one whole.
EVERYWHERE = {"files.atomic"}
# Third-party packages with one home: folders, or single modules.
ONLY_IN = {
    "typer": {"cli"},
    "rich": {"cli"},
    "tqdm": {"cli"},
    "av": {"media"},
    "soundfile": {"media"},
    "torchaudio": {"dsp.mel"},
    "matplotlib": {"drawing", "survey.plot"},
    "librosa": {"dsp.front_ends.cqt", "metrics.librosa_onsets"},
    "pyloudnorm": {"metrics.loudness"},
    "sklearn": {"metrics.bins", "metrics.two_sample"},
    "PIL": {"media.stills", "vision.clip_retrieval", "imagination.sheets"},
}
BANNED_NAMES = {"utils", "util", "misc", "helpers", "common", "core", "base"}


def module_of(path: Path) -> str:
    """``dsp.mel`` for foleycli/dsp/mel.py."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, at any level, by full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, homes: set[str]) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in homes)


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_nothing_imports_upward(path: Path) -> None:
    here = module_of(path)
    part = here.partition(".")[0]
    if part in ("__init__", "__main__"):
        return
    assert part in MAY_IMPORT, f"{part} is not in the import rules"
    ours = {name.removeprefix("foleycli.") for name in imports_of(path) if "foleycli." in name}
    allowed = MAY_IMPORT[part] | {part, "__version__"} | EVERYWHERE
    assert {name for name in ours if not within(name, allowed)} == set()


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_third_party_packages_stay_in_their_homes(path: Path) -> None:
    here = module_of(path)
    packages = {name.partition(".")[0] for name in imports_of(path)}
    strays = {p for p in packages & ONLY_IN.keys() if not within(here, ONLY_IN[p])}
    assert strays == set()


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_only_the_command_line_prints_or_exits(path: Path) -> None:
    if within(module_of(path), {"cli", "__main__"}):
        return
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert calls & {"print", "exit", "quit", "sys.exit", "os._exit", "sys.stdout.write"} == set()


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_files_are_short_and_named_for_what_they_do(path: Path) -> None:
    assert path.stem not in BANNED_NAMES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_networks_know_no_files() -> None:
    for path in (PACKAGE / "models").glob("*.py"):
        assert imports_of(path) & {"pathlib.Path", "os", "json", "safetensors"} == set(), path


def test_tests_have_unique_names() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names))
