"""The same scenario on a real systemd and on supd, and what came of it compared. `python -m tests.agreement` runs it by hand."""
