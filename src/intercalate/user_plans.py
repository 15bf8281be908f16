"""Plans of one's own: each Python file of a folder, by itself, so that one with a mistake stops no other."""

import __future__

import inspect
import sys
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "plans_of_"
"""Of which modules the files become: `plans_of_.my_operando`."""


@dataclass(frozen=True, slots=True)
class UserPlans:
    """What a folder of plan files holds.

    Attributes
    ----------
    folder
        That was read.
    plans
        By name.
    refused
        Why a file was refused, by its name: the line, what is there, and what to do. Nothing of it is among
        the plans.
    """

    folder: Path
    plans: dict[str, Callable[..., Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def describe(self) -> str:
        """What was found, a line for each plan and each file that was refused."""
        lines = [f"{name:24} {_first_line(plan)}".rstrip() for name, plan in self.plans.items()]
        lines += [f"{name} is left out: {why}" for name, why in self.refused.items()]
        return "\n".join(lines) or f"no plan files in {self.folder}"


def load_user_plans(folder: Path, taken: Collection[str] = ()) -> UserPlans:
    """Execute every `*.py` file of a folder, in the order of their names, and collect their plans.

    A plan is a public generator function that stands in the file. Files whose names begin with an underscore
    are left alone. A file is refused as a whole: where it cannot be executed, has nothing in it, names a plan
    like something that is there already, or has a plan that the queue could not read.

    Parameters
    ----------
    folder
        One that is not there holds nothing.
    taken
        Names that no plan may have.
    """
    found = UserPlans(folder)
    for path in sorted(folder.glob("[!_]*.py")):
        try:
            plans = _plans_of(path)
            for name in plans:
                _require_free(name, {*taken, *found.plans})
                _require_readable_for_queue(name, plans[name])
        except _RefusedError as refused:
            found.refused[path.name] = str(refused)
        else:
            found.plans.update(plans)
    return found


class _RefusedError(Exception):
    """Why a file is left out."""


def _plans_of(path: Path) -> dict[str, Callable[..., Any]]:
    module = ModuleType(PACKAGE + "." + path.stem)
    module.__file__ = str(path)
    # Dataclasses and pickling look modules up by their names.
    sys.modules[module.__name__] = module
    try:
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        del sys.modules[module.__name__]
        raise _RefusedError(_where_it_failed(path, error)) from None
    if code.co_flags & __future__.annotations.compiler_flag:
        raise _RefusedError(
            "`from __future__ import annotations` hides types of parameters from the queue; take the line out"
        )
    own = {
        name: one
        for name, one in vars(module).items()
        if not name.startswith("_") and inspect.isfunction(one) and one.__module__ == module.__name__
    }
    if not own:
        raise _RefusedError("no function stands in it; a plan is a function that yields messages")
    return {name: one for name, one in own.items() if inspect.isgeneratorfunction(inspect.unwrap(one))}


def _where_it_failed(path: Path, error: BaseException) -> str:
    """The line of the file at which it failed, and how."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
    in_file = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
    where = f"line {in_file[-1].lineno}: " if in_file else ""
    line = f": {in_file[-1].line}" if in_file and in_file[-1].line else ""
    return f"{where}{type(error).__name__}: {error}{line}"


def _require_free(name: str, taken: Collection[str]) -> None:
    if name in taken:
        raise _RefusedError(f"there is a {name!r} already; give your plan another name")


def _require_readable_for_queue(name: str, plan: Callable[..., Any]) -> None:
    """One plan that the queue cannot read would cost it all others."""
    from bluesky_queueserver.manager.profile_ops import existing_plans_and_devices_from_nspace

    from intercalate.orchestration.annotations import as_queued

    try:
        existing_plans_and_devices_from_nspace(nspace={name: as_queued(plan)}, max_depth=1)
    except Exception as error:  # noqa: BLE001
        raise _RefusedError(
            f"the queue cannot read the parameters of {name!r}: {error}; use numbers, text, lists and "
            "dictionaries as defaults and types"
        ) from None


def _first_line(plan: Callable[..., Any]) -> str:
    return (inspect.getdoc(plan) or "").partition("\n")[0]
