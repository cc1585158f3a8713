"""`python -m supervisor.keeper` is `supd`."""

from supervisor.keeper.main import main

main()
