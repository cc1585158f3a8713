"""Fills the cache with what the shop sells, and gives each worker something to do."""

import argparse

from cacheclient import Cache

ARTICLES = ("a teapot", "a lamp", "a clock")

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", required=True, metavar="HOST:PORT")
    cache = Cache(parser.parse_args().cache)
    for number, article in enumerate(ARTICLES):
        cache.ask("SET", f"article:{number}", article)
        cache.ask("PUSH", "jobs", f"dust {article}")
    print(f"migrate: {len(ARTICLES)} articles in the catalogue", flush=True)
