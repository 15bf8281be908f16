"""Where the loops of a method lead: targets, nesting, tags."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intercalate.problems import Problem, did_you_mean

IDLE_STEPS = ("loop", "tag", "marker")
"""Steps that take no time."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What the structure of a method depends on, of one step."""

    step: str
    tag: str = ""
    loop_to: int | str = 1


def target_index(outlines: Sequence[Outline], loop: Outline) -> int | None:
    """Index in the method (from 0) to which a loop goes, None where there is no such tag.

    A number is a position from 1 and may lie outside the method.
    """
    if isinstance(loop.loop_to, int):
        return loop.loop_to - 1
    for index, outline in enumerate(outlines):
        if outline.step == "tag" and outline.tag == loop.loop_to:
            return index
    return None


def structure_problems(outlines: Sequence[Outline]) -> list[Problem]:
    """Everything wrong with tags and loops.

    A loop must go back to a tag or step before it, with at least one step that takes time in
    between, and two loops must be nested or apart.
    """
    problems = list(_tag_problems(outlines))
    bodies: list[tuple[int, int]] = []
    for index, outline in enumerate(outlines):
        if outline.step != "loop":
            continue
        problem = _loop_problem(outlines, index)
        if problem is not None:
            problems.append(problem)
            continue
        start = target_index(outlines, outline)
        assert start is not None
        crossed = [end for first, end in bodies if first < start <= end]
        if crossed:
            limit = f"crosses the loop at method[{crossed[0]}], whose steps it repeats only in part"
            fix = "loop to a step outside that loop or after it"
            problems.append(Problem(f"method[{index}].loop_to", outline.loop_to, limit, fix))
        bodies.append((start, index))
    return problems


def _tag_problems(outlines: Sequence[Outline]) -> Iterable[Problem]:
    seen: dict[str, int] = {}
    for index, outline in enumerate(outlines):
        if outline.step != "tag":
            continue
        if outline.tag in seen:
            limit = f"tag is already at method[{seen[outline.tag]}]"
            yield Problem(f"method[{index}].tag", outline.tag, limit, "give each tag its own name")
        seen.setdefault(outline.tag, index)


def _loop_problem(outlines: Sequence[Outline], index: int) -> Problem | None:
    """What is wrong with the target of one loop."""
    loop, where = outlines[index], f"method[{index}].loop_to"
    start = target_index(outlines, loop)
    if start is None:
        tags = [outline.tag for outline in outlines if outline.step == "tag"]
        fix = did_you_mean(loop.loop_to, tags) if tags else "add the tag, or give a number without quotes"
        return Problem(where, loop.loop_to, "no such tag", fix)
    if start < 0:
        return Problem(where, loop.loop_to, "positions count from 1", "give a position from 1, or a tag")
    if start >= index:
        limit = f"must lie before the loop, which is at position {index + 1}"
        return Problem(where, loop.loop_to, limit, "give a position or a tag before the loop")
    if outlines[start].step == "loop":
        return Problem(where, loop.loop_to, "is itself a loop", "loop to the first step to repeat")
    if all(outline.step in IDLE_STEPS for outline in outlines[start:index]):
        limit = "no step that takes time lies between target and loop"
        return Problem(where, loop.loop_to, limit, "loop to a step, or to a tag before one")
    return None
