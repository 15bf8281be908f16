"""Frames of calibrants drawn without the simulators: Gaussian rings on a tilted plane, by vector geometry."""

import numpy as np

LAB6_ANGSTROM, SI_ANGSTROM = 4.156826, 5.431179
SHAPE, PIXEL_MM = (400, 400), 0.4
HC = 12.398419843


def spacings(calibrant: str) -> np.ndarray:
    """In A, of the lines down to 0.9 A."""
    a = LAB6_ANGSTROM if calibrant == "LaB6" else SI_ANGSTROM
    found = set()
    for h in range(7):
        for k in range(h + 1):
            for index in range(k + 1):
                norm = h * h + k * k + index * index
                odd = {h % 2, k % 2, index % 2}
                is_diamond = odd == {1} or (odd == {0} and (h + k + index) % 4 == 0)
                if norm and (calibrant == "LaB6" or is_diamond):
                    found.add(norm)
    return np.array([a / np.sqrt(norm) for norm in sorted(found) if a / np.sqrt(norm) > 0.9])


def two_theta_deg(distance_mm: float, poni_mm: tuple[float, float], rot1: float, rot2: float) -> np.ndarray:
    """Of every pixel; the plane is turned about the first axis by -rot1, then about the second by -rot2."""
    rows, columns = np.indices(SHAPE)
    down = (rows + 0.5) * PIXEL_MM - poni_mm[0]
    across = (columns + 0.5) * PIXEL_MM - poni_mm[1]
    aside = across * np.cos(rot1) + distance_mm * np.sin(rot1)
    along = distance_mm * np.cos(rot1) - across * np.sin(rot1)
    up = down * np.cos(rot2) - along * np.sin(rot2)
    ahead = along * np.cos(rot2) + down * np.sin(rot2)
    return np.degrees(np.arctan2(np.hypot(up, aside), ahead))


def ring_frame(angle_deg: np.ndarray, calibrant: str, energy_kev: float, seed: int, height: float = 2000.0):
    """Counts of rings with a slope of background and shot noise, shape of `angle_deg`."""
    expected = 60.0 - angle_deg
    for number, d in enumerate(spacings(calibrant)):
        if d < HC / energy_kev / 2:
            continue
        centre = np.degrees(2 * np.arcsin(HC / energy_kev / 2 / d))
        expected = expected + height / (1 + 0.2 * number) * np.exp(-(((angle_deg - centre) / 0.06) ** 2) / 2)
    return np.random.default_rng(seed).poisson(expected).astype(float)
