#!/usr/bin/env python3
"""The workloads on PyTorch, by the names of `cargo bench --bench workloads`.

    pip install torch                       # and onnx, onnxruntime for --onnxruntime
    pytorch.py [--threads N] [--channels-last | --compile | --onnxruntime] NAME...

Prints workload,median_ms,p10_ms,iterations,peak_rss_mb; a name that the variant does not have gives no line.
"""

import argparse
import os
import sys
import tempfile

from common import COLUMNS, measure, operands

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument(
    "--threads",
    type=int,
    default=int(os.environ.get("OMP_NUM_THREADS", os.cpu_count())),
    help="default: OMP_NUM_THREADS, or all cores",
)
variant = parser.add_mutually_exclusive_group()
variant.add_argument("--channels-last", action="store_true", help="images and kernels in memory format channels_last")
variant.add_argument("--compile", action="store_true", help="torch.compile")
variant.add_argument("--onnxruntime", action="store_true", help="infer.* only: exported to ONNX, run by ONNX Runtime")
parser.add_argument("names", nargs="+", metavar="NAME")
options = parser.parse_args()
for library in ("OMP", "MKL", "OPENBLAS"):  # read when torch is loaded
    os.environ[f"{library}_NUM_THREADS"] = str(options.threads)

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import randn  # noqa: E402

from networks import NETWORKS  # noqa: E402

torch.set_num_threads(options.threads)
torch.manual_seed(0)


def conv(x, weight, bias):
    return F.conv2d(x, weight, bias, padding=1)


def conv_transpose(x, weight, bias):
    return F.conv_transpose2d(x, weight, bias, stride=2)


CLASSES = torch.randint(0, 1000, (4096,))
# operation: function, shapes of its inputs
OPERATIONS = {
    "conv64": (conv, (32, 64, 16, 16), (64, 64, 3, 3), (64,)),
    "conv16_32": (conv, (64, 16, 28, 28), (32, 16, 3, 3), (32,)),
    "convt32_16": (conv_transpose, (32, 32, 14, 14), (32, 16, 3, 3), (16,)),
    "maxpool": (lambda x: F.max_pool2d(x, 2), (64, 32, 28, 28)),
    "relu": (torch.relu, (4 << 20,)),
    "tanh": (torch.tanh, (4 << 20,)),
    "sigmoid": (torch.sigmoid, (4 << 20,)),
    "xent": (lambda x: F.cross_entropy(x, CLASSES), (4096, 1000)),
}


def laid_out(tensor):
    return tensor.to(memory_format=torch.channels_last) if options.channels_last and tensor.dim() == 4 else tensor


def compiled(function):
    return torch.compile(function) if options.compile else function


def network(name):
    make, shape = NETWORKS[name]
    model = make()
    return (model.to(memory_format=torch.channels_last) if options.channels_last else model), shape


def train(name, network_name, batch):
    model, shape = network(network_name)
    x, labels = laid_out(randn(batch, *shape)), torch.randint(0, 10, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    loss_of = compiled(lambda x, labels: F.cross_entropy(model(x), labels))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(x, labels)
        loss.backward()
        optimizer.step()
        loss.item()

    measure(name, step)


def infer(name, network_name, batch):
    model, shape = network(network_name)
    model.eval()
    x = laid_out(randn(batch, *shape))
    if options.onnxruntime:
        return infer_onnxruntime(name, model, x)
    model = compiled(model)
    with torch.inference_mode():
        measure(name, lambda: model(x))


def infer_onnxruntime(name, model, x):
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = options.threads, 1
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.onnx")
        torch.onnx.export(model, (x,), file, dynamo=False, input_names=["x"])
        session = onnxruntime.InferenceSession(file, settings, providers=["CPUExecutionProvider"])
    x = x.numpy()
    measure(name, lambda: session.run(None, {"x": x}))


def single(name, function, inputs, backward):
    """A function: nothing recorded, or back from ones to all inputs."""
    function = compiled(function)
    if not backward:
        with torch.inference_mode():
            return measure(name, lambda: function(*inputs))
    leaves = [tensor.requires_grad_() for tensor in inputs]
    ones = torch.ones_like(function(*leaves))

    def step():
        for leaf in leaves:
            leaf.grad = None
        function(*leaves).backward(ones)

    measure(name, step)


def chain(y, a, b):
    """y ← y·a + b, a thousand times: two nodes each."""
    for _ in range(1000):
        y = y * a + b
    return y


def run(name):
    match name.split("."):
        case ["train", net, batch] if not options.onnxruntime:
            train(name, net, int(batch.removeprefix("b")))
        case ["infer", net, batch]:
            infer(name, net, int(batch.removeprefix("b")))
        case ["op", operation, ("fwd" | "fwdbwd") as way] if not options.onnxruntime:
            if operation in OPERATIONS:
                function, *shapes = OPERATIONS[operation]
                inputs = [laid_out(randn(shape)) for shape in shapes]
            else:
                function, inputs = torch.mm, operands(operation, randn)
            single(name, function, inputs, way == "fwdbwd")
        # A compiled chain would be one fused loop, and the graph is what is timed.
        case ["tape", "chain1000", ("fwd" | "fwdbwd") as way] if not (options.onnxruntime or options.compile):
            single(name, chain, [torch.tensor(value) for value in (1.0, 0.999, 0.001)], way == "fwdbwd")
        case _:
            print(f"{name} is not supported", file=sys.stderr)


print(COLUMNS)
for workload in options.names:
    run(workload)
