#!/usr/bin/env python3
"""Runs the workloads on this library and on its peers, and prints a table of times and ratios.

    python3 benches/compare.py --build                            # builds the peers in Rust first
    python3 benches/compare.py --threads 1 --rounds 5 train. infer.

The peers take turns: in each round every workload is run on one peer after the other, the first of them another in
every round, each run in a process of its own. A run is left out if *other* processes took more than 15 % of a core
while its steps were timed (busy time of /proc/stat less the CPU time of the run; what a hypervisor stole counts as
theirs). A figure is the median over the runs that are left, of each run's median step; the least disturbed run, marked
~ and not compared, where none is left.

A run waits for a quiet moment, but not for long. Every run is written to OUT/runs.csv at once, those of this library
with RETROGRAD_SIMD and a hash of the program. Called again with the same OUT, the script runs what is missing or was
disturbed and then makes the table of all of it, of this program and setting; with --rounds 0 it only makes the table,
of the program that was run last, and the picture: OUT/threads-N.md and .png. The exit code is 1 if a run failed, 130
if the script was interrupted.

Python 3.10 and its standard library; matplotlib for the picture, torch for the PyTorch peers, numpy for openblas.
"""

import argparse
import csv
import hashlib
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from runs import load, quiet, run, say, typed, wait_for_quiet

HERE = Path(__file__).resolve().parent
PEERS = {  # name: options of pytorch.py, or None
    "retrograd": None,
    "pytorch": [],
    "pytorch-cl": ["--channels-last"],
    "pytorch-compile": ["--compile"],
    "onnxruntime": ["--onnxruntime"],
    "burn": None,
    "candle": None,
    "openblas": None,
    "gemm": None,
}
PYTORCH = ["pytorch", "pytorch-cl", "pytorch-compile"]
CARGO = ["burn", "candle", "gemm"]  # projects of their own


# --- peers ---------------------------------------------------------------------------------------------------------


def commands(given, bench):
    """The command of each peer that is there, to which the names of workloads are added."""
    found = {}
    for peer in given.peers:
        command, missing = ([bench, "--csv"], None) if peer == "retrograd" else find(peer, given.python, given.build)
        if missing:
            say(f"{peer} is left out: {missing}")
        else:
            found[peer] = command
    return found


def find(peer, python, build):
    if peer in CARGO:
        folder = HERE / "peers" / peer
        if build:
            say(f"building {peer}")
            environment = os.environ | {"RUSTFLAGS": "-C target-cpu=native"}
            build = ["cargo", "build", "--release", "--quiet", "--target-dir", "target"]
            if subprocess.run(build, cwd=folder, env=environment).returncode:
                return None, "it does not build"
        program = folder / "target" / "release" / f"{peer}-peer"
        return [str(program)], None if program.exists() else "not built, see --build"
    if peer == "openblas":
        command = trial = [python, str(HERE / "peers" / "openblas.py")]  # without names it says what it lacks
    else:
        command = [python, str(HERE / "peers" / "pytorch.py"), *PEERS[peer]]
        modules = ["torch"] + (["onnx", "onnxruntime"] if peer == "onnxruntime" else [])
        trial = [python, "-c", f"import {', '.join(modules)}"]
    done = subprocess.run(trial, capture_output=True, text=True)
    return command, done.stderr.strip().rpartition("\n")[2] if done.returncode else None


def retrograd():
    """Builds the bench and gives the program's path."""
    build = ["cargo", "bench", "--no-run", "--quiet", "--bench", "workloads", "--message-format", "json"]
    messages = subprocess.run(build, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True).stdout
    artefacts = (json.loads(line) for line in messages.splitlines())
    return next(a["executable"] for a in artefacts if a.get("executable") and a["target"]["name"] == "workloads")


# --- runs ----------------------------------------------------------------------------------------------------------


class Runs(NamedTuple):
    """The rows that a table is made of, how many rounds of runs there should be, and what went wrong."""

    rows: list
    rounds: int
    planned: int
    missing: int
    failed: list
    interrupted: bool

    def exit_code(self):
        if self.failed:
            say("failed: " + ", ".join(f"{workload} on {peer}" for peer, workload in self.failed))
        return 130 if self.interrupted else int(bool(self.failed))


def plan(peers, workloads, rounds):
    """The keys of the runs, in order."""
    return [
        (number, peers[(number + turn) % len(peers)], workload)
        for number in range(rounds)
        for workload in workloads
        for turn in range(len(peers))
    ]


def key(row):
    return row["round"], row["peer"], row["workload"]


def collect(given, workloads, bench, file):
    """Runs what is not yet in the file, quietly."""
    peers = commands(given, bench) if given.rounds or given.build else {}
    simd = os.environ.get("RETROGRAD_SIMD", "")
    build = hashlib.sha256(Path(bench).read_bytes()).hexdigest()[:8]
    rows = [row for row in load(file) if row["threads"] == given.threads]
    rows = [row for row in rows if row["workload"] in workloads and row["peer"] in given.peers]
    if not given.rounds:  # what was run last, whatever the sources are now
        build = next((row["build"] for row in reversed(rows) if row["build"] and row["simd"] == simd), build)
    variant = lambda peer: (simd, build) if peer == "retrograd" else ("", "")
    rows = [row for row in rows if (row["simd"], row["build"]) == variant(row["peer"])]
    there = {key(row): row["date"] for row in rows if quiet(row) or not row["median_ms"]}
    if there:
        say(f"{len(there)} run{'s' * (len(there) > 1)} reused, the first of {min(there.values())}")
    left = [each for each in plan(list(peers), workloads, given.rounds) if each not in there]
    failed, heard, interrupted = [], set(), False
    with open(file, "a", newline="") as output:
        writer = csv.writer(output, lineterminator="\n")
        for count, (number, peer, workload) in enumerate(left, 1):
            where = f"{count}/{len(left)} round {number} {workload} {peer}"
            if (peer, workload) in failed:
                continue
            try:
                wait_for_quiet(given.patience)
                measured, said = run(peers[peer], workload, given.threads, given.timeout)
                texts = [str(number), peer, *variant(peer), str(given.threads), workload, *measured]
                row = typed(texts)
            except KeyboardInterrupt:
                say("interrupted; call again with the same --out to go on")
                interrupted = True
                break
            except (subprocess.SubprocessError, KeyError, TypeError, ValueError) as error:
                failed.append((peer, workload))
                say(f"{where}: {error}")
                continue
            rows.append(row)
            writer.writerow(texts)
            output.flush()
            time_ms = f"{row['median_ms']:.4g} ms" if row["median_ms"] else "–"
            say(f"{where}: {time_ms}" + ("" if quiet(row) else f" (disturbed: others took {row['others']} cores)"))
            if row["median_ms"] and said and said not in heard:
                heard.add(said)
                say(f"{peer}: {said}")
    rounds = max([given.rounds, *(1 + row["round"] for row in rows)])
    known = {row["peer"] for row in rows} | (peers.keys() if given.rounds else set())
    planned = plan([peer for peer in given.peers if peer in known], workloads, rounds)
    return Runs(rows, rounds, len(planned), len(set(planned) - set(map(key, rows))), failed, interrupted)


# --- figures -------------------------------------------------------------------------------------------------------


def figures(rows, column="median_ms"):
    """{workload: {peer: (value, was quiet)}}, workloads in the order in which they were first run."""
    cells = {}
    for row in rows:
        if row["median_ms"]:
            cells.setdefault(row["workload"], {}).setdefault(row["peer"], []).append(row)
    table = {}
    for workload, runs_of in cells.items():
        table[workload] = {}
        for peer, runs in runs_of.items():
            left = [run for run in runs if quiet(run)] or [min(runs, key=lambda run: run["others"])]
            if column == "peak_rss_mb":  # others do not change it
                left = runs
            values = [run[column] for run in left if run[column]]
            if values:
                table[workload][peer] = statistics.median(values), column == "peak_rss_mb" or quiet(left[0])
    return table


def three_digits(value):
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def markdown(table, ratio):
    """The table, with how many times as long as retrograd PyTorch and the fastest peer take where `ratio` is set."""
    peers = [peer for peer in PEERS if any(peer in row for row in table.values())]
    compared = [ratios(row) for row in table.values()] if ratio else []
    last = {}
    if any("PyTorch" in row for row in compared):
        last["PyTorch's best ÷ retrograd"] = lambda row: row.get("PyTorch")
    if any(row.keys() - {"PyTorch"} for row in compared):
        last["fastest peer ÷ retrograd"] = lambda row: min(row.values(), default=None)
    columns = [*peers, *last]
    lines = ["| workload | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for workload, row in table.items():
        cells = [("" if row[p][1] else "~") + three_digits(row[p][0]) if p in row else "–" for p in peers]
        values = [value(ratios(row)) for value in last.values()]
        cells += [f"{value:.2f}" if value else "–" for value in values]
        lines.append(f"| {workload} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def ratios(row):
    """How many times as long as retrograd each other takes, PyTorch in its best variant; of quiet runs only."""
    times = {peer: value for peer, (value, sure) in row.items() if sure}
    variants = [times.pop(peer) for peer in PYTORCH if peer in times]
    if "retrograd" not in times:
        return {}
    own = times.pop("retrograd")
    best = {"PyTorch": min(variants)} if variants else {}
    return {peer: value / own for peer, value in (best | times).items()}


def machine():
    """The processor and its vector instructions, in a few words."""
    try:
        lines = dict(line.split(":", 1) for line in open("/proc/cpuinfo").read().split("\n\n")[0].splitlines())
        lines = {name.strip(): value.strip() for name, value in lines.items()}
    except (OSError, ValueError):
        return "unknown processor"
    flags = lines.get("flags", lines.get("Features", "")).split()  # Features on ARM, which may have no model name
    has = [flag for flag in ("avx2", "fma", "avx512f", "avx512vl", "amx_tile", "asimd", "sve") if flag in flags]
    return f"{lines.get('model name', platform.machine())}, {os.cpu_count()} cores, {' '.join(has) or 'no AVX2'}"


def head(runs, given, script, rest):
    """What was measured, when and how."""
    dates = sorted({row["date"] for row in runs.rows})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    simd = max(row["simd"] for row in runs.rows)  # that of this library, empty of the others
    command = ["python3", script, "--threads", str(given.threads), "--rounds", str(runs.rounds), *rest]
    there = [row for row in runs.rows if row["median_ms"]]
    partial = "partial; " if runs.interrupted else ""
    if runs.missing:
        partial = f"partial, {runs.missing} of {runs.planned} runs are missing; "
    return (
        f"{when}, {machine()}; {given.threads} thread{'s' * (given.threads > 1)}"
        + (f", RETROGRAD_SIMD={simd}" if simd else "")
        + f"; `{shlex.join(command)}`; {partial}"
        + f"{sum(not quiet(row) for row in there)} of {len(there)} runs left out as disturbed."
    )


def report(runs, given):
    """The text that stands in README.md."""
    times = figures(runs.rows)
    memory = {name: row for name, row in figures(runs.rows, "peak_rss_mb").items() if name.startswith("train.")}
    rest = ["--peers", *given.peers] if given.peers != list(PEERS) else []
    rest += ["--", *given.names] if given.names else []
    return (
        f"{head(runs, given, 'benches/compare.py', rest)} Milliseconds:\n\n{markdown(times, True)}\n"
        + (f"\nPeak resident memory of the process, MiB:\n\n{markdown(memory, False)}\n" if memory else "")
    )


def plot(rows, threads, file):
    """A bar for each workload and peer: how many times as long as retrograd it takes."""
    try:
        import matplotlib
    except ImportError:
        return say("no picture: matplotlib is not installed")
    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    table = {workload: ratios(row) for workload, row in figures(rows).items()}
    table = {workload: row for workload, row in table.items() if row}
    if not table:
        return say("no picture: nothing to compare")
    peers = [peer for peer in ["PyTorch", *PEERS] if any(peer in row for row in table.values())]
    # A bar for each peer that has the workload, and half a bar between workloads.
    bars = {peer: [] for peer in peers}
    middles, place = [], 0.0
    for row in table.values():
        present = [peer for peer in peers if peer in row]
        for peer in present:
            bars[peer].append((place, row[peer]))
            place += 1
        middles.append(place - (len(present) + 1) / 2)
        place += 0.5
    figure, axes = pyplot.subplots(figsize=(9, 1.2 + 0.13 * place))
    for peer, of_peer in bars.items():
        label = "PyTorch (best variant)" if peer == "PyTorch" else peer
        # From 1 outwards: to the right where retrograd is faster.
        places, values = zip(*of_peer)
        drawn = axes.barh(places, [value - 1 for value in values], 0.9, left=1, label=label)
        axes.bar_label(drawn, [f"{value:.3g}" for value in values], fontsize=6, padding=2)
    axes.set_yticks(middles, list(table))
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.axvline(1, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.margins(x=0.08, y=0.01)
    axes.set_xlabel(f"time ÷ retrograd's time, {threads} thread{'s' * (threads > 1)} (right of 1: retrograd is faster)")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1 + 0.6 / figure.get_figheight()), ncols=4, frameon=False)
    figure.savefig(file, dpi=130, bbox_inches="tight")
    say(f"written: {file}")


# --- command line --------------------------------------------------------------------------------------------------


def at_least(least):
    def number(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is less than {least}")
        return int(text)

    return number


def options(description, rounds):
    """The options that this script and growth.py share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=at_least(1), default=os.cpu_count(), help="default: all cores")
    parser.add_argument("--rounds", type=at_least(0), default=rounds, help="default: %(default)s; 0: only the table")
    parser.add_argument("--timeout", type=float, default=300, help="seconds that a run may take (%(default)s)")
    parser.add_argument("--patience", type=float, default=5, help="seconds to wait for others first (%(default)s)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the results go")
    return parser


def main():
    parser = options(__doc__, rounds=3)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="default: all")
    parser.add_argument("--python", default=sys.executable, help="one that has torch and numpy (default: this one)")
    parser.add_argument("--build", action="store_true", help=f"build {', '.join(CARGO)}, which takes minutes")
    parser.add_argument("names", nargs="*", metavar="NAME", help="as for `cargo bench --bench workloads`")
    given = parser.parse_args()
    out = given.out or HERE.parent / "target" / "compare"
    out.mkdir(parents=True, exist_ok=True)
    bench = retrograd()
    listed = subprocess.run([bench, "--list", *given.names], stdout=subprocess.PIPE, text=True)
    if listed.returncode:
        return listed.returncode
    runs = collect(given, listed.stdout.split(), bench, out / "runs.csv")
    if not any(row["median_ms"] for row in runs.rows):
        say("nothing was run")
        return runs.exit_code() or int(not given.build)
    text = report(runs, given)
    table = out / f"threads-{given.threads}.md"
    table.write_text(text)
    print(text)
    say(f"written: {out}/runs.csv, {table}")
    plot(runs.rows, given.threads, table.with_suffix(".png"))
    return runs.exit_code()


def finish(main):
    """Ends the program with what `main` returns; what the user or the system does to it is no error of the program."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    finish(main)
