"""Who is left out, by rules that are fixed before the answers are seen, and why.

Rules follow what crowd-sourced listening tests use (ITU-T P.808; the post-screening of ITU-R
BS.1534-3): gold items with a known answer, answers that come faster than a clip plays, the same
answer to everything, clips that were not played, sittings that were broken off. Nobody is left out
for disagreeing with others, nor for one slip.

The original sound is judged like any other by ``mos``: to leave out who thinks little of it would
raise its mean. MUSHRA's rule does just that, so its figures say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import pstdev

from foleycli.survey.questions import Question
from foleycli.survey.responses import Session, TrialAnswer, shown
from foleycli.survey.stimuli import Medium
from foleycli.survey.study import Study

TELLING = {  # what each kind of gold has a known answer about
    "shifted": ("sync",),
    "other-class": ("match", "sync"),
    "degraded": ("quality",),
    "hidden-reference": ("quality", "sync", "match"),
}
HIDDEN = "hidden-reference"


@dataclass(frozen=True)
class Rules:
    """Bounds beyond which a sitting is left out; None leaves a rule out.

    Attributes
    ----------
    most_failed : float or None
        Share of gold items failed. A bad item is failed above the middle of the scale; a choice, by
        choosing anything but the original.
    most_failed_mushra : float or None
        The same with MUSHRA, where a page is failed whose hidden reference is below
        ``least_hidden`` of the scale or below an anchor: 15 % below 90, as BS.1534-3 has it.
    least_hidden : float
    least_failed : int
        With fewer gold items failed than these nobody is left out, whatever their share.
    least_ms : float
        A page answered faster is too fast. Give the length of the clips.
    most_fast, most_unplayed : float or None
        Share of pages answered too fast, or with a medium played fewer than ``least_plays`` times.
    least_plays : int
    least_spread : float or None
        Standard deviation of all answers to a question, as a share of its scale; or all choices at
        the same place of the page. Judged from ``least_judged`` pages on.
    least_judged : int
    least_complete : float or None
        Share of the plan's pages that were answered.
    """

    most_failed: float | None = 0.5
    most_failed_mushra: float | None = 0.15
    least_hidden: float = 0.9
    least_failed: int = 2
    least_ms: float = 1000.0
    most_fast: float | None = 0.1
    most_unplayed: float | None = 0.1
    least_plays: int = 1
    least_spread: float | None = 0.02
    least_judged: int = 8
    least_complete: float | None = 0.8


@dataclass(frozen=True)
class Exclusion:
    """One reason to leave one sitting out."""

    session: str
    rule: str
    reason: str


@dataclass(frozen=True)
class Screened:
    """Sittings that stay, and what was taken away.

    Attributes
    ----------
    sessions : tuple of Session
        Without pages of which a medium was not played often enough.
    exclusions : tuple of Exclusion
        Every reason of every sitting that was left out.
    unplayed : int
        Pages taken from the sittings that stay.
    golds : mapping
        Kind of gold that is a ground for exclusion to (passed, answered), of all sittings.
    most_golds : int
        Such golds in the sitting that answered most of them.
    """

    sessions: tuple[Session, ...]
    exclusions: tuple[Exclusion, ...]
    unplayed: int
    golds: Mapping[str, tuple[int, int]]
    most_golds: int = 0


def screen(sessions: Iterable[Session], study: Study, rules: Rules | None = None) -> Screened:
    """Apply every rule to every sitting; with no rules, nobody is left out."""
    kept, out = [], []
    unplayed = most_golds = 0
    golds: dict[str, tuple[int, int]] = {}
    for session in sessions:
        results = list(gold_results(session, study, rules or Rules()))
        most_golds = max(most_golds, len(results))
        for kind, passed in results:
            before = golds.get(kind, (0, 0))
            golds[kind] = (before[0] + passed, before[1] + 1)
        if rules is None:
            kept.append(session)
            continue
        reasons = [
            Exclusion(session.id, name, reason)
            for name, rule in RULES.items()
            if (reason := rule(session, study, rules))
        ]
        out += reasons
        if not reasons:
            heard = {i: t for i, t in session.trials.items() if not _unplayed(t, rules)}
            unplayed += len(session.trials) - len(heard)
            kept.append(replace(session, trials=heard))
    return Screened(tuple(kept), tuple(out), unplayed, dict(sorted(golds.items())), most_golds)


def gold_results(session: Session, study: Study, rules: Rules) -> Iterator[tuple[str, bool]]:
    """Give the kind of each gold item answered, and whether the answer was the known one.

    An item without a question that it has a known answer to gives nothing, and neither does the
    hidden reference of ``mos``, which has no right answer.
    """
    for answer in session.trials.values():
        media = [study.media[name] for name in answer.trial.media]
        golds = [medium for medium in media if medium.role == "gold"]
        if not golds:
            continue
        if study.form.method == "mushra":
            yield HIDDEN, _mushra_passed(answer, golds, study.form.questions, rules)
        elif study.form.rated:
            for medium in golds:
                shares = _shares(answer, medium, study.form.questions)
                if shares and medium.kind != HIDDEN:
                    yield medium.kind, sum(shares) / len(shares) <= 0.5
        else:
            right = {medium.name for medium in golds if medium.kind == HIDDEN}
            kind = next(medium.kind for medium in golds if medium.kind != HIDDEN)
            yield kind, all(set(chosen) == right for chosen in answer.choices.values())


def _shares(answer: TrialAnswer, medium: Medium, questions: Iterable[Question]) -> list[float]:
    return [
        question.share(answer.ratings[question.id, medium.name])
        for question in questions
        if question.about in TELLING[medium.kind]
    ]


def _mushra_passed(
    answer: TrialAnswer, golds: Iterable[Medium], questions: Iterable[Question], rules: Rules
) -> bool:
    for question in questions:
        rated = [(m.kind, question.share(answer.ratings[question.id, m.name])) for m in golds]
        hidden = min(share for kind, share in rated if kind == HIDDEN)
        if hidden < rules.least_hidden or any(s > hidden for k, s in rated if k != HIDDEN):
            return False
    return True


def _failed_golds(session: Session, study: Study, rules: Rules) -> str:
    mushra = study.form.method == "mushra"
    most = rules.most_failed_mushra if mushra else rules.most_failed
    results = [passed for _, passed in gold_results(session, study, rules)]
    failed = results.count(False)
    if most is None or failed < rules.least_failed or failed <= most * len(results):
        return ""
    return f"failed {failed} of {len(results)} gold items; at most {100 * most:g} % may be"


def _too_fast(session: Session, study: Study, rules: Rules) -> str:
    timed = [t.rt_ms for t in session.trials.values() if t.rt_ms is not None]
    fast = sum(rt_ms < rules.least_ms for rt_ms in timed)
    if rules.most_fast is None or not timed or fast <= rules.most_fast * len(timed):
        return ""
    return f"answered {fast} of {len(timed)} pages in less than {rules.least_ms / 1000:g} s"


def _straight_lining(session: Session, study: Study, rules: Rules) -> str:
    if rules.least_spread is None:
        return ""
    pages = list(session.trials.values())
    if study.form.rated:
        for question in study.form.questions:
            shares = [
                question.share(value)
                for page in pages
                for (asked, _), value in page.ratings.items()
                if asked == question.id
            ]
            if len(shares) >= rules.least_judged and pstdev(shares) < rules.least_spread:
                return f"gave {len(shares)} answers to {question.id} that hardly differ"
        return ""
    for question in study.form.questions:
        places = {
            tuple(page.trial.media.index(name) for name in page.choices[question.id])
            for page in pages
        }
        if len(pages) >= rules.least_judged and len(places) == 1:
            return f"made the same choice on all {len(pages)} pages"
    return ""


def _not_played(session: Session, study: Study, rules: Rules) -> str:
    told = [t for t in session.trials.values() if t.plays is not None]
    missed = sum(_unplayed(trial, rules) for trial in told)
    if rules.most_unplayed is None or not told or missed <= rules.most_unplayed * len(told):
        return ""
    often = f"{rules.least_plays} times" if rules.least_plays > 1 else "once"
    return f"did not play every clip {often} on {missed} of {len(told)} pages"


def _incomplete(session: Session, study: Study, rules: Rules) -> str:
    planned = len(study.plans[session.plan].trials)
    done = len(session.trials)
    if rules.least_complete is None or done >= rules.least_complete * planned:
        return ""
    return f"answered {done} of {planned} pages"


def _unplayed(trial: TrialAnswer, rules: Rules) -> bool:
    return trial.plays is not None and min(trial.plays.values()) < rules.least_plays


def told(exclusion: Exclusion) -> str:
    """Say in one line who was left out and why."""
    return f"session {shown(exclusion.session)}: {exclusion.rule}: {exclusion.reason}"


_Rule = Callable[[Session, Study, Rules], str]
RULES: Mapping[str, _Rule] = {
    "failed golds": _failed_golds,
    "too fast": _too_fast,
    "straight-lining": _straight_lining,
    "not played": _not_played,
    "incomplete": _incomplete,
}
