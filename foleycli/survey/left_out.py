"""What was refused and who was left out, in few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from foleycli.survey.exclusions import Exclusion
from foleycli.survey.response_files import Refusal
from foleycli.survey.responses import Collected, shown

_REASONS = 3


def refused_by_place(refusals: Iterable[Refusal]) -> dict[str, str]:
    """List refusals by place; several of one place in one line."""
    found: dict[str, list[str]] = {}
    for refusal in refusals:
        found.setdefault(refusal.where, []).append(refusal.told)
    return {
        where: reasons[0] + (f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else "")
        for where, reasons in found.items()
    }


def why_nothing_is_left(collected: Collected, exclusions: Sequence[Exclusion]) -> str:
    """Name the commonest reasons, how often each was met, and one example of each."""
    sessions, refusals = len(collected.sessions), len(collected.refusals)
    refused = Counter(refusal.reason for refusal in collected.refusals)
    place = {refusal.reason: refusal.where for refusal in reversed(collected.refusals)}
    broken = Counter(exclusion.rule for exclusion in exclusions)
    first = {exclusion.rule: exclusion for exclusion in reversed(exclusions)}
    why = [f"{reason}: {n}, as {place[reason]}" for reason, n in refused.most_common(_REASONS)]
    why += [
        f"{rule}: {n}, as session {shown(first[rule].session)}: {first[rule].reason}"
        for rule, n in broken.most_common(_REASONS)
    ]
    said = "; ".join(why) or "the files hold none"
    return f"no answers are left of {sessions} sessions, {refusals} refused: {said}"
