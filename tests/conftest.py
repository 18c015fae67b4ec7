"""Fixtures every test may use."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("foley", deadline=None, derandomize=True)  # same examples on any machine
settings.load_profile("foley")

ROOT = Path(__file__).resolve().parents[1]


# The shell that started this in the background has Ctrl-C ignored, and so would what tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The workshop folder with real media and golden outputs; a stranger's clone has none."""
    folder = Path(os.environ.get("FOLEY_SHARED", ROOT.parent / "shared"))
    if not (folder / "data" / "manifest.csv").is_file():
        pytest.skip(f"needs the real media and goldens, not found at {folder} (set FOLEY_SHARED)")
    return folder
