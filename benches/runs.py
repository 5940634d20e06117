"""A run of a program, in a process of its own, and the file in which compare.py and growth.py keep them."""

import csv
import datetime
import math
import os
import subprocess
import sys
import tempfile
import time

# The most that other processes may take while steps are timed, in cores.
QUIET = 0.15


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# --- the file ------------------------------------------------------------------------------------------------------


def figure(text):
    """A positive number, or None where a peer does not give it."""
    if text and not 0 < float(text) < math.inf:
        raise ValueError(f"{text} is not positive")
    return float(text) if text else None


FIGURES = ["median_ms", "p10_ms", "iterations", "peak_rss_mb"]
COLUMNS = {"round": int, "peer": str, "simd": str, "build": str, "threads": int, "workload": str}
COLUMNS |= dict.fromkeys(FIGURES, figure) | {"others": float, "date": datetime.date.fromisoformat}


def typed(texts):
    """The row of such texts. Raises ValueError if it is none."""
    return {name: kind(text) for (name, kind), text in zip(COLUMNS.items(), texts, strict=True)}


def quiet(row):
    return row["others"] <= QUIET


def load(file):
    """The rows that can be read. The file is made one of whole lines, the first of them the header."""
    header = ",".join(COLUMNS).encode() + b"\n"
    with open(file, "a+b") as runs:
        runs.seek(0)
        content = runs.read()
        if not header.startswith(content[: len(header)]):
            sys.exit(f"{file} has not the columns of this script; move it away")
        end = content.rfind(b"\n") + 1
        if end < len(content):
            say(f"{file}: the last line was cut off and is removed")
            runs.truncate(end)
        if not end:
            runs.write(header)
    rows, unreadable = [], []
    for number, line in enumerate(content[len(header) : end].decode(errors="replace").split("\n")[:-1], 2):
        try:
            rows.append(typed(next(csv.reader([line]), [])))
        except (ValueError, csv.Error):
            unreadable.append(str(number))
    if unreadable:
        say(f"{file}: skipped what cannot be read, line{'s' * (len(unreadable) > 1)} {', '.join(unreadable)}")
    return rows


# --- a run ---------------------------------------------------------------------------------------------------------


def other_seconds(pid=None):
    """The CPU time of all cores that neither this script nor its child took, or None where the system does not say."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
        ticks = user + nice + system + irq + softirq + steal
        if pid:
            with open(f"/proc/{pid}/stat") as file:  # of all threads, and of children that ended
                ticks -= sum(map(int, file.read().rpartition(")")[2].split()[11:15]))
    except OSError:
        return None
    return ticks / os.sysconf("SC_CLK_TCK") - time.process_time()


def cores_of_others(moments, seconds):
    """The cores that others took in the last seconds of the moments, (time, other_seconds)."""
    end, after = moments[-1]
    begin, before = next((moment for moment in reversed(moments) if moment[0] <= end - seconds), moments[0])
    return 0.0 if None in (before, after) or begin == end else max(0.0, (after - before) / (end - begin))


def wait_for_quiet(patience):
    """Waits until others leave the cores alone, but no longer than so many seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        moments = [(time.monotonic(), other_seconds())]
        time.sleep(0.5)
        moments.append((time.monotonic(), other_seconds()))
        if cores_of_others(moments, 0.5) <= QUIET:
            return


def run(command, workload, threads, timeout):
    """The texts of a run's figures, empty where the peer does not have the workload, others and date; its stderr."""
    variables = ["RAYON", "OMP", "MKL", "OPENBLAS"]
    environment = os.environ | {f"{variable}_NUM_THREADS": str(threads) for variable in variables}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen([*command, workload], env=environment, stdout=output, stderr=errors) as child:
            try:
                moments = watch(child, f"\n{workload},".encode(), output.fileno(), timeout)
                child.wait(timeout)
            except BaseException:
                child.kill()
                raise
        for file in (output, errors):
            file.seek(0)
        said = errors.read().strip()
        if child.returncode:
            raise subprocess.SubprocessError(said.rpartition("\n")[2] or f"exit code {child.returncode}")
        rows = [row for row in csv.DictReader(output) if row.get("workload") == workload]
    texts = [rows[0].get(name) or "" if rows else "" for name in FIGURES]
    timed = float(rows[0]["median_ms"]) * float(rows[0]["iterations"]) / 1e3 if rows else 0
    others = cores_of_others(moments, max(0.5, timed)) if rows else 0.0
    return [*texts, f"{others:.2f}", str(datetime.date.today())], said


def watch(child, row, output, timeout):
    """What others took, every tenth of a second until the row is printed, right after the last step, or the end."""
    moments = []
    while True:
        moments.append((time.monotonic(), other_seconds(child.pid)))  # of a child that ended, too, until it is polled
        if row in os.pread(output, 1 << 16, 0) or child.poll() is not None:
            return moments
        if moments[-1][0] - moments[0][0] > timeout:
            raise subprocess.TimeoutExpired(child.args, timeout)
        time.sleep(0.1)
