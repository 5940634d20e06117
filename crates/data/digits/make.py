"""Makes images.idx3.gz and labels.idx1.gz from scikit-learn's copy of the UCI digits.

    pip download scikit-learn --no-deps --only-binary :all: && python3 make.py scikit_learn-*.whl

The CSV holds one digit a line: 64 pixels 0..16, row by row, then the label. No pixel is changed and no line
moved; the numbers are only written as IDX (http://yann.lecun.com/exdb/mnist/) and compressed. The compressed
bytes may differ between versions of zlib; the CRC-32 of the contents, printed here and tested, may not.
"""

import gzip
import pathlib
import struct
import sys
import zipfile
import zlib

with zipfile.ZipFile(sys.argv[1]) as wheel:
    csv = gzip.decompress(wheel.read("sklearn/datasets/data/digits.csv.gz")).decode()
rows = [[int(float(number)) for number in line.split(",")] for line in csv.split()]
pixels = bytes(pixel for row in rows for pixel in row[:64])
labels = bytes(row[64] for row in rows)
assert len(pixels) == 1797 * 64 and max(pixels) == 16 and max(labels) == 9
print(f"CRC-32 of the pixels {zlib.crc32(pixels):#010x}, of the labels {zlib.crc32(labels):#010x}")

here = pathlib.Path(__file__).parent
for name, extents, data in [("images.idx3.gz", (1797, 8, 8), pixels), ("labels.idx1.gz", (1797,), labels)]:
    header = struct.pack(f">BBBB{len(extents)}I", 0, 0, 8, len(extents), *extents)
    (here / name).write_bytes(gzip.compress(header + data, 9, mtime=0))
