"""The order of a plan's pages: treatments by a Williams square, no clip after itself.

E. J. Williams, "Experimental designs balanced for the estimation of residual effects of
treatments", 1949: each treatment is at each place equally often and follows each other equally
often, so that what was heard before favours none. Clips that must not follow themselves go first
where both cannot be had.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

from foleycli.survey.pages import Page

_TRIES = 50


def order_pages(
    hand: Sequence[Page],
    golds: Sequence[Page],
    treatments: Sequence[str],
    number: int,
    rng: random.Random,
) -> tuple[Page, ...]:
    """Put a plan in order: by Williams' rows if clips allow it, else in any order they allow.

    Parameters
    ----------
    hand, golds : sequence of Page
    treatments : sequence of str
        All that pages of the hand may have.
    number : int
        Of the plan: the row that it starts with.
    rng : random.Random

    Raises
    ------
    ValueError
        When a clip must follow itself.
    """
    for _ in range(_TRIES):
        line = _in_rows(hand, treatments, number, rng)
        if line and (whole := _among(line, golds, rng)):
            return tuple(whole)
    return tuple(_in_any_order([*hand, *golds], rng))


def williams(count: int) -> list[list[int]]:
    """Write a Williams square: ``count`` rows, or twice as many where that is odd.

    Every number is in each column equally often, and follows every other equally often.
    """
    first = [0]
    for step in range(1, count):
        first.append((step + 1) // 2 if step % 2 else count - step // 2)
    rows = [[(value + shift) % count for value in first] for shift in range(count)]
    return rows if count % 2 == 0 else rows + [row[::-1] for row in rows]


def _in_rows(
    hand: Sequence[Page], treatments: Sequence[str], number: int, rng: random.Random
) -> list[Page]:
    """Order pages so that treatments follow the rows from a plan's own on; none if clips clash."""
    rows = williams(len(treatments))
    left = {name: [page for page in hand if page.treatment == name] for name in treatments}
    for pages in left.values():
        rng.shuffle(pages)
    line: list[Page] = []
    row = number
    while len(line) < len(hand):
        for place in rows[row % len(rows)]:
            pages = left[treatments[place]]
            if not pages:
                continue
            free = [page for page in pages if not line or page.clip != line[-1].clip]
            if not free:
                return []
            line.append(free[0])
            pages.remove(free[0])
        row += 1
    return line


def _among(line: Sequence[Page], golds: Sequence[Page], rng: random.Random) -> list[Page]:
    """Spread golds over a plan, none at its start; none if clips clash."""
    whole = list(line)
    for index in reversed(range(len(golds))):
        low = 1 + index * len(line) // len(golds)
        high = max(low, (index + 1) * len(line) // len(golds))
        places = [
            place
            for place in range(low, high + 1)
            if golds[index].clip not in {page.clip for page in whole[place - 1 : place + 1]}
        ]
        if not places:
            return []
        whole.insert(rng.choice(places), golds[index])
    return whole


def _in_any_order(pages: Sequence[Page], rng: random.Random) -> list[Page]:
    """Order pages at random so that no clip follows itself.

    That can be done as long as no clip makes more than half of what is left, rounded up.
    """
    left = list(pages)
    rng.shuffle(left)
    line: list[Page] = []
    while left:
        counts = Counter(page.clip for page in left)
        after = len(left) - 1
        for page in left:
            rest = counts - Counter([page.clip])
            follows = bool(line) and line[-1].clip == page.clip
            if not follows and max(rest.values(), default=0) <= (after + 1) // 2:
                break
        else:
            clip, times = counts.most_common(1)[0]
            raise ValueError(
                f"{clip} is in {times} of {len(pages)} trials of a plan and would follow itself: "
                "give more clips, or fewer trials or golds"
            )
        line.append(page)
        left.remove(page)
    return line
