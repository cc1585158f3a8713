"""A report that cannot be made: complains and exits with status 3."""

import sys

if __name__ == "__main__":
    print("report: adding up yesterday's sales", flush=True)
    print("report: cannot divide the total by 0 customers", file=sys.stderr, flush=True)
    sys.exit(3)
