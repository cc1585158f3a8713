"""pump.py FILE: move stdin to FILE by splice(2) until the end of input. The limit of B3 and B7."""

import os
import sys

out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
while os.splice(0, out, 1 << 20):
    pass
