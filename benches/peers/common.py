"""What the peers in Python share: how a step is timed, as in benches/timing, and the operands of matrix products."""

import resource
import time

COLUMNS = "workload,median_ms,p10_ms,iterations,peak_rss_mb"
WARM_UP, MEASURE, FEWEST = 0.2, 0.5, 5


def measure(name, step):
    step()  # compiles, where it is compiled
    begin = time.perf_counter()
    while time.perf_counter() - begin < WARM_UP:
        step()
    times = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < MEASURE or len(times) < FEWEST:
        before = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - before))
    times.sort()
    median, tenth = times[len(times) // 2], times[len(times) // 10]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name},{median:.5f},{tenth:.5f},{len(times)},{peak:.1f}", flush=True)


def operands(product, randn):
    """The operands of mmN or mmskinny; a transposed view is the right one where nt follows, the left one where tn does."""
    size = product.removeprefix("mm").removesuffix("nt").removesuffix("tn")
    m, k, n = (64, 400, 120) if size == "skinny" else (int(size),) * 3
    return [
        randn(k, m).T if product.endswith("tn") else randn(m, k),
        randn(n, k).T if product.endswith("nt") else randn(k, n),
    ]
