"""Asks the errors of every reduction whether they are true, and writes the tables into docs/honesty.md.

Usage: python -m benchmarks.honesty [SECTION ...] [--worlds 400] [--noise 10] [--images 300]
                                    [--processes 2] [--first-world 0] [--only TITLE]

Sections are those of `TITLES`, each a module of its own.

A section is written only where it is whole: numbers and worlds as by default, every table of it. Constants of
a reduction are set with other worlds than those (`--first-world 10000`).
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.honesty.ensembles import (
    ACCURACY,
    COVERAGE,
    IMAGES,
    NOISE,
    NOISE_WORLDS,
    SELDOM,
    SPREAD,
    WORLDS,
    Honesty,
    Measurement,
    Sorting,
    confusion,
    judge,
    kinds_of,
)
from benchmarks.report import replace_section, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "honesty.md"
HEAD = """# Honesty of the reductions

Written by `python -m benchmarks.honesty`, each section when it was run last. Spread, bias and coverage are
explained in `benchmarks/honesty/ensembles.py`; the simulator's profiles, backgrounds and images are not those
of the reductions. All data are simulated. What diffraction claims of lattices is asked in
`docs/benchmarks.md`.
"""
TITLES = {
    "xps": "Photoelectron spectra",
    "sem": "Micrographs",
    "eds": "Spectra of X-rays from an electron column",
    "ebsd": "Orientation maps",
    "eels": "Electron energy losses",
    "tem": "Transmission electron microscopy",
    "raman": "Raman spectra",
    "constants": "Constants of instruments",
    "plans": "What plans find before they measure",
    "raman_map": "Maps of Raman spectra",
    "diffraction": "Amounts and depths by diffraction",
    "reflection": "Lithium by depth in reflection",
}


def objects_of(name: str) -> list[tuple[str, int]]:
    """Kind and number of everything that is asked of a technique."""
    module = import_module(f"benchmarks.honesty.{name}")
    kinds = ("MEASUREMENTS", "SORTINGS", "FINDINGS")
    return [(kind, number) for kind in kinds for number in range(len(getattr(module, kind, ())))]


def asked_of(name: str, kind: str, number: int) -> Any:
    """A measurement or a sorting."""
    return getattr(import_module(f"benchmarks.honesty.{name}"), kind)[number]


@dataclass(frozen=True)
class Numbers:
    """How many are drawn, and from where on."""

    worlds: int = WORLDS
    noise: int = NOISE
    images: int = IMAGES
    first_world: int = 0


def ask(name: str, kind: str, number: int, numbers: Numbers) -> str:
    """Table of one measurement or sorting, in Markdown."""
    asked = asked_of(name, kind, number)
    began = time.monotonic()
    with warnings.catch_warnings():
        # Tables say what came out; a warning about one of thousands of draws says nothing to their reader.
        warnings.simplefilter("ignore")
        text = measurement_table(asked, numbers) if kind == "MEASUREMENTS" else sorting_table(asked, numbers)
    return f"### {asked.title}\n\n{text}\n\n{time.monotonic() - began:.0f} s.\n"


def measurement_table(measurement: Measurement, numbers: Numbers) -> str:
    """Spread, bias and coverage of its quantities, with what was asked for."""
    judged = judge(measurement, numbers.worlds, numbers.noise, numbers.first_world)
    kinds = kinds_of(measurement)
    rows = [_row(name, one, SELDOM / kinds) for name, one in judged.quantities.items()]
    head = ["quantity", "spread", "bias / sigma_sys", "coverage", "determined", "median sigma", "goals"]
    of_kinds = f" of {kinds} kinds in turn" if kinds > 1 else ""
    said = (
        f"{kinds * numbers.worlds} worlds{of_kinds}; spread within {kinds * NOISE_WORLDS} worlds measured "
        f"{numbers.noise} times each, pooled."
    )
    measured = kinds * (numbers.worlds + NOISE_WORLDS * numbers.noise)
    refused = "".join(
        f"\n\nRefused in {count} of {measured} measurements: {reason}."
        for reason, count in sorted(judged.refusals.items())
    )
    return f"{said}\n\n{table(head, rows)}{refused}"


def _row(name: str, one: Honesty, seldom: float) -> list[object]:
    met = "met" if one.is_honest else "not met"
    return [
        name,
        f"{one.spread:.2f}" if one.is_counted else "no sigma_stat",
        f"{one.bias:.2f}",
        f"{one.coverage:.0%}",
        f"{one.determined:.0%}",
        f"{one.typical_sigma:.3g}",
        f"{met}; seldom determined" if one.determined < seldom else met,
    ]


def sorting_table(sorting: Sorting, numbers: Numbers) -> str:
    """True class against the one that was given."""
    counts, columns = confusion(sorting, numbers.images, numbers.first_world)
    rows = [[true, *counts[number]] for number, true in enumerate(sorting.classes)]
    right = sum(int(counts[number, columns.index(true)]) for number, true in enumerate(sorting.classes))
    share = right / max(int(counts.sum()), 1)
    met = "met" if share >= ACCURACY else "not met"
    said = f"{counts.sum()} drawn, {share:.1%} given their class (goal {ACCURACY:.0%}: {met})."
    return f"{said}\n\n{table(['true', *columns], rows)}"


def goals() -> str:
    """In words."""
    return (
        f"Goals: spread {SPREAD[0]:g} to {SPREAD[1]:g}, |bias| at most sigma_sys, coverage "
        f"{COVERAGE[0]:.0%} to {COVERAGE[1]:.0%}, accuracy of classes {ACCURACY:.0%}."
    )


def main(given: Sequence[str] | None = None) -> None:
    """Ask what was named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="all where none is given")
    parser.add_argument("--worlds", type=int, default=WORLDS)
    parser.add_argument("--noise", type=int, default=NOISE)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--first-world", type=int, default=0)
    parser.add_argument("--only", default="", metavar="TITLE", help="tables whose title holds this")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args(given)
    unknown = [name for name in asked.names if name not in TITLES]
    if unknown:
        parser.error(f"nothing is asked of {', '.join(unknown)}; there are {', '.join(TITLES)}")
    numbers = Numbers(asked.worlds, asked.noise, asked.images, asked.first_world)
    is_whole = numbers == Numbers() and not asked.only
    with ProcessPoolExecutor(asked.processes) as pool:
        for name in asked.names or TITLES:
            futures = [
                pool.submit(ask, name, kind, number, numbers)
                for kind, number in objects_of(name)
                if asked.only.lower() in asked_of(name, kind, number).title.lower()
            ]
            print(f"## {TITLES[name]}\n\n{goals()}\n", flush=True)
            texts = []
            for one in futures:
                texts.append(one.result())
                print(texts[-1], flush=True)
            if is_whole:
                text = "\n".join([goals(), "", *texts])
                replace_section(DOCUMENT, name, TITLES[name], text, tuple(TITLES), HEAD)


if __name__ == "__main__":
    main()
