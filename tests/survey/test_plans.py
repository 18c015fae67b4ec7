from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foleycli.survey.orders import order_pages, williams
from foleycli.survey.pages import Deck, Page
from foleycli.survey.plans import Plan, as_dict, make_plans, plans_of, used_media
from foleycli.survey.questions import METHODS
from foleycli.survey.stimuli import Medium
from foleycli.survey.study import Study, study_dict

Make = Callable[..., tuple[Study, Deck]]


def grid(clips: int, treatments: int, golds: int = 0) -> Deck:
    """Give a deck whose media are named after their place."""

    def page(clip: int, treatment: str, role: str) -> Page:
        name = f"{clip}-{treatment}"
        medium = Medium(name, f"c{clip}", "", treatment, role)  # type: ignore[arg-type]
        return Page(f"c{clip}", treatment, (medium,))

    names = tuple(f"t{i:02}" for i in range(treatments))
    return Deck(
        tuple(f"c{i}" for i in range(clips)),
        names,
        tuple(page(clip, name, "stimulus") for clip in range(clips) for name in names),
        tuple(page(i % clips, f"g{i}", "gold") for i in range(golds)),
    )


def shown(plan: Plan) -> list[tuple[str, str]]:
    """Clip and treatment of each trial."""
    found = []
    for trial in plan.trials:
        clip, _, treatment = trial.media[0].partition("-")
        found.append((clip, treatment))
    return found


@st.composite
def designs(draw: st.DrawFn) -> tuple[Deck, int, int, float, int]:
    clips = draw(st.integers(2, 14))
    treatments = draw(st.integers(1, 7))
    trials = draw(st.integers(1, clips * treatments))
    rate = draw(st.sampled_from((0.0, 0.1, 0.2))) if clips > 2 else 0.0
    deck = grid(clips, treatments, golds=40 if rate else 0)
    return deck, draw(st.integers(1, 6)), trials, rate, draw(st.integers(0, 99))


@settings(max_examples=150)
@given(designs())
def test_every_plan_is_balanced_and_all_together_are(
    design: tuple[Deck, int, int, float, int],
) -> None:
    deck, ratings, trials, rate, seed = design
    plans = make_plans(deck, ratings=ratings, trials=trials, gold_rate=rate, seed=seed)
    pages: Counter[tuple[str, str]] = Counter()
    for plan in plans:
        seen = shown(plan)
        own = [(clip, name) for clip, name in seen if name in deck.treatments]
        assert len(own) == trials and len(set(own)) == trials
        by_treatment = Counter(name for _, name in own)
        counts = [by_treatment[name] for name in deck.treatments]
        assert max(counts) - min(counts) <= 1
        assert all(a[0] != b[0] for a, b in itertools.pairwise(seen))
        pages.update(own)
    assert set(pages.values()) <= {ratings, ratings + 1}
    assert len(pages) == len(deck.grid)
    assert len({trial.id for plan in plans for trial in plan.trials}) == sum(
        len(plan.trials) for plan in plans
    )


@settings(max_examples=50)
@given(designs())
def test_the_same_seed_gives_the_same_plans_and_another_seed_others(
    design: tuple[Deck, int, int, float, int],
) -> None:
    deck, ratings, trials, rate, seed = design
    made = [make_plans(deck, ratings=ratings, trials=trials, gold_rate=rate, seed=seed)] * 2
    assert made[0] == made[1]
    assert json.dumps(as_dict(made[0])) == json.dumps(as_dict(made[1]))
    assert plans_of(json.loads(json.dumps(as_dict(made[0])))) == made[0]
    other = make_plans(deck, ratings=ratings, trials=trials, gold_rate=rate, seed=seed + 100)
    assert other != made[0]


@pytest.mark.parametrize(("rate", "golds"), [(0.0, 0), (0.01, 1), (0.1, 2), (0.2, 5), (0.5, 20)])
def test_golds_come_at_the_rate_asked_for(rate: float, golds: int) -> None:
    deck = grid(20, 2, golds=24)
    plans = make_plans(deck, ratings=6, gold_rate=rate)
    for plan in plans:
        assert sum(name.startswith("g") for _, name in shown(plan)) == golds
    uses = Counter(name for plan in plans for _, name in shown(plan) if name.startswith("g"))
    if golds > 1:
        assert max(uses.values()) - min(uses[f"g{i}"] for i in range(24)) <= 1


def test_a_plan_does_not_start_with_a_gold() -> None:
    for seed in range(20):
        for plan in make_plans(grid(8, 2, golds=8), ratings=4, gold_rate=0.3, seed=seed):
            assert not shown(plan)[0][1].startswith("g")


def test_practice_is_of_another_page_than_those_of_the_plan() -> None:
    deck = grid(8, 2)
    for plan in make_plans(deck, ratings=4):
        assert plan.practice.media not in {trial.media for trial in plan.trials}
        assert plan.practice.media[0][0] != plan.trials[0].media[0][0]


@pytest.mark.parametrize("count", range(1, 9))
def test_in_a_williams_square_each_follows_each_equally_often(count: int) -> None:
    rows = williams(count)
    assert all(sorted(row) == list(range(count)) for row in rows)
    for column in zip(*rows, strict=True):
        assert set(Counter(column).values()) == {len(rows) // count}
    pairs = Counter(pair for row in rows for pair in itertools.pairwise(row))
    assert len(pairs) == count * (count - 1)
    assert len(set(pairs.values())) <= 1


def test_treatments_follow_the_rows_of_the_square_where_clips_allow_it() -> None:
    deck = grid(12, 3)
    rows = williams(3)
    plans = make_plans(deck, ratings=6)
    firsts = set()
    for plan in plans:
        names = [int(name[1:]) for _, name in shown(plan)]
        blocks = [names[i : i + 3] for i in range(0, 12, 3)]
        assert blocks == [rows[(plan.number + i) % len(rows)] for i in range(4)]
        firsts.add(names[0])
    assert firsts == {0, 1, 2}


def test_two_clips_are_shown_in_turns_and_one_cannot_be() -> None:
    plans = make_plans(grid(2, 4, golds=4), ratings=2, trials=4, gold_rate=0.2)
    for plan in plans:
        clips = [clip for clip, _ in shown(plan)]
        assert all(a != b for a, b in itertools.pairwise(clips))
    with pytest.raises(ValueError, match="would follow itself"):
        make_plans(grid(1, 3), ratings=1, trials=2)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=14), st.integers(0, 99))
def test_an_order_is_found_whenever_there_is_one(clips: list[int], seed: int) -> None:
    """There is one as long as no clip makes more than half of all, rounded up."""
    pages = [Page(f"c{clip}", f"t{i}", ()) for i, clip in enumerate(clips)]
    most = Counter(clips).most_common(1)[0][1]
    rng = random.Random(seed)
    names = [page.treatment for page in pages]
    if most > (len(clips) + 1) // 2:
        with pytest.raises(ValueError, match="would follow itself"):
            order_pages(pages, [], names, 0, rng)
    else:
        order = order_pages(pages, [], names, 0, rng)
        assert sorted(p.treatment for p in order) == sorted(p.treatment for p in pages)
        assert all(a.clip != b.clip for a, b in itertools.pairwise(order))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratings": 0}, "needs a rating"),
        ({"ratings": 1, "trials": 0}, "1 to 16 trials"),
        ({"ratings": 1, "trials": 17}, "1 to 16 trials"),
        ({"ratings": 1, "gold_rate": 0.6}, r"\[0, 0.5\]"),
        ({"ratings": 1, "gold_rate": float("nan")}, r"\[0, 0.5\]"),
        ({"ratings": 1, "trials": 16, "gold_rate": 0.5}, "lower the rate"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_plans(grid(8, 2, golds=4), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_pairs_show_no_condition_much_oftener_than_another(make_study: Make, count: int) -> None:
    """Three and four conditions: to within one; more: to within two."""
    conditions = [f"c{i}" for i in range(count)]
    for trials in range(1, 9 if count == 2 else 12):
        study, _ = make_study(
            *("pairwise", 8, conditions), trials=trials, golds=(), gold_rate=0, ratings=2
        )
        for plan in study.plans:
            seen = Counter(study.media[n].condition for t in plan.trials for n in t.media)
            counts = [seen[name] for name in conditions]
            assert max(counts) - min(counts) <= (1 if count <= 4 else 2)


@pytest.mark.parametrize("method", ["pairwise", "mushra", "match-one", "pick-all"])
def test_every_place_of_a_page_is_each_mediums_equally_often(make_study: Make, method: str) -> None:
    study, _ = make_study(method, ratings=10)
    places: dict[tuple[str, ...], Counter[tuple[str, int]]] = {}
    for plan in study.plans:
        for trial in plan.trials:
            own = places.setdefault(tuple(sorted(trial.media)), Counter())
            own.update((name, place) for place, name in enumerate(trial.media))
    for media, seen in places.items():
        counts = [seen[name, place] for name in media for place in range(len(media))]
        assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("method", METHODS)
def test_what_the_page_reads_says_nothing_of_conditions(make_study: Make, method: str) -> None:
    study, _ = make_study(method, conditions=("secret-ours", "secret-base"))
    text = json.dumps([study_dict(study), as_dict(study.plans)])
    for medium in study.media.values():
        for word in (medium.condition, medium.clip, medium.kind, medium.label, medium.file):
            assert not word or word in ("reference", "rain") or word not in text
    lengths = {len(trial.media) for plan in study.plans for trial in plan.trials}
    fields = {tuple(trial) for plan in as_dict(study.plans)["plans"] for trial in plan["trials"]}
    assert len(lengths) == 1 and len(fields) == 1


@pytest.mark.parametrize("method", METHODS)
def test_neither_names_nor_their_order_foretell_the_condition(
    make_study: Make, method: str
) -> None:
    """The share of ours among first places, and among the lower names, is about half."""
    first, lower, count = 0, 0, 0
    for seed in range(8):
        study, _ = make_study(method, clips=12, seed=seed, golds=(), gold_rate=0, ratings=4)
        names = sorted(n for n, m in study.media.items() if m.condition in ("ours", "base"))
        for plan in study.plans:
            for trial in plan.trials:
                own = [study.media[n].condition for n in trial.media]
                first += own[0] == "ours"
                count += own[0] in ("ours", "base")
        half = [study.media[n].condition == "ours" for n in names[: len(names) // 2]]
        lower += sum(half) / len(half)
    assert 0.35 < first / count < 0.65
    assert 0.4 < lower / 8 < 0.6


@pytest.mark.parametrize("method", METHODS)
def test_the_key_has_every_medium_that_plans_show_and_no_other(
    make_study: Make, method: str
) -> None:
    study, deck = make_study(method, trials=4, ratings=1)
    assert set(study.media) == used_media(study.plans)
    assert set(study.media) <= {medium.name for medium in deck.media}


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"schema": "foley-survey-plans/9", "plans": []},
        {"schema": "foley-survey-plans/1", "plans": []},
        {"schema": "foley-survey-plans/1", "plans": [{"plan": 0}]},
        {"schema": "foley-survey-plans/1", "plans": 3},
        {
            "schema": "foley-survey-plans/1",
            "plans": [
                {
                    "plan": 1,
                    "trials": [],
                    "practice": {"trial": "a", "media": ["b"], "prompt": ""},
                }
            ],
        },
    ],
)
def test_damaged_plans_are_refused(found: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="plans"):
        plans_of(found)
