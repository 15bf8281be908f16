"""`docs/faults.md`: what was injected, and what came of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.faults.accounts import Charge
from benchmarks.faults.matrix import Outcome
from benchmarks.faults.scene import LEASE_S
from benchmarks.report import circumstances, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"

HEAD = """# Faults

Written by `make faults` (`python -m benchmarks faults --seed N`). Experiments on the simulated beamline, of
real processes: Channel Access, RunEngine, journal, forwarder, Tiled. Each takes a frame every 200 s of cell
time while its cell is charged and discharged, and is hit at random moments, by up to three faults that it
survives and one that ends it. A second client, in a process of its own, observes all the time.

*Records lost*: rows of the run that are not bit for bit those of the cycler server's own file, or missing
from a run whose session saw the end of its program. *Documents lost*: numbers missing or doubled in a stream
of the journal. Both count for every fault that befell the same experiment. At the end the catalog is compared
with every journal, and the observer's records with the server's file. Every frame is compared with the
hidden stamp of the exposure whose time its event states. Times are from the fault, or from its end where the
state is demanded only then, to the demanded state, looked for every 0.01 s.
"""


def _times(outcomes: Sequence[Outcome], name: str, digits: int) -> str:
    values = [getattr(one.took, name) for one in outcomes if one.took is not None]
    if not values:
        return "-"
    return f"{np.median(values):.{digits}f}, {max(values):.{digits}f}"


def _row(name: str, outcomes: Sequence[Outcome]) -> list[object]:
    return [
        name,
        len(outcomes),
        outcomes[0].kind.demanded,
        _times(outcomes, "wall_s", 2),
        _times(outcomes, "cell_s", 0),
        sum(one.records_lost for one in outcomes),
        sum(one.documents_lost for one in outcomes),
        sum(bool(one.broken) for one in outcomes),
    ]


def matrix_table(outcomes: Sequence[Outcome]) -> str:
    """One row for each kind."""
    names = list(dict.fromkeys(one.kind.name for one in outcomes))
    head = [
        "fault",
        "injected",
        "demanded",
        "wall s, median and worst",
        "cell s, median and worst",
        "records lost",
        "documents lost",
        "promises broken",
    ]
    rows = [_row(name, [one for one in outcomes if one.kind.name == name]) for name in sorted(names)]
    return table(head, rows)


def charge_words(charge: Charge) -> str:
    """What became of the charge."""
    off_ah = abs(charge.cell_ah - charge.accounts_ah)
    return (
        f"{charge.programs} programs were started, {len(charge.repeated)} of them more than once. By the "
        f"world's own counter, which no client sees, {charge.cell_ah * 1e3:.6f} mAh are in the cell; the "
        f"accounts of the programs sum up to {charge.accounts_ah * 1e3:.6f} mAh, a difference of "
        f"{off_ah:.1e} Ah. With {charge.throughput_ah * 1e3:.2f} mAh moved to and fro, a current noise of "
        f"1e-5 that never averages out would allow {charge.tolerance_ah:.1e} Ah; sampling every 2 s adds "
        "nothing, because an account is closed only when the current has ceased. Through the cell beside "
        f"it, which no experiment was on, {charge.other_cell_ah:g} Ah passed."
    )


def closing_line(outcomes: Sequence[Outcome], lost: int) -> str:
    """The last line."""
    return f"{len(outcomes)} faults, {lost} lost"


def write(
    outcomes: Sequence[Outcome], charge: Charge, unobserved: int, missing: int, lost: int,
    broken: Sequence[str], *, seed: int, rate: float, took_s: float,
) -> str:  # fmt: skip
    """Write the document; returns its text."""
    lines = [
        HEAD,
        f"Seed {seed}, {rate:g} cell seconds per second, a lease of {LEASE_S:g} s; {took_s / 60:.0f} min.\n",
        matrix_table(outcomes),
        "",
        charge_words(charge),
        "",
        f"The catalog lacks {missing} events of the journals, the observing client {unobserved} records.\n",
        *(f"- Broken: {words}" for words in broken),
        "" if broken else "No promise was broken.\n",
        f"Seed {seed}. {circumstances()}\n",
        closing_line(outcomes, lost),
    ]
    text = "\n".join(lines).strip() + "\n"
    DOCUMENT.write_text(text)
    return text
