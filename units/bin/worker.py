"""A worker: takes a job from the cache, does it, takes the next."""

import argparse

from cacheclient import Cache

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--cache", required=True, metavar="HOST:PORT")
    options = parser.parse_args()
    cache = Cache(options.cache)
    print(f"worker {options.name}: waiting for jobs", flush=True)
    while True:
        print(f"worker {options.name}: {cache.ask('POP', 'jobs')}", flush=True)
