"""`python -m supervisor.daemon` is the manager; the keeper starts it."""

from supervisor.daemon.main import main

main()
