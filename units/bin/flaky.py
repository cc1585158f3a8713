"""Runs for a second, then fails as programs do: with a traceback and exit status 1."""

import time

if __name__ == "__main__":
    print("flaky: all is well", flush=True)
    time.sleep(1)
    raise RuntimeError("the flux capacitor is empty")
