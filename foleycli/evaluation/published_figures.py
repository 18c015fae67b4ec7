"""Figures that papers print, table by table, as they print them."""

from __future__ import annotations

from dataclasses import dataclass

from foleycli.evaluation.report import ALL


@dataclass(frozen=True)
class Column:
    """A column of a paper.

    Attributes
    ----------
    metric : str
        Key of the figure that goes here.
    heading : str
        As the paper has it.
    digits : int
        Decimals that the paper prints.
    scale : float
        Times which a figure is shown: 100 for percent.
    label : str
        Class in small letters; :data:`~foleycli.evaluation.report.ALL` for all together.
    """

    metric: str
    heading: str
    digits: int
    scale: float = 1.0
    label: str = ALL


@dataclass(frozen=True)
class PublishedTable:
    """A table of a paper.

    Attributes
    ----------
    name : str
    title : str
        What its rows are.
    paper : str
    year : int
    place : str
        Where in the paper.
    columns : tuple of Column
    rows : tuple of (str, tuple of float)
        Name, and a value for each column.
    """

    name: str
    title: str
    paper: str
    year: int
    place: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[float, ...]], ...]

    @property
    def citation(self) -> str:
        """Say where it is from."""
        return f"{self.paper}, {self.year}, {self.place}"


_FOLEYGAN = "S. Ghose and J. J. Prevost, FoleyGAN, IEEE Transactions on Multimedia", 2022
_SPECVQGAN = "V. Iashin and E. Rahtu, Taming Visually Guided Sound Generation, BMVC", 2021

_SCORES = (
    Column("is", "IS", 2),
    Column("fd", "FID", 0),
    Column("ndb", "NDB", 2),
    Column("accuracy", "Accuracy (%)", 2, scale=100.0),
)
_REAL = 11.42, 11.0, 3.23, 78.32
_GUIDED = 10.97, 67.0, 18.47, 76.08

_NDB_BY_CLASS = {  # by encoding: STFT, CQT, MS, MFCC, LMS
    "Break": (31.6, 30.1, 28.4, 29.3, 23.5),
    "Car": (22.8, 27.5, 30.2, 21.8, 21.6),
    "Clock": (15.3, 20.4, 19.1, 14.0, 11.2),
    "Chopping": (21.6, 18.5, 22.1, 17.2, 15.7),
    "Fire": (15.1, 17.4, 15.3, 13.6, 12.0),
    "Footstep": (18.9, 21.0, 19.1, 18.2, 13.3),
    "Gunshot": (26.7, 28.1, 30.4, 25.6, 24.5),
    "Horse": (19.9, 20.3, 21.2, 19.1, 17.3),
    "Rain": (12.8, 13.4, 13.9, 12.4, 12.1),
    "Thunder": (34.1, 31.7, 36.5, 35.3, 33.8),
    "Typing": (27.6, 29.8, 31.0, 28.1, 27.2),
    "Waterfall": (10.7, 11.5, 12.3, 11.2, 9.4),
}
_NDB_AVERAGE = 21.43, 22.48, 23.29, 20.48, 18.47
_BY_ENCODING = tuple(zip(*_NDB_BY_CLASS.values(), _NDB_AVERAGE, strict=True))

_FIDELITY_AND_RELEVANCE = Column("fd", "FID", 1), Column("mkl", "MKL", 1)
# FID and MKL, each in the settings (a) VGGSound, (b) VAS by VGGSound's codebook, (c) VAS by its own
_BY_CONDITION = {
    "no features": (13.5, 9.7, 33.7, 9.6, 28.7, 9.2),
    "ResNet-50, 1 feature": (11.5, 7.3, 26.5, 6.7, 25.1, 6.3),
    "ResNet-50, 5 features": (11.3, 7.0, 22.3, 6.5, 20.9, 6.1),
    "ResNet-50, 212 features": (10.5, 6.9, 20.8, 6.2, 22.6, 5.8),
    "BN-Inception, 1 feature": (8.6, 7.7, 38.6, 7.3, 25.1, 6.6),
    "BN-Inception, 5 features": (9.4, 7.0, 29.1, 6.9, 24.8, 6.2),
    "BN-Inception, 212 features": (9.6, 6.8, 20.5, 6.0, 25.4, 5.9),
}
_BY_CLASS_TOO = "BN-Inception, 212 features, class"

_ALL_TABLES = (
    PublishedTable(
        "foleygan-ii",
        "Samples",
        *_FOLEYGAN,
        "Table II",
        _SCORES,
        (
            ("Real data", _REAL),
            ("FoleyGAN", _GUIDED),
            ("FoleyGAN without visual guidance", (9.22, 181.0, 26.53, 64.61)),
            ("AutoFoley, frame sequence", (10.40, 127.0, 20.94, 65.79)),
            ("AutoFoley, frame relation", (10.72, 119.0, 20.03, 63.40)),
            ("GANSynth (IF-Mel + H)", (10.87, 115.0, 22.14, 73.12)),
            ("Taming VGSG", (10.47, 121.0, 20.63, 68.16)),
            ("SpecGAN", (8.62, 271.0, 30.07, 61.75)),
            ("WaveGAN", (7.36, 322.0, 34.91, 59.93)),
        ),
    ),
    PublishedTable(
        "foleygan-iii",
        "Training data",
        *_FOLEYGAN,
        "Table III",
        _SCORES,
        (
            ("Real data", _REAL),
            ("AFD", _GUIDED),
            ("YouTube8M subset", (10.04, 114.0, 20.03, 70.16)),
            ("AudioSet subset", (9.72, 102.0, 21.16, 68.71)),
        ),
    ),
    PublishedTable(
        "foleygan-iv",
        "NDB by class",
        *_FOLEYGAN,
        "Table IV (k = 50)",
        (
            *(Column("ndb", name, 1, label=name.casefold()) for name in _NDB_BY_CLASS),
            Column("ndb", "Average", 2),
        ),
        tuple(zip(("STFT", "CQT", "MS", "MFCC", "LMS"), _BY_ENCODING, strict=True)),
    ),
    PublishedTable(
        "specvqgan-vas",
        "VAS",
        *_SPECVQGAN,
        "Tables 1, 3 (b, c) and 4",
        _FIDELITY_AND_RELEVANCE,
        (
            ("VGGSound codebook, reconstruction", (3.2, 0.7)),
            ("VAS codebook, reconstruction", (6.0, 1.0)),
            *((f"VGGSound codebook, {name}", v[2:4]) for name, v in _BY_CONDITION.items()),
            (f"VGGSound codebook, {_BY_CLASS_TOO}", (20.2, 5.7)),
            *((f"VAS codebook, {name}", v[4:6]) for name, v in _BY_CONDITION.items()),
            (f"VAS codebook, {_BY_CLASS_TOO}", (24.9, 5.5)),
            ("RegNet", (78.8, 5.7)),
        ),
    ),
    PublishedTable(
        "specvqgan-vggsound",
        "VGGSound",
        *_SPECVQGAN,
        "Tables 1 and 3 (a)",
        _FIDELITY_AND_RELEVANCE,
        (
            ("Codebook, reconstruction", (1.0, 0.8)),
            *((name[0].upper() + name[1:], v[0:2]) for name, v in _BY_CONDITION.items()),
        ),
    ),
)
TABLES = {table.name: table for table in _ALL_TABLES}
