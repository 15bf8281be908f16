"""Names of the streams of a run: plans write them, readers look for them."""

CYCLING = "cycling"
"""Records of the cycler."""

EIS = "eis"
"""Impedance spectra, one event for each frequency: spectra differ in length, and each frequency has its own
time and voltage, by which the drift of a cell during a sweep can be seen."""

XRD = "xrd"
"""Diffraction frames of a cell that is cycled."""

RAMAN = "raman"
"""Raman spectra of a cell that is cycled, as frames of one row."""

OPTICAL = "optical"
"""Colour images in white light, as `colour_frames` packs them."""

XPS = "xps"
"""Photoelectron spectra of a cell that is cycled, as frames of one row; a region of energies each."""

SEM = "sem"
"""Micrographs of a cell that is cycled."""

EDS = "eds"
"""X-ray spectra of what an electron column scans, as frames of one row."""

EBSD = "ebsd"
"""Orientation maps, as `orientation_frames` packs them."""

TEM = "tem"
"""Images and diffraction patterns of a transmission electron microscope."""

EELS = "eels"
"""Spectrum images of electron losses, as `spectrum_frames` packs them."""

PRIMARY = "primary"
"""Frames of a run that does nothing else."""

MISSED = "missed"
"""One event per occasion that gave no frame, with the reason."""

MARKERS = "markers"
"""Markers of a program that were passed."""

VISITS = "visits"
"""One event per visit of a cell: when it was due and began, by the cycler's clock; how long the way and the
whole took; frames taken."""

REQUESTS = "requests"
"""One event per request of a person that reached a running experiment: what, who, and what became of it."""

AVAILABLE = "available"
"""One event whenever measuring has become possible or impossible: when, by the cycler's clock; why not."""

CALIBRATION = "calibration"
"""One event with what was found, and the hash of the calibration that was kept."""

PREFLIGHT = "preflight"
"""One event per finding."""

TRANSFER = "transfer"
"""One event per stage of a cell's way to another instrument: cell, glovebox, vessel; whether air may have
got in."""

SHIFT_LOG = "shift_log"
"""One event per entry that was made by a plan in its own run."""

MILLING = "milling"
"""One event per cut of an ion beam: what was asked for, how deep it became, and why it ended."""

OTHERS = frozenset(
    (
        *(CYCLING, EIS, MISSED, MARKERS, VISITS, REQUESTS, AVAILABLE),
        *(CALIBRATION, PREFLIGHT, TRANSFER, SHIFT_LOG, MILLING),
    )
)
"""All that hold no frames; those of frames have the names of their measurements."""
