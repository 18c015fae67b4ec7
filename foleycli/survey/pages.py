"""What is shown together: the pages that plans are dealt from, by method.

Stimulus pages form a grid, clips x treatments. A treatment is what raters must see equally often:
a condition, a pair of conditions, or, where a page shows all conditions, one treatment for all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from foleycli.survey.questions import Method
from foleycli.survey.stimuli import Catalogue, Clip, Medium, check_golds

DEFAULT_OPTIONS = {"match-one": 4, "pick-all": 5}  # Sound2Scene, Section 4.3
_GOLD_CLIPS = 4  # golds of a kind that a study makes: each is one more file to load
_BAD = ("shifted", "other-class", "degraded")


@dataclass(frozen=True)
class Page:
    """Media shown together, in no order, and what is shown openly beside them.

    Attributes
    ----------
    clip : str
        Clip whose picture is seen; pages of one clip never follow each other.
    treatment : str
        Column of the grid; of a gold page its kind.
    media : tuple of Medium
    prompt : Medium or None
    """

    clip: str
    treatment: str
    media: tuple[Medium, ...]
    prompt: Medium | None = None

    @property
    def gold(self) -> bool:
        """Whether its answer is known beforehand."""
        return all(medium.role == "gold" for medium in self.media)


@dataclass(frozen=True)
class Deck:
    """All pages of a study: the grid by clip, then treatment; and the gold pages."""

    clips: tuple[str, ...]
    treatments: tuple[str, ...]
    grid: tuple[Page, ...]
    golds: tuple[Page, ...]

    def page(self, clip: int, treatment: int) -> Page:
        """Find a page of the grid by place."""
        return self.grid[clip * len(self.treatments) + treatment]

    @property
    def media(self) -> tuple[Medium, ...]:
        """All media, each once; the first ones name the conditions in the order given."""
        shown = [
            medium
            for page in (*self.grid, *self.golds)
            for medium in (*page.media, *([page.prompt] if page.prompt else []))
        ]
        return tuple({medium.name: medium for medium in shown}.values())


def make_deck(
    catalogue: Catalogue,
    method: Method,
    *,
    golds: Collection[str] = (),
    options: int | None = None,
    open_reference: bool = False,
    shiftable: Collection[str] | None = None,
) -> Deck:
    """Make the pages of a study.

    Parameters
    ----------
    golds : collection of str
        Of :data:`foleycli.survey.stimuli.GOLD_KINDS`. With ``mushra`` the hidden reference is on
        every page, and so are the other kinds, as anchors; elsewhere they have pages of their own.
    options : int, optional
        Media on a page of choices; 4 for ``match-one`` and 5 for ``pick-all`` if not given.
    open_reference : bool
        Show the original beside every page, as FoleyGAN's survey did; MUSHRA always does, and where
        pictures are chosen it is the sound that they belong to.
    shiftable : collection of str, optional
        Ids of clips whose sound has events, so that a shift is heard; all, if not given. Rain half
        a second late is rain.

    Raises
    ------
    ValueError
        When there are too few clips, conditions or options, or golds cannot be made.
    """
    material = catalogue.material
    check_golds(material, golds)
    choices = options or DEFAULT_OPTIONS.get(method, 0)
    if method in DEFAULT_OPTIONS and not 2 <= choices <= len(material.clips):
        raise ValueError(
            f"{choices} options on a page need as many clips, 2 at least; there are "
            f"{len(material.clips)}: ask for other options"
        )
    if method == "pick-all" and choices < len(material.conditions):
        raise ValueError(
            f"{choices} options are too few for {len(material.conditions)} conditions; ask for more"
        )
    if method == "pairwise" and len(material.conditions) < 2:
        raise ValueError("a comparison needs two conditions: give --condition twice")
    openly = open_reference or method == "mushra" or material.pictures
    prompts = {c.id: catalogue.prompt(c) if openly else None for c in material.clips}
    treatments, media_of = _layout(catalogue, method, golds, choices)
    grid = [
        Page(clip.id, treatment, media_of(clip, treatment), prompts[clip.id])
        for clip in material.clips
        for treatment in treatments
    ]
    gold_pages = [
        Page(clip.id, kind, media, prompts[clip.id])
        for clip, kind, media in _gold_media(catalogue, method, golds, choices, shiftable)
    ]
    return Deck(tuple(c.id for c in material.clips), treatments, tuple(grid), tuple(gold_pages))


def usable_golds(
    catalogue: Catalogue,
    method: Method,
    kinds: Iterable[str],
    *,
    options: int | None = None,
    shiftable: Collection[str] | None = None,
) -> tuple[str, ...]:
    """Choose of ``kinds`` those that pages can be made of, as :func:`make_deck` would make them."""
    usable = []
    for kind in kinds:
        try:
            make_deck(catalogue, method, golds=(kind,), options=options, shiftable=shiftable)
        except ValueError:
            continue
        usable.append(kind)
    return tuple(usable)


_MediaOf = Callable[[Clip, str], tuple[Medium, ...]]


def _layout(
    catalogue: Catalogue, method: Method, golds: Collection[str], choices: int
) -> tuple[tuple[str, ...], _MediaOf]:
    """Say what the treatments of a method are, and which media a page of each shows."""
    conditions = catalogue.material.conditions

    if method == "mos":
        return conditions, lambda clip, name: (catalogue.stimulus(clip, name),)

    if method == "pairwise":
        pairs = {"\0".join(pair): pair for pair in _rounds(conditions)}
        return tuple(pairs), lambda clip, name: tuple(
            catalogue.stimulus(clip, condition) for condition in pairs[name]
        )

    if method == "match-one":
        return conditions, lambda clip, name: (
            catalogue.stimulus(clip, name),
            *(
                catalogue.stimulus(clip, name, other)
                for other in catalogue.others(clip, name)[: choices - 1]
            ),
        )

    everything = tuple(conditions)

    def all_of(clip: Clip, _: str) -> tuple[Medium, ...]:
        shown = [catalogue.stimulus(clip, name) for name in everything]
        if method == "mushra":
            return (*shown, *_anchors(catalogue, clip, golds))
        rng = random.Random(f"systems/{catalogue.seed}/{clip.id}")
        others = catalogue.others(clip, "all")[: choices - len(shown)]
        return (*shown, *(catalogue.stimulus(clip, rng.choice(everything), o) for o in others))

    return ("all",), all_of


def _rounds(conditions: Sequence[str]) -> list[tuple[str, str]]:
    """List all pairs, round by round of a tournament: any run of them is nearly balanced."""
    if len(conditions) < 4:
        return list(combinations(conditions, 2))
    players: list[str | None] = [*conditions, *([None] if len(conditions) % 2 else [])]
    pairs = []
    for _ in range(len(players) - 1):
        half = len(players) // 2
        for a, b in zip(players[:half], reversed(players[half:]), strict=True):
            if a is not None and b is not None:
                pairs.append((a, b))
        players.insert(1, players.pop())
    return pairs


def _anchors(catalogue: Catalogue, clip: Clip, golds: Collection[str]) -> Iterable[Medium]:
    """Make what each page of MUSHRA has besides: the hidden reference, and the kinds asked for."""
    yield catalogue.gold(clip, "hidden-reference")
    for kind in _BAD:
        if kind in golds:
            yield _bad(catalogue, clip, kind)


def _bad(catalogue: Catalogue, clip: Clip, kind: str) -> Medium:
    if kind != "other-class":
        return catalogue.gold(clip, kind)
    return catalogue.gold(clip, kind, catalogue.others(clip, kind, strict=True)[0])


def _gold_media(
    catalogue: Catalogue,
    method: Method,
    golds: Collection[str],
    choices: int,
    shiftable: Collection[str] | None,
) -> Iterable[tuple[Clip, str, tuple[Medium, ...]]]:
    """Make gold pages, kinds in turn, a few clips of each."""
    if method == "mushra":
        return
    rng = random.Random(f"golds/{catalogue.seed}")
    kinds = [k for k in ("shifted", "other-class", "degraded", "hidden-reference") if k in golds]
    if method != "mos":
        kinds = [kind for kind in kinds if kind != "hidden-reference"]
    if method in DEFAULT_OPTIONS:
        kinds = [kind for kind in kinds if kind == "other-class"]
    if golds and not kinds:
        use = "other-class" if method in DEFAULT_OPTIONS else ", ".join(_BAD)
        raise ValueError(f"{method} can have golds of {use} only")
    clips: dict[str, list[Clip]] = {}
    for kind in kinds:
        able = [
            clip
            for clip in catalogue.material.clips
            if _can_be(catalogue, clip, kind, choices, shiftable)
        ]
        if not able:
            raise ValueError(f"no clip serves for gold items of the kind {kind}: leave it out")
        clips[kind] = rng.sample(able, min(_GOLD_CLIPS, len(able)))
    for turn in range(_GOLD_CLIPS):
        for kind in kinds:
            if turn < len(clips[kind]):
                clip = clips[kind][turn]
                yield clip, kind, _gold_page(catalogue, method, clip, kind, choices)


def _can_be(
    catalogue: Catalogue,
    clip: Clip,
    kind: str,
    choices: int,
    shiftable: Collection[str] | None,
) -> bool:
    if kind == "shifted":
        return shiftable is None or clip.id in shiftable
    if kind == "other-class":  # with fewer options than others have, the page would be known
        return len(catalogue.others(clip, kind, strict=True)) >= max(1, choices - 1)
    return True


def _gold_page(
    catalogue: Catalogue, method: Method, clip: Clip, kind: str, choices: int
) -> tuple[Medium, ...]:
    if method == "mos":
        return (
            catalogue.gold(clip, kind)
            if kind == "hidden-reference"
            else _bad(catalogue, clip, kind),
        )
    right = catalogue.gold(clip, "hidden-reference")
    if method == "pairwise":
        return (right, _bad(catalogue, clip, kind))
    others = catalogue.others(clip, "gold", strict=True)[: choices - 1]
    return (right, *(catalogue.gold(clip, "other-class", other) for other in others))
