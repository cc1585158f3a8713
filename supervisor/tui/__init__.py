"""The terminal UI: `supctl tui`."""
