#!/usr/bin/env python3
"""The matrix products on the OpenBLAS that numpy brings, forward, by the names of `cargo bench --bench workloads`.

    pip install numpy
    OPENBLAS_NUM_THREADS=N openblas.py NAME...

Prints workload,median_ms,p10_ms,iterations,peak_rss_mb; a name that is no product gives no line. The result is written to
memory that is there.
"""

import argparse
import sys

import numpy

from common import COLUMNS, measure, operands

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("names", nargs="*", metavar="NAME")
options = parser.parse_args()

blas = numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
if "openblas" not in blas:
    sys.exit(f"numpy was built with {blas}, not with OpenBLAS")

rng = numpy.random.default_rng(0)


def randn(*shape):
    return rng.standard_normal(shape, dtype=numpy.float32)


def product(name, a, b):
    result = numpy.empty((a.shape[0], b.shape[1]), a.dtype)
    measure(name, lambda: numpy.matmul(a, b, out=result))


print(COLUMNS)
for name in options.names:
    match name.split("."):
        case ["op", operation, "fwd"] if operation.startswith("mm"):
            product(name, *operands(operation, randn))
        case _:
            print(f"{name} is not supported", file=sys.stderr)
