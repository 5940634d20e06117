#!/usr/bin/env python3
"""An epoch on PyTorch, as by `cargo bench --bench epoch`: smallcnn on Fashion-MNIST, data loading included.

    pip install torch numpy
    OMP_NUM_THREADS=N epoch.py DIR [EPOCHS]             # DIR with train-images-idx3-ubyte, ... or .gz

Batches of 64 in random order, made of the bytes while time is taken; SGD with learning rate 0.01 and momentum 0.9.
Prints epoch,seconds,train_loss,test_accuracy_percent; the seconds are those of training.
"""

import argparse
import gzip
import sys
import time
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F

from networks import NETWORKS


def idx(folder, name):
    """The bytes of an IDX file, plain or compressed; its first bytes tell which."""
    plain = folder / name
    file = plain if plain.exists() else folder / f"{name}.gz"
    content = file.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"{file} is no IDX file of bytes")
    shape = numpy.frombuffer(content, ">u4", content[3], offset=4)
    return torch.from_numpy(numpy.frombuffer(content, numpy.uint8, offset=4 + shape.nbytes).reshape(shape).copy())


def read(folder, part):
    images, labels = idx(folder, f"{part}-images-idx3-ubyte"), idx(folder, f"{part}-labels-idx1-ubyte")
    if images.dim() != 3 or images.shape[:1] != labels.shape:
        raise ValueError(f"{part}: images of shape {[*images.shape]}, labels of shape {[*labels.shape]}")
    return images.unsqueeze(1), labels.long()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("epochs", type=int, nargs="?", default=1, metavar="EPOCHS")
    options = parser.parse_args()
    try:
        (images, labels), (test_images, test_labels) = read(options.folder, "train"), read(options.folder, "t10k")
    except (OSError, EOFError, IndexError, ValueError) as error:
        sys.exit(str(error))
    scaled = images.double() / 255
    mean, deviation = scaled.mean().item(), scaled.std(correction=0).item() or 1.0
    normalized = lambda images: (images.float() / 255 - mean) / deviation

    torch.manual_seed(0)
    make, _ = NETWORKS["smallcnn"]
    model = make()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(options.epochs):
        begin, total = time.perf_counter(), 0.0
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(normalized(images[batch])), labels[batch])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        seconds, right = time.perf_counter() - begin, 0
        with torch.inference_mode():
            for some, of_some in zip(test_images.split(500), test_labels.split(500)):
                right += (model(normalized(some)).argmax(1) == of_some).sum().item()
        accuracy = 100 * right / len(test_labels)
        print(f"{epoch + 1},{seconds:.2f},{total / len(images):.4f},{accuracy:.2f}", flush=True)


main()
