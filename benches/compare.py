#!/usr/bin/env python3
"""Runs the workloads on this library and on its peers, and prints a table of times and ratios.

    python3 benches/compare.py --build                            # builds the peers in Rust first
    python3 benches/compare.py --threads 1 --rounds 5 train. infer.

The peers take turns: in each round every workload is run on one peer after the other, the first of them another in every
round, each run in a process of its own. A run in which *other* processes took more than 15 % of a core (busy time of
/proc/stat less the CPU time of the run) is left out. A figure is the median over the runs that are left, of each run's
median step; the least disturbed run, marked ~ and not compared, where none is left.

A run waits for a quiet moment, but not for long. Every run is written to OUT/runs.csv at once. Called again with the same
OUT, the script runs what is missing or was disturbed and then makes the table of all of it; with --rounds 0 it only makes
the table and the picture, OUT/threads-N.md and .png.

Python 3.10 and its standard library; matplotlib for the picture, torch for the PyTorch peers, numpy for openblas.
"""

import argparse
import csv
import datetime
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The most that other processes may take during a run, in cores.
QUIET = 0.15
COLUMNS = ["round", "peer", "threads", "workload", "median_ms", "p10_ms", "iterations", "peak_rss_mb", "others", "date"]
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


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# --- peers ---------------------------------------------------------------------------------------------------------


def commands(wanted, python, build):
    """The command of each peer that is there, to which the names of workloads are added."""
    found = {}
    for peer in wanted:
        command, missing = find(peer, python, build)
        if missing:
            say(f"{peer} is left out: {missing}")
        else:
            found[peer] = command
    return found


def find(peer, python, build):
    if peer == "retrograd":
        return [retrograd(), "--csv"], None
    if peer in CARGO:
        folder = HERE / "peers" / peer
        if build:
            say(f"building {peer}")
            environment = os.environ | {"RUSTFLAGS": "-C target-cpu=native"}
            build = ["cargo", "build", "--release", "--quiet"]
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


def busy_seconds():
    """The CPU time that all processes took since the start, of all cores, or None where the system does not say."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    except OSError:
        return None
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def wait_for_quiet(patience):
    """Waits until others leave the cores alone, but no longer than so many seconds."""
    end = time.monotonic() + patience
    while busy_seconds() is not None and time.monotonic() < end:
        begin, busy, own = time.monotonic(), busy_seconds(), own_seconds()
        time.sleep(0.5)
        if busy_seconds() - busy - own_seconds() + own <= QUIET * (time.monotonic() - begin):
            return


def run(command, workload, threads, timeout):
    """The row of one run without its key; the figures are empty where the peer does not have the workload."""
    variables = ["RAYON", "OMP", "MKL", "OPENBLAS"]
    environment = os.environ | {f"{variable}_NUM_THREADS": str(threads) for variable in variables}
    begin, busy, own = time.monotonic(), busy_seconds(), own_seconds()
    done = subprocess.run([*command, workload], env=environment, capture_output=True, text=True, timeout=timeout)
    if done.returncode:
        raise subprocess.SubprocessError(done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}")
    others = 0.0
    if busy is not None:
        others = max(0.0, (busy_seconds() - busy - own_seconds() + own) / (time.monotonic() - begin))
    rows = [row for row in csv.DictReader(done.stdout.splitlines()) if row["workload"] == workload]
    row = rows[0] if rows else {"workload": workload}
    return row | {"others": f"{others:.2f}", "date": f"{datetime.date.today()}"}


def load(file):
    if not file.exists():
        return []
    with open(file, newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["date"]]  # not one that was cut off


def quiet(row):
    return float(row["others"]) <= QUIET


def collect(peers, workloads, given, file):
    """Runs what is not yet in the file, quietly, and gives all the rows of it."""
    threads = given.threads
    rows = load(file)
    key = lambda row: (int(row["round"]), row["peer"], int(row["threads"]), row["workload"])
    done = {key(row) for row in rows if quiet(row) or not row["median_ms"]}
    names, failed = list(peers), set()
    plan = [
        (number, names[(number + turn) % len(names)], threads, workload)
        for number in range(given.rounds)
        for workload in workloads
        for turn in range(len(names))
    ]
    plan = [each for each in plan if each not in done]
    new = not file.exists()
    with open(file, "a", newline="") as output:
        writer = csv.DictWriter(output, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        for count, (number, peer, _, workload) in enumerate(plan, 1):
            where = f"{count}/{len(plan)} round {number} {workload} {peer}"
            if (peer, workload) in failed:
                continue
            try:
                wait_for_quiet(given.patience)
                row = run(peers[peer], workload, threads, given.timeout)
            except KeyboardInterrupt:
                say("interrupted; call again with the same --out to go on")
                break
            except subprocess.SubprocessError as error:
                failed.add((peer, workload))
                say(f"{where}: {error}")
                continue
            row |= {"round": number, "peer": peer, "threads": threads}
            writer.writerow(row)
            output.flush()
            time_ms = f"{float(row['median_ms']):.4g} ms" if row.get("median_ms") else "–"
            say(f"{where}: {time_ms}" + ("" if quiet(row) else f" (disturbed: others took {row['others']} cores)"))
    return load(file)


# --- figures -------------------------------------------------------------------------------------------------------


def figures(rows, threads, column="median_ms"):
    """{workload: {peer: (value, was quiet)}}, workloads in the order in which they were first run."""
    cells = {}
    for row in rows:
        if int(row["threads"]) == threads and row["median_ms"]:
            cells.setdefault(row["workload"], {}).setdefault(row["peer"], []).append(row)
    table = {}
    for workload, runs_of in cells.items():
        table[workload] = {}
        for peer, runs in runs_of.items():
            left = [run for run in runs if quiet(run)] or [min(runs, key=lambda run: float(run["others"]))]
            if column == "peak_rss_mb":  # others do not change it
                left = runs
            value = statistics.median(float(run[column]) for run in left if run[column])
            table[workload][peer] = value, column == "peak_rss_mb" or quiet(left[0])
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
    has = [flag for flag in ("avx2", "fma", "avx512f", "avx512vl", "amx_tile") if flag in lines["flags"].split()]
    return f"{lines['model name']}, {os.cpu_count()} cores, {' '.join(has) or 'no AVX2'}"


def report(rows, threads, command):
    """The text that stands in README.md."""
    times = figures(rows, threads)
    memory = {name: row for name, row in figures(rows, threads, "peak_rss_mb").items() if name.startswith("train.")}
    dates = sorted({row["date"] for row in rows if int(row["threads"]) == threads})
    level = os.environ.get("RETROGRAD_SIMD")
    count = sum(1 for row in rows if int(row["threads"]) == threads and row["median_ms"])
    loud = sum(1 for row in rows if int(row["threads"]) == threads and row["median_ms"] and not quiet(row))
    when = dates[0] if len(set(dates)) == 1 else f"{dates[0]} to {dates[-1]}"
    return (
        f"{when}, {machine()}; {threads} thread{'s' * (threads > 1)}"
        + (f", RETROGRAD_SIMD={level}" if level else "")
        + f"; `{command}`; {loud} of {count} runs left out as disturbed. Milliseconds:\n\n{markdown(times, True)}\n"
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

    table = {workload: ratios(row) for workload, row in figures(rows, threads).items()}
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


def options(description, rounds):
    """The options that this script and growth.py share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="default: all cores")
    parser.add_argument("--rounds", type=int, default=rounds, help="default: %(default)s; 0: only the table")
    parser.add_argument("--timeout", type=float, default=300, help="seconds that a run may take (%(default)s)")
    parser.add_argument("--patience", type=float, default=5, help="seconds to wait for others before a run (%(default)s)")
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
    listed = subprocess.run([retrograd(), "--list", *given.names], stdout=subprocess.PIPE, text=True)
    if listed.returncode:
        sys.exit(listed.returncode)
    workloads = listed.stdout.split()
    peers = commands(given.peers, given.python, given.build) if given.rounds else {}
    rows = collect(peers, workloads, given, out / "runs.csv")
    rows = [row for row in rows if row["workload"] in workloads and row["peer"] in given.peers]
    if not any(int(row["threads"]) == given.threads and row["median_ms"] for row in rows):
        sys.exit("nothing was run")
    rounds = 1 + max(int(row["round"]) for row in rows if int(row["threads"]) == given.threads)
    command = ["benches/compare.py", "--threads", str(given.threads), "--rounds", str(rounds)]
    if given.peers != list(PEERS):
        command += ["--peers", *given.peers]
    text = report(rows, given.threads, shlex.join(["python3", *command, *(["--", *given.names] if given.names else [])]))
    table = out / f"threads-{given.threads}.md"
    table.write_text(text)
    print(text)
    say(f"written: {out}/runs.csv, {table}")
    plot(rows, given.threads, table.with_suffix(".png"))


if __name__ == "__main__":
    main()
