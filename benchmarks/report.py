"""Tables in Markdown, and the document they are kept in."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

HEAD = """# Benchmarks

Written by `python -m benchmarks`, each section when it was run last. Single runs: ratios within one run say
more than seconds, and other work on the machine lengthens all of them.
"""


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def spread(values: np.ndarray, scale: float = 1.0) -> str:
    """Median and the range of the middle 80 %."""
    low, middle, high = np.percentile(np.asarray(values) * scale, (10, 50, 90))
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def verdict(value: float, goal: float) -> str:
    """Whether a value is at most its goal."""
    return "met" if value <= goal else "not met"


def circumstances() -> str:
    """When and where a section was measured."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} processor cores, load of the machine at "
        f"the end {load}, Python {platform.python_version()}."
    )


def replace_section(
    document: Path, name: str, title: str, text: str, order: Sequence[str], head: str = HEAD
) -> None:
    """Put a section in the place of its predecessor, or where it belongs, below a head."""
    old = document.read_text() if document.exists() else head
    found = re.split(r"^<!-- (\w+) -->\n", old, flags=re.MULTILINE)
    sections = dict(zip(found[1::2], found[2::2]))
    sections[name] = f"## {title}\n\n{text.strip()}\n\n{circumstances()}\n\n"
    ordered = sorted(sections, key=lambda one: order.index(one) if one in order else len(order))
    body = "".join(f"<!-- {one} -->\n{sections[one].rstrip()}\n\n" for one in ordered)
    document.write_text(f"{head.rstrip()}\n\n{body}".rstrip() + "\n")
