"""Tables of the papers: their figures are theirs, ours stand beside them, and each is marked."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from foleycli.evaluation import published
from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.published_figures import TABLES
from foleycli.evaluation.report import Figure, Report

FORMS = (
    published.as_text,
    published.as_markdown,
    published.as_latex,
    published.as_csv,
    published.as_dict,
    published.table_rows,
)


def small_report() -> Report:
    return Report(
        ("ours", "base"),
        ("real/real", "+40 ms"),
        [
            Figure("is", "ours", 9.876, spread=0.25, count=96),
            Figure("is", "base", 8.0, spread=0.25, count=96),
            Figure("ndb", "ours", 12.5, count=96),
            Figure("ndb", "base", None, note="no class in common"),
            Figure("accuracy", "ours", 0.625, 0.5, 0.75, count=96),
            Figure("accuracy", "base", 0.75, 0.5, 0.875, count=96),
            Figure("fd", "real/real", 1.5, count=48),
            Figure("ndb", "ours", 7.0, label="Rain"),
            Figure("onset_f_50", "+40 ms", 0.5),
        ],
    )


TEXT = """\
S. Ghose and J. J. Prevost, FoleyGAN, IEEE Transactions on Multimedia, 2022, Table III

Training data                 IS            FID      NDB    Accuracy (%)
----------------------------  ------------  -------  -----  ------------------
ours (measured)                9.88 ± 0.25    -      12.50  62.5  [50.0, 75.0]
base (measured)                8.00 ± 0.25    -       -     75.0  [50.0, 87.5]
real/real (measured)           -              1.500   -      -
Real data (published)         11.42          11       3.23  78.32
AFD (published)               10.97          67      18.47  76.08
YouTube8M subset (published)  10.04         114      20.03  70.16
AudioSet subset (published)    9.72         102      21.16  68.71

NDB (base): not computed: no class in common
published figures come from other data and another network: a row compares only with measured rows \
of one report
"""


def test_text_is_exactly_this() -> None:
    assert published.as_text(small_report(), "foleygan-iii") == TEXT


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_asked(name: str, width: int) -> None:
    lines = published.as_text(small_report(), name, width).splitlines()
    assert max(map(len, lines)) <= width


def test_best_measured_system_is_bold_and_published_rows_never_are() -> None:
    lines = published.as_markdown(small_report(), "foleygan-ii").splitlines()
    bold = {line for line in lines if "**" in line}
    assert bold == {
        "| ours (measured) | **9.88** ± 0.25 | - | 12.50 | 62.5 [50.0, 75.0] |",
        "| base (measured) | 8.00 ± 0.25 | - | - | **75.0** [50.0, 87.5] |",
    }
    assert r"FoleyGAN (published) & 10.97 & 67 & 18.47 & 76.08 \\" in published.as_latex(
        small_report(), "foleygan-ii"
    )


@pytest.mark.parametrize("name", TABLES)
def test_every_form_warns_against_comparing_the_two_kinds(name: str) -> None:
    report = small_report()
    for form in (published.as_text, published.as_markdown, published.as_latex):
        assert published.CAUTION in form(report, name)
    assert published.as_dict(report, name)["caution"] == published.CAUTION
    rows = csv.DictReader(io.StringIO(published.as_csv(report, name)))
    assert {row["source"] for row in rows} == {"measured", "published"}


def test_csv_and_json_have_all_digits_on_the_scale_of_the_paper() -> None:
    entries = published.as_dict(small_report(), "foleygan-ii")["rows"]
    (ours,) = (e for e in entries if e["row"] == "ours" and e["metric"] == "accuracy")
    assert ours == {
        **{"table": "foleygan-ii", "row": "ours", "source": "measured", "role": "system"},
        **{"column": "Accuracy (%)", "metric": "accuracy", "value": 62.5, "low": 50.0},
        **{"high": 75.0, "spread": None, "count": 96, "note": ""},
    }
    (theirs,) = (e for e in entries if e["row"] == "WaveGAN" and e["metric"] == "accuracy")
    assert (theirs["value"], theirs["source"], theirs["role"]) == (59.93, "published", "")
    rows = list(csv.DictReader(io.StringIO(published.as_csv(small_report(), "foleygan-ii"))))
    assert [row["value"] for row in rows] == [
        "" if e["value"] is None else repr(e["value"]) for e in entries
    ]
    json.dumps(published.as_dict(small_report(), "foleygan-ii"), allow_nan=False)


def test_class_is_found_whatever_its_case() -> None:
    rows = published.table_rows(small_report(), "foleygan-iv")
    headings = [column.heading for column in TABLES["foleygan-iv"].columns]
    rain = rows[0].figures[headings.index("Rain")]
    assert rain is not None
    assert rain.value == 7.0
    text = published.as_text(small_report(), "foleygan-iv")
    assert "Break, Car, Clock, Chopping, Fire, Footstep, Gunshot, Horse, Thunder" in text
    assert "Waterfall: not measured" in text


def test_reference_without_a_figure_in_a_table_is_not_in_it() -> None:
    names = [row.name for row in published.table_rows(small_report(), "foleygan-ii")]
    assert names[:3] == ["ours", "base", "real/real"]
    assert "+40 ms" not in names


@pytest.mark.parametrize("form", FORMS)
def test_unknown_table_is_refused_with_those_that_there_are(form: object) -> None:
    with pytest.raises(ValueError, match=r"no table foley; there are foleygan-ii, foleygan-iii, "):
        form(small_report(), "foley")  # type: ignore[operator]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_tables_are_whole(table: published.PublishedTable) -> None:
    assert all(len(values) == len(table.columns) for _, values in table.rows)
    assert {column.metric for column in table.columns} <= METRICS.keys()
    names = [name for name, _ in table.rows]
    assert len(set(names)) == len(names)


def test_average_of_table_iv_is_the_mean_over_classes() -> None:
    for _, values in TABLES["foleygan-iv"].rows:
        assert values[-1] == pytest.approx(sum(values[:-1]) / 12, abs=0.006)


def test_published_figures_are_those_of_the_papers(shared: Path) -> None:
    """The values of a row stand side by side in the paper; in Table IV, those of a column."""
    papers = {
        "foleygan": (shared / "papers" / "foleygan.txt").read_text(encoding="utf-8"),
        "specvqgan": (shared / "papers" / "specvqgan.txt").read_text(encoding="utf-8"),
    }
    for table in TABLES.values():
        lines = papers[table.name.partition("-")[0]].splitlines()
        lines = [line.replace("<b>", "").replace("</b>", "") for line in lines]
        rows = [values for _, values in table.rows]
        if table.name == "foleygan-iv":
            rows = list(zip(*rows, strict=True))
            digits = [[column.digits] * 5 for column in table.columns]
        else:
            digits = [[column.digits for column in table.columns]] * len(rows)
        for values, places in zip(rows, digits, strict=True):
            shown = [f"{value:.{n}f}" for value, n in zip(values, places, strict=True)]
            assert any("\t".join(shown) in line for line in lines), (table.name, shown)
