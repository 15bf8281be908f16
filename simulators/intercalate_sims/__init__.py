"""The simulated beamline: cells, what probes see of them, and the IOCs that serve both."""
