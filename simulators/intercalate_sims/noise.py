"""Random numbers that depend on what they are for, and on nothing else."""

import zlib

import numpy as np


def keyed_generator(seed: int, instrument: str, key: int) -> np.random.Generator:
    """Random numbers that depend on seed, instrument and key alone.

    `key` is the start of the exposure in whole milliseconds, or another number unique to the frame.
    """
    words = [seed, zlib.crc32(instrument.encode()), key & 0xFFFFFFFF, (key >> 32) & 0xFFFFFFFF]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(words)))
