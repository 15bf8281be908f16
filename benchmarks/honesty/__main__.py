"""Asks the errors of every reduction whether they are true, and writes the tables into docs/honesty.md.

Usage: python -m benchmarks.honesty [xps sem eds ebsd eels tem raman] [--worlds 400] [--noise 100]
                                    [--images 300] [--processes 2]
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.honesty.ensembles import (
    ACCURACY,
    COVERAGE,
    IMAGES,
    NOISE,
    NOISE_WORLDS,
    SPREAD,
    WORLDS,
    Honesty,
    Measurement,
    Sorting,
    confusion,
    judge,
)
from benchmarks.report import replace_section, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "honesty.md"
HEAD = """# Honesty of the reductions

Written by `python -m benchmarks.honesty`, each section when it was run last. Spread, bias and coverage are
explained in `benchmarks/honesty/ensembles.py`; the simulator's profiles, backgrounds and images are not those of
the reductions. All data are simulated.
"""
TITLES = {
    "xps": "Photoelectron spectra",
    "sem": "Micrographs",
    "eds": "Spectra of X-rays from an electron column",
    "ebsd": "Orientation maps",
    "eels": "Electron energy losses",
    "tem": "Transmission electron microscopy",
    "raman": "Raman spectra",
}


def objects_of(name: str) -> list[tuple[str, int]]:
    """Kind and number of everything that is asked of a technique."""
    module = import_module(f"benchmarks.honesty.{name}")
    kinds = ("MEASUREMENTS", "SORTINGS", "FINDINGS")
    return [(kind, number) for kind in kinds for number in range(len(getattr(module, kind, ())))]


def ask(name: str, kind: str, number: int, worlds: int, noise: int, images: int) -> str:
    """Table of one measurement or sorting, in Markdown."""
    asked: Any = getattr(import_module(f"benchmarks.honesty.{name}"), kind)[number]
    began = time.monotonic()
    with warnings.catch_warnings():
        # Tables say what came out; a warning about one of thousands of draws says nothing to their reader.
        warnings.simplefilter("ignore")
        text = (
            measurement_table(asked, worlds, noise)
            if kind == "MEASUREMENTS"
            else sorting_table(asked, images)
        )
    return f"### {asked.title}\n\n{text}\n\n{time.monotonic() - began:.0f} s.\n"


def measurement_table(measurement: Measurement, worlds: int, noise: int) -> str:
    """Spread, bias and coverage of its quantities, with what was asked for."""
    rows = [_row(name, one) for name, one in judge(measurement, worlds, noise).items()]
    head = ["quantity", "spread", "bias / sigma_sys", "coverage", "determined", "median sigma", "goals"]
    said = f"{worlds} worlds; {NOISE_WORLDS} worlds measured {noise} times each."
    return f"{said}\n\n{table(head, rows)}"


def _row(name: str, one: Honesty) -> list[object]:
    spread = "no sigma_stat" if np.isnan(one.spread) else f"{one.spread:.2f}"
    return [
        name,
        spread,
        f"{one.bias:.2f}",
        f"{one.coverage:.0%}",
        f"{one.determined:.0%}",
        f"{one.typical_sigma:.3g}",
        "met" if one.is_honest else "not met",
    ]


def sorting_table(sorting: Sorting, images: int) -> str:
    """True class against the one that was given."""
    counts, columns = confusion(sorting, images)
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
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args(given)
    unknown = [name for name in asked.names if name not in TITLES]
    if unknown:
        parser.error(f"nothing is asked of {', '.join(unknown)}; there are {', '.join(TITLES)}")
    with ProcessPoolExecutor(asked.processes) as pool:
        for name in asked.names or TITLES:
            futures = [
                pool.submit(ask, name, kind, number, asked.worlds, asked.noise, asked.images)
                for kind, number in objects_of(name)
            ]
            text = "\n".join([goals(), "", *(one.result() for one in futures)])
            print(f"## {TITLES[name]}\n\n{text}", flush=True)
            replace_section(DOCUMENT, name, TITLES[name], text, tuple(TITLES), HEAD)


if __name__ == "__main__":
    main()
