"""A worker: takes a job from the cache, does it, takes the next."""

import argparse
import sys

from cacheclient import Cache

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--cache", required=True, metavar="HOST:PORT")
    options = parser.parse_args()
    try:
        cache = Cache(options.cache)
        print(f"worker {options.name}: waiting for jobs", flush=True)
        while True:
            print(f"worker {options.name}: {cache.ask('POP', 'jobs')}", flush=True)
    except OSError as error:
        # A failure, not a reason to wait here: supd starts the worker again, and knows better when.
        sys.exit(f"worker {options.name}: cannot take jobs from {options.cache}: {error}")
