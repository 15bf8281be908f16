"""Powders by whose rings a diffractometer is calibrated."""

CALIBRANTS = {"LaB6": "LaB6_SRM660c", "Si": "Si_SRM640e"}
"""By the certificates of NIST SRM 660c and 640e, as pyFAI has them."""
