"""Tests of the terminal UI: pure models, widgets as text, pilots with an in-memory supd, pictures."""
