#!/usr/bin/env python3
"""How time and memory of a training step grow with the batch, from 16 to 1024, and a straight line through each.

    python3 benches/growth.py                                     # lenet and smallcnn
    python3 benches/growth.py --threads 1 --rounds 5 vggish

Runs are made, left out, kept and resumed as by compare.py: OUT/runs.csv has all of them, OUT/growth.md the table and
OUT/growth.png the picture. The line a + b·batch is the one with the least squares of *relative* deviations, so that a
small batch counts as much as a large one.
"""

import compare

BATCHES = [16 << power for power in range(7)]
NETWORKS = ["lenet", "smallcnn", "vggish", "mlp"]


def line(points):
    """a and b of the line y = a + b·x with the least Σ ((a + b·x − y)/y)²."""
    weights = [1 / y**2 for _, y in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points))
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points)) / spread
    return mean_y - slope * mean_x, slope


def growth(rows, column, network):
    """[(batch, value)] and whether all of it was measured quietly."""
    table = compare.figures(rows, column)
    cells = [(batch, table.get(f"train.{network}.b{batch}", {}).get("retrograd")) for batch in BATCHES]
    cells = [(batch, cell) for batch, cell in cells if cell]
    return [(batch, value) for batch, (value, _) in cells], all(quiet for _, (_, quiet) in cells)


def markdown(network, times, memory, sure):
    digits = compare.three_digits
    lines = ["| batch | ms | µs an image | line | MiB | line |", "|---:|---:|---:|---:|---:|---:|"]
    (a, b), (c, d) = line(times), line(memory)
    for (batch, ms), (_, mib) in zip(times, memory):
        off_time, off_memory = (a + b * batch) / ms - 1, (c + d * batch) / mib - 1
        cells = [batch, digits(ms), digits(1e3 * ms / batch), f"{off_time:+.0%}", digits(mib), f"{off_memory:+.0%}"]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    fit = f"{digits(a)} ms + {digits(1e3 * b)} µs and {digits(c)} MiB + {digits(1024 * d)} KiB for each image"
    note = "" if sure else " (some of it disturbed by other processes)"
    return f"train.{network}: {fit}{note}\n\n" + "\n".join(lines) + "\n"


def plot(curves, threads, file):
    try:
        import matplotlib
    except ImportError:
        return compare.say("no picture: matplotlib is not installed")
    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    figure, panels = pyplot.subplots(1, 2, figsize=(10, 4))
    for axes, index, label in ((panels[0], 0, "step, ms"), (panels[1], 1, "peak resident memory, MiB")):
        for network, curve in curves.items():
            batches, values = zip(*curve[index])
            a, b = line(curve[index])
            (marks,) = axes.plot(batches, values, "o", label=f"train.{network}")
            axes.plot(batches, [a + b * batch for batch in batches], color=marks.get_color(), linewidth=1)
        axes.set(xscale="log", yscale="log", xlabel="batch", ylabel=label, xticks=BATCHES)
        axes.xaxis.set_minor_locator(ticker.NullLocator())
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        axes.grid(alpha=0.3)
    panels[0].legend()
    panels[0].set_title(f"{threads} thread{'s' * (threads > 1)}; lines: a + b·batch", fontsize=10)
    figure.tight_layout()
    figure.savefig(file, dpi=130)
    compare.say(f"written: {file}")


def main():
    parser = compare.options(__doc__, rounds=3)
    default = ["lenet", "smallcnn"]
    parser.add_argument("networks", nargs="*", default=default, metavar="NETWORK", help=", ".join(NETWORKS))
    parser.set_defaults(peers=["retrograd"], build=False)
    given = parser.parse_args()
    if unknown := [network for network in given.networks if network not in NETWORKS]:
        parser.error(f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    out = given.out or compare.HERE.parent / "target" / "growth"
    out.mkdir(parents=True, exist_ok=True)
    workloads = [f"train.{network}.b{batch}" for network in given.networks for batch in BATCHES]
    runs = compare.collect(given, workloads, compare.retrograd(), out / "runs.csv")
    curves, tables = {}, []
    for network in given.networks:
        times, quiet_times = growth(runs.rows, "median_ms", network)
        memory, _ = growth(runs.rows, "peak_rss_mb", network)
        if len(times) < 2 or len(memory) != len(times):
            compare.say(f"{network}: not enough runs for a line")
            continue
        curves[network] = times, memory
        tables.append(markdown(network, times, memory, quiet_times))
    if not curves:
        return runs.exit_code() or 1
    head = compare.head(runs, given, "benches/growth.py", given.networks)
    text = f"{head} \"line\" is how far the line is off.\n\n" + "\n".join(tables)
    (out / "growth.md").write_text(text)
    print(text)
    compare.say(f"written: {out}/runs.csv, {out}/growth.md")
    plot(curves, given.threads, out / "growth.png")
    return runs.exit_code()


if __name__ == "__main__":
    compare.finish(main)
