"""Studies and their figures as a page of HTML that needs nothing but its images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8886; --quiet: #777; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
article { border-top: 1px solid var(--line); padding: 1rem 0 2rem; }
h2 { margin-bottom: 0; }
img { max-width: 100%; background: white; }
.simulated { font-weight: 600; }
.quiet { color: var(--quiet); }
code { font-size: 0.9em; }
"""


@dataclass(frozen=True)
class Exhibit:
    """What a study with one technique has found.

    Attributes
    ----------
    technique
        Its name.
    result
        As `StudyResult.given`.
    quantities
        Each with its error, as text.
    figure
        Where it is, seen from the page.
    """

    technique: str
    result: Mapping[str, Any]
    quantities: Sequence[str]
    figure: str


def page(exhibits: Sequence[Exhibit], left: Sequence[str]) -> str:
    """The whole page.

    Parameters
    ----------
    left
        Names of techniques that are not shown.
    """
    shown = "\n".join(map(_article, exhibits))
    rest = f'<p class="quiet">Not shown: {escape(", ".join(left))}.</p>' if left else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>intercalate: what each technique shows</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        "<h1>What each technique shows</h1>\n"
        "<p>Every figure comes from a run by the plans, devices, catalog and reductions of a beamline.</p>\n"
        f"{shown}\n{rest}\n</body>\n</html>\n"
    )


def _article(one: Exhibit) -> str:
    result = one.result
    listed = "\n".join(f"<li>{escape(text)}</li>" for text in one.quantities)
    found = "its finding comes out" if result["recovered"] else "its finding does not come out"
    origin = "simulated" if result["simulated"] else "measured"
    title = f"{result['study']}: {result['title']}"
    return (
        f"<article>\n<h2>{escape(one.technique.capitalize())}</h2>\n<p>{escape(title)}. "
        f'<span class="simulated">{origin}</span>, {found}.</p>\n'
        f'<figure><img src="{escape(one.figure)}" alt="{escape(title)}"></figure>\n'
        f"<p>{escape(result['question'])}</p>\n<p>{escape(result['finding'])}</p>\n"
        f"<ul>\n{listed}\n</ul>\n"
        f'<p class="quiet">{escape(result["differs"])}</p>\n'
        f'<p class="quiet"><code>intercalate study {escape(result["study"])} --seed {result["seed"]}</code>; '
        f"runs {escape(', '.join(result['runs']))}</p>\n</article>"
    )
