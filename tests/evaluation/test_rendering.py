"""Reports for readers: exact text, every width, nothing that Markdown or LaTeX would misread."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foleycli.evaluation.catalogue import METRICS
from foleycli.evaluation.cells import figure_cells, number
from foleycli.evaluation.rendering import as_latex, as_markdown, as_text
from foleycli.evaluation.report import Difference, Figure, Report
from foleycli.evaluation.tables import LEAST_WIDTH, Row, Table
from foleycli.evaluation.tables import latex as table_latex
from foleycli.evaluation.tables import markdown as table_markdown
from foleycli.evaluation.tables import text as table_text


def small_report() -> Report:
    return Report(
        systems=("ours", "base"),
        references=("real/real", "+40 ms"),
        figures=[
            Figure("mkl", "base", None, note="3 files without partner"),
            Figure("mkl", "ours", 1.25, 1.0, 1.5, count=40),
            Figure("is", "ours", 8.913, spread=0.214, count=96),
            Figure("is", "base", 7.02, spread=0.3, count=96),
            Figure("fd", "ours", 12.31, 11.2, 13.4, count=96, note="rank 95"),
            Figure("fd", "base", 15.5, 14.125, 16.875, count=96, note="rank 95"),
            Figure("fd", "real/real", 1.5, count=48, note="rank 47"),
            Figure("onset_offset_ms", "ours", -3.04, -5, 1),
            Figure("onset_offset_ms", "+40 ms", 40),
            Figure("fd", "ours", 20.0, label="rain"),
            Figure("fd", "base", 21.0, label="rain"),
            Figure("fd", "ours", None, label="car", note="2 files"),
        ],
        differences=[
            Difference("fd", "ours", "base", -3.19, 0.003, False),
            Difference("is", "ours", "base", 1.893, 0.0004, True),
        ],
        warnings=["ours: 96 files are few"],
        failures={f"ours/{i}.wav": "no audio stream" for i in range(7)},
        manifest={
            "level": 0.95,
            "real": {"count": 96, "sha256": "ab" * 32},
            "systems": {"ours": {"count": 1, "sha256": "cd" * 32}},
            "network": {"name": "sound-net", "sha256": "ef" * 32},
            "seed": 0,
            "version": "1.2.3",
        },
    )


TEXT = """\
Sets                ours                     base                     ours less base    real/real
------------------  -----------------------  -----------------------  ----------------  ---------
Inception Score ↑    8.91  ± 0.21             7.02  ± 0.30            +1.89  p < 0.001
Frechet distance ↓  12.310 [11.200, 13.400]  15.500 [14.125, 16.875]  -3.190 p = 0.003  1.500

Frechet distance (ours, base): rank 95
Frechet distance (real/real): rank 47
p of Inception Score: paired permutation test, two-sided
p of Frechet distance: unpaired permutation test, two-sided

Pairs        ours                  base
-----------  --------------------  ----
MKL (nat) ↓  1.250 [1.000, 1.500]  -

MKL (base): not computed: 3 files without partner

Synchrony              ours              base  +40 ms
---------------------  ----------------  ----  ------
Onset offset (ms) → 0  -3.0 [-5.0, 1.0]        40.0

Frechet distance ↓  ours                     base
------------------  -----------------------  -----------------------
car                  -
rain                20.000                   21.000
all                 12.310 [11.200, 13.400]  15.500 [14.125, 16.875]

Frechet distance (car, ours): not computed: 2 files

[low, high]: 95 % interval; ±: standard deviation over splits or subsets

warnings:
  ours: 96 files are few

7 files left out:
  ours/0.wav: no audio stream
  ours/1.wav: no audio stream
  ours/2.wav: no audio stream
  ours/3.wav: no audio stream
  ours/4.wav: no audio stream
  and 2 more

measured:
  real: 96 files, sha256 abababababab
  ours: 1 file, sha256 cdcdcdcdcdcd
  network: sound-net, sha256 efefefefefef
  seed 0, foleycli 1.2.3
"""


def test_text_is_exactly_this() -> None:
    assert as_text(small_report(), per_class=True) == TEXT


def test_columns_that_do_not_fit_go_below_under_the_same_titles() -> None:
    lines = as_text(small_report(), width=70).splitlines()
    heads = [line.split("  ")[0].rstrip() for line in lines]
    assert heads.count("Sets") == 2
    first, second = (i for i, head in enumerate(heads) if head == "Sets")
    assert "real/real" not in lines[first]
    assert "real/real" in lines[second]
    below = heads[second + 2 : second + 4]
    assert below == ["Inception Score ↑", "Frechet distance ↓"]


def test_columns_are_as_many_as_fit_and_no_more() -> None:
    for width in range(LEAST_WIDTH, 120):
        lines = as_text(small_report(), width, per_class=True).splitlines()
        assert max(map(len, lines)) <= width
    report = Report(("ours", "base"), figures=small_report().figures[2:6])
    fits = max(map(len, as_text(report).splitlines()))
    assert as_text(report, fits).count("Inception Score") == 1
    assert as_text(report, fits - 1).count("Inception Score") == 2


def test_longest_figures_leave_room_for_a_title_at_the_least_width() -> None:
    figures = [
        Figure("kid", "ours", -999_998.5, -999_999.5, -999_997.5),
        Figure("kid", "b", -1e300),
    ]
    text = as_text(Report(("ours", "b"), figures=figures), LEAST_WIDTH)
    assert "-999998.50000 [-999999.50000, -999997.50000]" in text
    assert max(map(len, text.splitlines())) <= LEAST_WIDTH
    assert text.count("Kernel   ") == 2


def test_row_is_left_out_of_a_block_in_which_it_has_nothing() -> None:
    figures = [Figure("fd", s, 1.0, 0.9, 1.1) for s in ("ours", "floor")]
    figures += [Figure("is", "ours", 2.0)]
    text = as_text(Report(("ours", "b" * 16), ("c" * 20, "floor"), figures), width=60)
    assert text.count("Frechet distance") == 2
    assert text.count("Inception Score") == 1


def test_references_without_a_figure_in_a_group_have_no_column_there() -> None:
    sets, pairs, sync = as_text(small_report()).split("\n\n")[0:5:2]
    assert "real/real" in sets
    assert "+40 ms" not in sets
    assert "real/real" not in pairs + sync
    assert "+40 ms" in sync


def test_note_of_all_systems_and_several_metrics_is_said_once() -> None:
    keys = ("av_align", "motion_r", "motion_r_peak")
    figures = [Figure(key, s, None, note="no video") for key in keys for s in ("a", "b")]
    text = as_text(Report(("a", "b"), figures=figures))
    said = "AV-Align; Motion and sound, r; Motion and sound, highest r: not computed: no video"
    assert text.count("no video") == 1
    assert said in text


def test_report_without_extras_is_its_tables_alone() -> None:
    report = Report(("ours",), figures=[Figure("fd", "ours", 1.0)])
    assert as_text(report).splitlines() == [
        "Sets                ours",
        "------------------  -----",
        "Frechet distance ↓  1.000",
    ]


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (12.3456, 2, "12.35"),
        (-0.0004, 3, "0.000"),
        (-0.0006, 3, "-0.001"),
        (0.0, 0, "0"),
        (999_999.4, 0, "999999"),
        (12_345_678.0, 2, "1.235e+07"),
        (float("inf"), 2, "inf"),
        (float("nan"), 2, "nan"),
    ],
)
def test_number_has_the_decimals_of_its_metric(value: float, digits: int, shown: str) -> None:
    assert number(value, digits) == shown


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("fd", [2.0, 1.0, 0.5], [False, True, False]),  # the third is a reference
        ("is", [2.0, 1.0, 9.0], [True, False, False]),
        ("envelope_lag_ms", [-3.0, 2.0, 0.0], [False, True, False]),
        ("fd", [1.00004, 1.0, 0.5], [False, False, False]),  # look alike
        ("fd", [1.0, None, 0.5], [False, False, False]),
        ("fd", [float("nan"), 1.0, 0.5], [False, False, False]),
        ("duration_s", [1.0, 2.0, 3.0], [False, False, False]),
    ],
)
def test_best_is_the_best_of_two_systems_that_differ(
    metric: str, values: list[float | None], best: list[bool]
) -> None:
    figures = [Figure(metric, str(i), value) for i, value in enumerate(values)]
    assert [cell.best for cell in figure_cells(figures, METRICS[metric], 2)] == best


def test_names_cannot_steer_the_terminal() -> None:
    report = small_report()
    report.failures = {"a\x1b[2J\n.wav": "bad", "caf\udce9.wav": "bad"}
    text = as_text(report)
    assert "a?[2J?.wav: bad" in text
    assert "caf?.wav: bad" in text
    text.encode()


def test_markdown_is_a_table_with_the_best_in_bold() -> None:
    lines = as_markdown(small_report(), per_class=True).splitlines()
    assert lines[:4] == [
        "| Sets | ours | base | ours less base | real/real |",
        "| :--- | ---: | ---: | ---: | ---: |",
        "| Inception Score ↑ | **8.91** ± 0.21 | 7.02 ± 0.30 | +1.89 p < 0.001 |  |",
        "| Frechet distance ↓ | **12.310** [11.200, 13.400] | 15.500 [14.125, 16.875] "
        "| -3.190 p = 0.003 | 1.500 |",
    ]
    assert "| rain | **20.000** | 21.000 |" in lines
    assert "- MKL (base): not computed: 3 files without partner" in lines


def test_latex_is_a_booktabs_table_with_the_best_in_bold() -> None:
    assert as_latex(small_report()).split("\n\n")[0].splitlines() == [
        r"\begin{tabular}{lrrrr}",
        r"\toprule",
        r"Sets & ours & base & ours less base & real/real \\",
        r"\midrule",
        r"Inception Score $\uparrow$ & \textbf{8.91} $\pm$ 0.21 & 7.02 $\pm$ 0.30 "
        r"& +1.89 p $<$ 0.001 &  \\",
        r"Frechet distance $\downarrow$ & \textbf{12.310} [11.200, 13.400] "
        r"& 15.500 [14.125, 16.875] & $-$3.190 p = 0.003 & 1.500 \\",
        r"\bottomrule",
        r"\end{tabular}",
        "% Frechet distance (ours, base): rank 95",
        "% Frechet distance (real/real): rank 47",
        "% p of Inception Score: paired permutation test, two-sided",
        "% p of Frechet distance: unpaired permutation test, two-sided",
    ]


def test_latex_row_cannot_begin_with_an_argument_of_what_is_before() -> None:
    table = Table("[a]", ("b",), (Row("*", figure_cells_of(1.0)), Row("[2pt]", figure_cells_of(2))))
    rows = [line for line in table_latex(table).splitlines() if "&" in line]
    assert [row.split(" & ")[0] for row in rows] == ["{}[a]", "{}*", "{}[2pt]"]


def figure_cells_of(value: float) -> tuple:
    return tuple(figure_cells([Figure("fd", "a", value)], METRICS["fd"], 1))


NAMES = st.text(min_size=1, max_size=40)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    names = draw(st.lists(NAMES, min_size=1, max_size=5, unique=True))
    count = draw(st.integers(1, len(names)))
    figures = draw(
        st.lists(
            st.builds(
                Figure,
                metric=st.sampled_from(["is", "fd", "kid", "mkl", "onset_offset_ms", "duration_s"]),
                system=st.sampled_from(names),
                value=st.none() | FLOATS,
                low=st.none() | FLOATS,
                high=st.none() | FLOATS,
                spread=st.none() | FLOATS,
                label=st.just("") | NAMES,
                note=st.text(max_size=30),
            ),
            max_size=12,
        )
    )
    apart = st.builds(
        Difference,
        metric=st.sampled_from(["is", "kid"]),
        first=st.sampled_from(names),
        second=st.sampled_from(names),
        difference=FLOATS,
        p_value=st.floats(0, 1),
        paired=st.booleans(),
    )
    return Report(
        tuple(names[:count]),
        tuple(names[count:]),
        figures,
        draw(st.lists(apart, max_size=3)),
        draw(st.lists(st.text(max_size=200), max_size=2)),
        draw(st.dictionaries(st.text(max_size=100), NAMES, max_size=7)),
    )


@given(reports(), st.integers(0, 160))
def test_no_line_is_wider_than_asked(report: Report, width: int) -> None:
    for line in as_text(report, width, per_class=True).split("\n"):
        assert len(line) <= max(width, LEAST_WIDTH)


@given(reports(), st.integers(LEAST_WIDTH, 200))
def test_every_figure_is_shown_at_any_width(report: Report, width: int) -> None:
    def figures(text: str) -> list[str]:
        return sorted(re.findall(r"(?<!\S)\d+\.\d{3}(?!\S)", text))

    report = Report(report.systems, report.references, [f for f in report.figures if not f.note])
    assert figures(as_text(report, width)) == figures(as_text(report))


@given(reports())
def test_latex_has_balanced_braces_and_rows_of_one_length(report: Report) -> None:
    text = as_latex(report, per_class=True)
    code = [line for line in text.splitlines() if not line.startswith("%")]
    bare = re.sub(r"\\[{}]", "", "\n".join(code))
    depth = 0
    for character in bare:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    wanted = 0
    for line in code:
        if line.startswith(r"\begin"):
            wanted = len(line.rpartition("{")[2]) - 2
        elif line.endswith(r" \\"):
            assert len(re.findall(r"(?<!\\)&", line)) == wanted
            assert re.search(r"(?<!\\)[%#_]", line) is None


@given(reports())
def test_markdown_rows_have_one_length(report: Report) -> None:
    wanted = 0
    lines = as_markdown(report, per_class=True).split("\n")
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below.startswith("| :---"):
            wanted = below.count("|")
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == wanted


@given(st.text())
def test_titles_of_any_text_stay_on_their_line(title: str) -> None:
    table = Table(title, ("a",), (Row(title, figure_cells_of(1.0)),))
    assert len(table_text(table).split("\n")) == 3
    assert len(table_markdown(table).split("\n")) == 3
