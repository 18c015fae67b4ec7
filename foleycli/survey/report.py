"""What a study found: figures by question, condition and class, tests, agreement, exclusions."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median, stdev
from typing import Any

import foleycli
from foleycli.evaluation.catalogue import Metric
from foleycli.evaluation.report import ALL, Figure, Report
from foleycli.metrics.resampling import Interval
from foleycli.survey.agreement import Level, krippendorff_alpha
from foleycli.survey.choices import (
    Comparison,
    Offer,
    Preference,
    Strength,
    bradley_terry,
    preferences,
)
from foleycli.survey.exclusions import Exclusion, Rules, screen
from foleycli.survey.intervals import two_way_interval, two_way_share
from foleycli.survey.left_out import refused_by_place, why_nothing_is_left
from foleycli.survey.observations import (
    Rating,
    choices_of,
    comparisons_of,
    offers_of,
    ratings_of,
)
from foleycli.survey.questions import Question
from foleycli.survey.responses import Collected, Session
from foleycli.survey.study import Study
from foleycli.survey.tests_of_difference import Tested, compare_conditions

GROUP = "survey"
NOTES_APART = "; "


@dataclass(frozen=True)
class SurveyFigure(Figure):
    """A figure of a study: ``metric`` is a key of the report's metrics, ``system`` a condition.

    Attributes
    ----------
    raters, clips : int
        That it rests on; ``count`` are ratings or choices.
    middle : float or None
        Median of ratings; ``spread`` is their standard deviation.
    """

    raters: int = 0
    clips: int = 0
    middle: float | None = None


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's alpha of one question; None where it is not defined."""

    question: str
    measurement: Level
    alpha: Interval | None


@dataclass(frozen=True)
class Comment:
    """What the rater of one session wrote, and whether the session counts."""

    session: str
    kept: bool
    text: str


@dataclass
class SurveyReport(Report):
    """All of one study.

    ``systems`` are the conditions, ``references`` the hidden reference and anchors, ``failures``
    what was refused of the files given.

    Attributes
    ----------
    metrics : tuple of Metric
        What figures are of: a question, or a share of its choices.
    tests : mapping
        (question, ``"raters"`` or ``"clips"``) to tests of pairs of conditions.
    preferences, strengths : mapping
        By question, with ``pairwise``.
    agreement : tuple of Agreement
    exclusions : tuple of Exclusion
    golds : mapping
        Kind to (passed, answered).
    comments : tuple of Comment
    """

    metrics: tuple[Metric, ...] = ()
    tests: Mapping[tuple[str, str], list[Tested]] = field(default_factory=dict)
    preferences: Mapping[str, list[Preference]] = field(default_factory=dict)
    strengths: Mapping[str, list[Strength]] = field(default_factory=dict)
    agreement: tuple[Agreement, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    golds: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    comments: tuple[Comment, ...] = ()

    def metric(self, key: str) -> Metric:
        """Find what a figure is of."""
        return next(metric for metric in self.metrics if metric.key == key)


def make_report(
    collected: Collected,
    study: Study,
    rules: Rules | None,
    *,
    level: float = 0.95,
    replicates: int = 999,
    seed: int = 0,
) -> SurveyReport:
    """Analyse answers.

    Parameters
    ----------
    rules : Rules or None
        None leaves nobody out.
    level : float
        Of all intervals.
    replicates, seed : int
        Of the bootstrap.

    Raises
    ------
    ValueError
        When no sitting is left; it says why.
    """
    screened = screen(collected.sessions, study, rules)
    if not screened.sessions:
        raise ValueError(why_nothing_is_left(collected, screened.exclusions))
    kept = {session.id for session in screened.sessions}
    sessions = _numbered(screened.sessions)
    conditions = {m.condition: None for m in study.media.values() if m.role == "stimulus"}
    report = SurveyReport(
        systems=tuple(conditions),
        warnings=list(collected.notes),
        failures=refused_by_place(collected.refusals),
        exclusions=screened.exclusions,
        golds=screened.golds,
        comments=tuple(
            Comment(s.id, s.id in kept, s.comment) for s in collected.sessions if s.comment
        ),
        manifest={
            "study": study.id,
            "method": study.form.method,
            "sessions": len(collected.sessions),
            "sessions_kept": len(screened.sessions),
            "raters": len({session.rater for session in sessions}),
            "level": level,
            "replicates": replicates,
            "seed": seed,
            "version": foleycli.__version__,
        },
    )
    if screened.unplayed:
        report.warnings.append(f"{screened.unplayed} pages left out: a clip was not played")
    if rules and rules.most_failed is not None and 0 < screened.most_golds < rules.least_failed:
        report.warnings.append(
            f"nobody can be left out for gold items: it takes {rules.least_failed} failed, "
            f"and no session has more than {screened.most_golds} with a known answer; plans with a "
            "higher rate of gold items have more"
        )
    if study.form.rated:
        _rate(report, sessions, study, _Bootstrap(level, replicates, seed))
        if rules and study.form.method == "mushra":
            _say_what_was_screened_by(report, rules)
    elif study.form.method == "pairwise":
        _compare(report, sessions, study, level)
    else:
        _match(report, sessions, study, level)
    _agree(report, sessions, study, _Bootstrap(level, replicates, seed))
    return report


@dataclass(frozen=True)
class _Bootstrap:
    level: float
    replicates: int
    seed: int


@dataclass(frozen=True)
class _Point:
    """One value of a metric, or one choice that is or is not what it counts."""

    label: str
    value: float
    rater: str
    clip: str


def _rate(report: SurveyReport, sessions: Sequence[Session], study: Study, how: _Bootstrap) -> None:
    ratings = list(ratings_of(sessions, study))
    others = {r.system for r in ratings} - set(report.systems)
    report.references = tuple(sorted(others, key=lambda name: (name.startswith("anchor"), name)))
    tests = {}
    for question in study.form.questions:
        own = [rating for rating in ratings if rating.question == question.id]
        report.metrics += (
            Metric(question.id, question.id, "higher", GROUP, digits=2, about=question.text),
        )
        for system in (*report.systems, *report.references):
            points = [_point(r) for r in own if r.system == system]
            report.figures += _figures(question.id, system, points, _mean_of(question, how))
        judged = [rating for rating in own if rating.system in report.systems]
        for kind in ("raters", "clips") if len(report.systems) > 1 else ():
            tests[question.id, kind] = compare_conditions(
                [r.value for r in judged],
                [r.system for r in judged],
                [r.rater if kind == "raters" else r.clip for r in judged],
                report.systems,
            )
    report.tests = tests


def _say_what_was_screened_by(report: SurveyReport, rules: Rules) -> None:
    if rules.most_failed_mushra is None:
        return
    note = (
        "after MUSHRA's rule, which leaves raters out for these very ratings: hidden reference "
        f"below {100 * rules.least_hidden:g} % of the scale or below an anchor in more than "
        f"{100 * rules.most_failed_mushra:g} % of their pages"
    )
    report.figures = [
        replace(figure, note=NOTES_APART.join(filter(None, (figure.note, note))))
        if figure.system in report.references and figure.value is not None
        else figure
        for figure in report.figures
    ]


def _compare(report: SurveyReport, sessions: Sequence[Session], study: Study, level: float) -> None:
    counted, strengths = {}, {}
    for question in study.form.questions:
        about = f"share of choices that were no ties: {question.text}"
        report.metrics += (_share_metric(question.id, f"{question.id}: preferred", about),)
        labelled = list(comparisons_of(sessions, study, question.id))
        for system in report.systems:
            points = [
                _Point(label, float(c.winner == system), c.rater, c.stimulus)
                for label, c in labelled
                if c.winner and system in (c.first, c.second)
            ]
            report.figures += _figures(question.id, system, points, _share_of(level))
        plain: list[Comparison] = [c for _, c in labelled]
        counted[question.id] = preferences(plain, report.systems, level)
        try:
            strengths[question.id] = bradley_terry(plain, report.systems, level)
        except ValueError as error:
            report.warnings.append(f"{question.id}: no Bradley-Terry strengths: {error}")
    report.preferences, report.strengths = counted, strengths


def _match(report: SurveyReport, sessions: Sequence[Session], study: Study, level: float) -> None:
    one = study.form.method == "match-one"
    for question in study.form.questions:
        offers = list(offers_of(sessions, study, question.id))
        shares: dict[str, tuple[str, Callable[[Offer], float | None]]] = {
            "precision" if one else "recall": (
                "share of pages whose right medium was chosen",
                lambda offer: float(offer.chosen) if offer.right else None,
            )
        }
        if not one:
            shares["precision"] = (
                "share of media chosen that were made for the clip",
                lambda offer: float(offer.right) if offer.chosen else None,
            )
        for name, (about, value_of) in shares.items():
            key = f"{question.id} {name}"
            report.metrics += (_share_metric(key, f"{question.id}: {name}", about),)
            for system in report.systems:
                points = [
                    _Point(offer.label, value, offer.rater, offer.stimulus)
                    for offer in offers
                    if offer.condition == system and (value := value_of(offer)) is not None
                ]
                report.figures += _figures(key, system, points, _share_of(level))


def _agree(
    report: SurveyReport, sessions: Sequence[Session], study: Study, how: _Bootstrap
) -> None:
    found = []
    options: dict[str, Any] = {
        "level": how.level,
        "replicates": how.replicates,
        "seed": how.seed,
    }
    ratings = [r for r in ratings_of(sessions, study) if r.system in report.systems]
    chosen = list(choices_of(sessions, study))
    measurements: tuple[Level, ...] = ("ordinal", "interval") if study.form.rated else ("nominal",)
    for question in study.form.questions:
        pairs: list[tuple[Hashable, Any]]
        if study.form.rated:
            pairs = [(r.medium, r.value) for r in ratings if r.question == question.id]
        else:
            pairs = [(c.unit, c.value) for c in chosen if c.question == question.id]
        units, values = [unit for unit, _ in pairs], [value for _, value in pairs]
        for measurement in measurements:
            alpha = krippendorff_alpha(units, values, measurement, **options)
            found.append(Agreement(question.id, measurement, alpha))
    report.agreement = tuple(found)


_IntervalOf = Callable[[list[float], list[str], list[str]], Interval]


def _mean_of(question: Question, how: _Bootstrap) -> _IntervalOf:
    """Take means; no mean lies beyond the scale, whatever an interval says."""

    def mean(values: list[float], raters: list[str], clips: list[str]) -> Interval:
        found = two_way_interval(
            *(values, raters, clips),
            level=how.level,
            replicates=how.replicates,
            seed=how.seed,
        )
        low, high = max(found.low, question.low), min(found.high, question.high)
        return replace(found, low=low, high=high)

    return mean


def _share_of(level: float) -> _IntervalOf:
    return lambda values, raters, clips: two_way_share(
        [value > 0 for value in values], raters, clips, level=level
    )


def _figures(
    metric: str, system: str, points: Sequence[_Point], interval: _IntervalOf
) -> Iterable[SurveyFigure]:
    """Give the figure of all classes together, and one a class where there are several."""
    labels = sorted({point.label for point in points} - {ALL})
    yield _figure(metric, system, ALL, points, interval)
    for label in labels:
        own = [point for point in points if point.label == label]
        yield _figure(metric, system, label, own, interval)


def _figure(
    metric: str, system: str, label: str, points: Sequence[_Point], interval: _IntervalOf
) -> SurveyFigure:
    values = [point.value for point in points]
    raters, clips = [point.rater for point in points], [point.clip for point in points]
    if not values:
        return SurveyFigure(metric, system, None, label=label, note="no answers")
    whole = SurveyFigure(
        *(metric, system, sum(sorted(values)) / len(values)),
        count=len(values),
        label=label,
        raters=len(set(raters)),
        clips=len(set(clips)),
        middle=median(values),
    )
    if len(values) < 2:
        return replace(whole, note="one answer: no interval")
    found = interval(values, raters, clips)
    alone = "one clip: the interval is about raters only" if whole.clips == 1 else ""
    alone = "one rater: the interval is about clips only" if whole.raters == 1 else alone
    return replace(whole, low=found.low, high=found.high, spread=stdev(values), note=alone)


def _point(rating: Rating) -> _Point:
    return _Point(rating.label, rating.value, rating.rater, rating.clip)


def _share_metric(key: str, title: str, about: str) -> Metric:
    return Metric(key, title, "higher", GROUP, digits=3, about=about)


def _numbered(sessions: Sequence[Session]) -> list[Session]:
    """Give raters numbers for names: theirs are anything that a stranger may have sent."""
    names = sorted({session.rater for session in sessions})
    number = {name: str(index) for index, name in enumerate(names)}
    return [replace(s, participant=number[s.rater]) for s in sessions]
