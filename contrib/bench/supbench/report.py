"""Markdown tables of everything in the results directory: medians, and ratios to --ref within the same run."""

import argparse
import json
from collections.abc import Iterable
from typing import Any

from .measure import RESULTS, median, quantile

Doc = dict[str, Any]

COLUMNS = {  # per benchmark: (key, heading, format); the first is the figure of the ratio
    "b1": [
        ("boot_s", "boot s", ".3f"),
        ("first_s", "first s", ".3f"),
        ("sup_cpu_s", "sup CPU s", ".3f"),
        ("tree_cpu_s", "tree CPU s", ".3f"),
        ("sup_procs", "procs", ".0f"),
        ("rss_mb", "RSS MB", ".0f"),
        ("pss_mb", "PSS MB", ".1f"),
    ],
    "b3": [
        ("mb_s", "MB/s", ".0f"),
        ("cpu_s_per_gib", "CPU s/GiB", ".2f"),
        ("mib", "MiB sent", ".0f"),
        ("lines_lost", "lines lost", ".0f"),
        ("rss_mb", "RSS MB", ".0f"),
    ],
    "b4": [
        ("cpu_ms_per_s", "CPU ms/s", ".3f"),
        ("switches_per_s", "switches/s", ".2f"),
        ("sup_procs", "procs", ".0f"),
        ("rss_mb", "RSS MB", ".0f"),
        ("pss_mb", "PSS MB", ".1f"),
    ],
    "b7": [
        ("sup_cpu_pct", "sup CPU %", ".1f"),
        ("us_per_line", "us/line", ".1f"),
        ("switches_per_s", "switches/s", ".0f"),
        ("svc_cpu_pct", "services CPU %", ".1f"),
        ("lines_lost", "lines lost", ".0f"),
        ("rss_mb", "RSS MB", ".0f"),
    ],
}


def options(p: argparse.ArgumentParser) -> None:
    p.add_argument("--ref", default="supervisord", help="the peer that ratios are to")


def cell(value: float | None, spec: str) -> str:
    return "-" if value is None else format(value, spec)


def ratio(value: float | None, base: float | None) -> str:
    return cell(value / base, ".3g") if value is not None and base else "-"


def table(head: list[str], rows: Iterable[list[Any]]) -> str:
    return "\n".join("| " + " | ".join(map(str, r)) + " |" for r in [head, ["---"] * len(head), *rows])


def plain(doc: Doc, ref: str) -> str:
    columns = COLUMNS[doc["bench"]]
    key = columns[0][0]
    best_first = -1 if doc["bench"] == "b3" else 1
    base = {m["n"]: m.get(key) for m in doc["medians"] if m["peer"] == ref}
    rows = []
    for m in sorted(doc["medians"], key=lambda m: (m["n"] or 0, m.get(key) is None, best_first * (m.get(key) or 0))):
        bad = sum(1 for s in doc["samples"] if (s["peer"], s.get("n")) == (m["peer"], m["n"]) and s.get("ok") is False)
        rows.append(
            [
                m["peer"] + (f" ({bad} failed)" if bad else ""),
                m["n"] or 1,
                m["samples"],
                *[cell(m.get(k), f) for k, _, f in columns],
                ratio(m.get(key), base.get(m["n"])),
            ]
        )
    return table(["peer", "n", "runs", *[h for _, h, _ in columns], f"{key} / {ref}"], rows)


def b2(doc: Doc, ref: str) -> str:
    got: dict[str, list[float | None]] = {}
    for s in doc["samples"]:
        got.setdefault(s["peer"], []).append(s["ms"])
    base = median(got.get(ref, []))
    rows = []
    for peer, ms in sorted(got.items(), key=lambda x: median(x[1]) or 1e9):
        ok = [x for x in ms if x is not None]
        quantiles = [cell(quantile(ok, q), ".2f") for q in (0, 0.5, 0.9, 0.99)]
        rows.append([peer, doc["params"]["n"], len(ms), len(ms) - len(ok), *quantiles, ratio(median(ok), base)])
    return table(["peer", "n", "kills", "never", "min ms", "p50 ms", "p90 ms", "p99 ms", f"p50 / {ref}"], rows)


def b5(doc: Doc, ref: str) -> str:
    cases = ("status-one", "status-all", "restart")
    got = {(m["peer"], m["case"]): m for m in doc["medians"]}
    base = got.get((ref, "status-all"), {}).get("ms")
    rows = []
    for p in sorted({p for p, _ in got}, key=lambda p: got.get((p, "status-all"), {}).get("ms") or 1e9):
        ms = [got.get((p, c), {}).get("ms") for c in cases]
        cpu_ms = got.get((p, "status-all"), {}).get("cli_cpu_ms")
        rows.append([p, doc["params"]["n"], *[cell(x, ".1f") for x in ms], cell(cpu_ms, ".1f"), ratio(ms[1], base)])
    return table(["peer", "n", *[f"{c} ms" for c in cases], "status-all CLI CPU ms", f"status-all / {ref}"], rows)


def run(args: argparse.Namespace, peers: list[str]) -> None:
    for path in sorted(RESULTS.glob("b*.json")):
        doc = json.loads(path.read_text())
        if doc["samples"]:
            show = {"b2": b2, "b5": b5}.get(doc["bench"], plain)
            print(f"\n### {path.stem}  (began {doc['began']})\n\n{show(doc, args.ref)}")
