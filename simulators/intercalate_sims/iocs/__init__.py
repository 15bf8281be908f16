"""One group of PVs per simulated instrument: PVs, completion and fault knobs, no physics."""
