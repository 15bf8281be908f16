"""Goes through the whole matrix and writes what came of it."""

import logging
import random
import sys
import time

from benchmarks.faults.accounts import charge_of, not_in_catalog, unobserved
from benchmarks.faults.document import write
from benchmarks.faults.matrix import draw, perform
from benchmarks.faults.scene import RATE, observed, staged


def main(seed: int) -> int:
    """Inject all of it; 0 where nothing was lost and every promise was kept."""
    began = time.monotonic()
    print(f"seed {seed}", file=sys.stderr, flush=True)
    # It tells of every abort with a stack of calls.
    logging.getLogger("bluesky").setLevel(logging.CRITICAL)
    with staged(seed) as scene, observed(scene.config) as end_observing:
        outcomes = perform(scene, draw(random.Random(seed)))
        missing = not_in_catalog(scene)
        lacking = unobserved(scene.config, end_observing())
        charge = charge_of(scene.config)
    broken = [f"{one.kind.name}: {words}" for one in outcomes for words in one.broken]
    broken += charge.broken()
    broken += [f"run {uid}: {count} events are not in the catalog" for uid, count in missing.items()]
    lost = sum(one.records_lost + one.documents_lost for one in outcomes) + sum(missing.values()) + lacking
    text = write(
        outcomes,
        charge,
        lacking,
        sum(missing.values()),
        lost,
        broken,
        seed=seed,
        rate=RATE,
        took_s=time.monotonic() - began,
    )
    print(text)
    return 1 if lost or broken else 0
