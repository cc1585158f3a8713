"""Faults planted in the engine one by one, and how many the specification tables and the simulation catch: `python -m tests.planted`."""
