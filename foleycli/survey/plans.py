"""Which pages each rater sees, and in which order: seeded, balanced plans.

Pages are dealt from one cyclic stream in which the treatment goes round with every step and the
clip too, moved on by one whenever both would meet again. With M treatments and C clips, step p
shows treatment p mod M and clip (p + floor(p / lcm(C, M))) mod C: C M steps show every page once,
a cyclic Latin square where M = C, and *any* run of steps has each treatment equally often to within
one. Plans are runs of the stream that follow each other, so that every page is rated equally often
to within one, too. Clips are renumbered at random whenever a plan starts together with a new round
of all pages.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, lcm
from typing import Any

from foleycli.survey.orders import order_pages
from foleycli.survey.pages import Deck, Page

SCHEMA = "foley-survey-plans/1"


@dataclass(frozen=True)
class Trial:
    """One page in its order of media, by opaque names."""

    id: str
    media: tuple[str, ...]
    prompt: str = ""


@dataclass(frozen=True)
class Plan:
    """What one rater sees; the practice trial comes first and is not kept."""

    number: int
    trials: tuple[Trial, ...]
    practice: Trial


@dataclass(frozen=True)
class _Dealt:
    """Pages of one plan, in order, without their order of media."""

    pages: tuple[Page, ...]
    practice: Page


def make_plans(
    deck: Deck, *, ratings: int, trials: int | None = None, gold_rate: float = 0.0, seed: int = 0
) -> tuple[Plan, ...]:
    """Deal plans until every page of the grid has its ratings.

    Parameters
    ----------
    ratings : int
        Times that each page is rated, once every plan has been taken once; some pages once more,
        where plans do not come out even.
    trials : int, optional
        Pages of the grid in a plan; every clip once, if not given.
    gold_rate : float
        Share of a plan's trials that are gold, in [0, 0.5]; at least one is, where it is not 0.
    seed : int

    Raises
    ------
    ValueError
        When numbers do not fit, or one clip must follow itself.
    """
    cells = len(deck.grid)
    own = len(deck.clips) if trials is None else trials
    if ratings < 1:
        raise ValueError(f"each page needs a rating at least, not {ratings}")
    if not 1 <= own <= cells:
        raise ValueError(f"a plan has 1 to {cells} trials here, no page twice; not {own}")
    if not 0 <= gold_rate <= 0.5:
        raise ValueError(f"the share of golds lies in [0, 0.5], got {gold_rate:g}")
    golds = max(1, round(own * gold_rate / (1 - gold_rate))) if gold_rate and deck.golds else 0
    if golds > len(deck.golds):
        raise ValueError(f"{golds} golds a plan, but there are {len(deck.golds)}: lower the rate")
    queue = list(deck.golds)
    rng = random.Random(f"plans/{seed}")
    hands = _hands(deck, ratings, own, rng)
    dealt = []
    for number, hand in enumerate(hands):
        chosen = _draw_golds(queue, golds, hand)
        order = order_pages(hand, chosen, deck.treatments, number, rng)
        dealt.append(_Dealt(order, _practice(deck, order, rng)))
    return _with_media_in_order(dealt, seed)


def as_dict(plans: Sequence[Plan]) -> dict[str, Any]:
    """Turn plans into what the page reads: opaque names only.

    Returns
    -------
    dict
        ``schema`` and ``plans``, each with ``plan`` (its number), ``practice`` (a trial) and
        ``trials``; a trial has ``trial`` (its id), ``media`` (names, in the order of the players)
        and ``prompt`` (a name, or empty).
    """
    return {
        "schema": SCHEMA,
        "plans": [
            {
                "plan": plan.number,
                "practice": _trial_dict(plan.practice),
                "trials": [_trial_dict(trial) for trial in plan.trials],
            }
            for plan in plans
        ],
    }


def plans_of(found: Mapping[str, Any]) -> tuple[Plan, ...]:
    """Read plans back from :func:`as_dict`.

    Raises
    ------
    ValueError
        When it is something else.
    """
    try:
        if found["schema"] != SCHEMA:
            raise ValueError(f"plans of the form {found['schema']!r}; this foley reads {SCHEMA}")
        plans = tuple(
            Plan(
                plan["plan"],
                tuple(_trial_of(trial) for trial in plan["trials"]),
                _trial_of(plan["practice"]),
            )
            for plan in found["plans"]
        )
    except (KeyError, TypeError, AttributeError):
        plans = ()
    if not plans or [plan.number for plan in plans] != list(range(len(plans))):
        raise ValueError("these are no plans of a study; build the pack again")
    return plans


def study_id(form: Mapping[str, Any], plans: Sequence[Plan]) -> str:
    """Name a study by all that raters are shown: 16 hexadecimal digits.

    Plans name media, and the names hold what is seen and heard, see
    :class:`foleycli.survey.stimuli.Names`.
    """
    text = json.dumps([form, as_dict(plans)], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def used_media(plans: Sequence[Plan]) -> set[str]:
    """Name every medium that some plan shows."""
    shown = [trial for plan in plans for trial in (plan.practice, *plan.trials)]
    return {name for trial in shown for name in (*trial.media, trial.prompt)} - {""}


def _hands(deck: Deck, ratings: int, own: int, rng: random.Random) -> list[list[Page]]:
    """Cut the stream into plans."""
    clips, treatments = len(deck.clips), len(deck.treatments)
    cells = clips * treatments
    round_of_both = lcm(clips, treatments)
    count = ceil(cells * ratings / own)
    hands = []
    for number in range(count):
        start = number * own
        if start % cells == 0:
            clip_order = rng.sample(range(clips), clips)
        hand = []
        for step in (p % cells for p in range(start, start + own)):
            clip = clip_order[(step + step // round_of_both) % clips]
            hand.append(deck.page(clip, step % treatments))
        hands.append(hand)
    return hands


def _draw_golds(queue: list[Page], count: int, hand: Sequence[Page]) -> list[Page]:
    """Take golds from the front of the queue and put them at its end: all come in turn.

    Of the next ones those come first whose clips the plan shows least.
    """
    shown = Counter(page.clip for page in hand)
    chosen: list[Page] = []
    for _ in range(count):
        fits = [page for page in queue if page not in chosen]
        most = (len(hand) + count + 1) // 2
        page = next((p for p in fits if shown[p.clip] < most), fits[0])
        chosen.append(page)
        shown[page.clip] += 1
    for page in chosen:
        queue.remove(page)
        queue.append(page)
    return chosen


def _practice(deck: Deck, order: Sequence[Page], rng: random.Random) -> Page:
    """Choose a page to practise on: not one of the plan, not the clip that comes first."""
    other = [page for page in deck.grid if page.clip != order[0].clip] or list(deck.grid)
    return rng.choice([page for page in other if page not in order] or other)


def _with_media_in_order(dealt: Sequence[_Dealt], seed: int) -> tuple[Plan, ...]:
    """Deal the order of media on each page, by turns: every place is each medium's equally often.

    A page's media are shuffled once and moved on by one each time that it comes, the rows of a
    Latin square.
    """
    times: Counter[tuple[str, ...]] = Counter()
    plans = []

    def trial(page: Page, plan: int, place: int) -> Trial:
        names = sorted(medium.name for medium in page.media)
        key = tuple(names)
        random.Random(f"media/{seed}/{key}").shuffle(names)
        turn = times[key] % len(names)
        if place >= 0:
            times[key] += 1
        text = f"trial/{seed}/{plan}/{place}/{key}"
        id_ = hashlib.sha256(text.encode()).hexdigest()[:12]
        prompt = page.prompt.name if page.prompt else ""
        return Trial(id_, tuple(names[turn:] + names[:turn]), prompt)

    for number, hand in enumerate(dealt):
        trials = tuple(trial(page, number, place) for place, page in enumerate(hand.pages))
        plans.append(Plan(number, trials, trial(hand.practice, number, -1)))
    return tuple(plans)


def _trial_dict(trial: Trial) -> dict[str, Any]:
    return {"trial": trial.id, "media": list(trial.media), "prompt": trial.prompt}


def _trial_of(found: Mapping[str, Any]) -> Trial:
    media = found["media"]
    if not isinstance(media, list) or not media:
        raise TypeError
    return Trial(str(found["trial"]), tuple(map(str, media)), str(found["prompt"]))
