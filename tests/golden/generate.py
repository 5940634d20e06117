#!/usr/bin/env python3
"""Golden cases from PyTorch: values, gradients and gradients of gradients, in the format of README.md.

    pip install torch safetensors numpy
    python tests/golden/generate.py

writes further.json and further.safetensors beside this file. A new case is one line: the operation by its name in
torch.nn.functional, a note, its inputs, its arguments.
"""
import json
import pathlib

import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

torch.manual_seed(20261122)
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

CASES = []


def case(op, note="", *, compute=None, const=(), **named):
    """Tensors are inputs, handed to the function in this order; all else are arguments, handed by name.

    Inputs in `const` are not differentiated. `compute` stands in where the function wants it otherwise.
    """
    inputs = {k: v for k, v in named.items() if torch.is_tensor(v)}
    args = {k: v for k, v in named.items() if k not in inputs}
    CASES.append((op, note, compute or getattr(F, op), inputs, args, const))


def normal(*shape):
    return torch.randn(shape)


def signs(*shape):
    return torch.where(torch.rand(shape) < 0.5, -1.0, 1.0)


# Activations, the kinked ones at their kinks as well.
KINKS = torch.tensor([-0.5, 0.0, 0.5, 1.0])
for note, x in [("plain", normal(2, 3, 4)), ("scalar", normal()), ("kinks", KINKS)]:
    case("celu", note, x=x, alpha=1.0)
    case("celu", note, x=x, alpha=0.5)
    case("softsign", note, x=x)
    case("tanhshrink", note, x=x)
    case("softshrink", note, x=x, lambd=0.5)
    case("hardshrink", note, x=x, lambd=0.5)
    case("threshold", note, x=x, threshold=0.5, value=-2.0)
for dim in (0, 1, -1):
    case("softmin", x=normal(2, 3, 4), dim=dim)
for dim in (1, -1):
    case("glu", x=normal(2, 4, 6), dim=dim)

# Pooling by a norm.
for d, extents in [(1, (7,)), (2, (5, 6)), (3, (3, 4, 5))]:
    # Along one axis PyTorch takes numbers, not lists of one.
    plain = {1: lambda x, norm_type, kernel_size, stride, ceil_mode: F.lp_pool1d(
        x, norm_type, kernel_size[0], stride and stride[0], ceil_mode)}
    for norm_type, stride, ceil_mode in [(2.0, None, False), (3.0, [1] * d, False), (1.5, [2] * d, True)]:
        case(f"lp_pool{d}d", compute=plain.get(d), x=normal(2, 3, *extents).abs(), norm_type=norm_type,
             kernel_size=[2] * d, stride=stride, ceil_mode=ceil_mode)

# Rearrangements.
for note, batch in [("batched", (2,)), ("unbatched", ())]:
    for window in [dict(kernel_size=[2, 3], dilation=[1, 1], padding=[0, 0], stride=[1, 1]),
                   dict(kernel_size=[2, 2], dilation=[2, 1], padding=[1, 2], stride=[2, 1])]:
        x = normal(*batch, 4, 5, 6)
        case("unfold", note, x=x, **window)
        case("fold", note, x=normal(*F.unfold(x, **window).shape), output_size=[5, 6], **window)
case("pixel_shuffle", x=normal(2, 8, 2, 3), upscale_factor=2)
case("pixel_unshuffle", x=normal(2, 2, 4, 6), downscale_factor=2)

# Layers with a weight, and normalisation.
case("bilinear", "bias", x1=normal(2, 4, 3), x2=normal(2, 4, 5), weight=normal(2, 3, 5), bias=normal(2))
case("bilinear", x1=normal(4, 3), x2=normal(4, 5), weight=normal(2, 3, 5))
for padding_idx in (None, 1):
    index = torch.tensor([[1, 0, 2], [2, 1, 1]])
    case("embedding", const=("index",), index=index, weight=normal(4, 3), padding_idx=padding_idx)
for shape, eps in [([4], 1e-5), ([3, 4], None)]:
    rms = lambda x, weight, normalized_shape, eps: F.rms_norm(x, normalized_shape, weight, eps)
    case("rms_norm", "affine", compute=rms, x=normal(2, 3, 4), weight=normal(*shape), normalized_shape=shape, eps=eps)
    case("rms_norm", x=normal(2, 3, 4), normalized_shape=shape, eps=eps)
for size, extents in [(2, (5,)), (3, (2, 3)), (5, ())]:
    case("local_response_norm", x=normal(2, 6, 4, *extents), size=size, alpha=0.1, beta=0.75, k=2.0)

# Losses.
for reduction in ("mean", "sum", "none"):
    kept = dict(const=("target",), reduction=reduction)
    case("hinge_embedding_loss", reduction, x=normal(3, 4), target=signs(3, 4), margin=0.7, **kept)
    case("margin_ranking_loss", reduction, x1=normal(5), x2=normal(5), target=signs(5), margin=0.3, **kept)
    case("cosine_embedding_loss", reduction, x1=normal(6, 3), x2=normal(6, 3), target=signs(6), margin=0.1, **kept)
    for p, swap in [(2.0, False), (2.0, True), (3.0, False), (1.0, True)]:
        case("triplet_margin_loss", reduction, anchor=normal(6, 3), positive=normal(6, 3), negative=normal(6, 3),
             margin=1.0, p=p, eps=1e-6, swap=swap, reduction=reduction)


# Optimizers, on the problem of `optim`.
def descend(optimizer, options, steps, w, b, A, T):
    """The parameters before each of `steps` steps and after the last, and what the steps were taken with."""
    parameters = {"w": w.clone().requires_grad_(), "b": b.clone().requires_grad_()}
    method = getattr(torch.optim, optimizer)(parameters.values(), **options)
    rows = {name: [] for name in ("loss", "lr", "param.w", "grad.w", "param.b", "grad.b")}
    for step in range(steps + 1):
        for name, parameter in parameters.items():
            rows[f"param.{name}"].append(parameter.detach().clone())
        if step == steps:
            break
        w, b = parameters.values()
        misfit = (torch.tanh(A @ w + b) - T).square().mean()
        loss = 0.5 * misfit + 0.05 * w.square().sum() + 0.1 * torch.log1p(b.square()).sum()
        method.zero_grad()
        loss.backward()
        rows["loss"].append(loss.detach())
        rows["lr"].append(torch.tensor([group["lr"] for group in method.param_groups]))
        for name, parameter in parameters.items():
            rows[f"grad.{name}"].append(parameter.grad.clone())
        method.step()
    return {name: torch.stack(values) for name, values in rows.items()}


OPTIMIZERS = [
    ("Adadelta", {"lr": 1.0}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1}),
    ("NAdam", {"lr": 0.05}),
    ("NAdam", {"lr": 0.02, "betas": [0.8, 0.95], "momentum_decay": 0.01, "weight_decay": 0.1, "eps": 1e-6}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.02, "betas": [0.8, 0.9], "weight_decay": 0.1, "eps": 1e-6}),
]


def number(i, op, note):
    return f"{op}_{i:03}" + (f"_{note}" if note else "")


def differentiated(i, op, note, compute, inputs, args, const):
    """The row of a case, and its tensors."""
    name = number(i, op, note)
    leaves = {k: v.clone().requires_grad_() for k, v in inputs.items() if k not in const and v.is_floating_point()}
    y = compute(*{**inputs, **leaves}.values(), **args)
    g = torch.randn_like(y).requires_grad_()
    grads = torch.autograd.grad((y * g).sum(), leaves.values(), create_graph=True)
    v = [torch.randn_like(x) for x in grads]
    row = {"name": name, "op": op, "args": args, "source": "chosen", "inputs": list(inputs), "const": list(const),
           "outputs": ["y"], "grad_outputs": ["grad_out.y"], "grads": [f"grad.{k}" for k in leaves]}
    tensors = {**inputs, "y": y, "grad_out.y": g}
    tensors |= {f"grad.{k}": x for k, x in zip(leaves, grads)}
    s = sum((a * b).sum() for a, b in zip(grads, v))
    of = {**leaves, "grad_out.y": g}
    second = torch.autograd.grad(s, of.values(), allow_unused=True)
    second = [torch.zeros_like(x) if x2 is None else x2 for x, x2 in zip(of.values(), second)]
    row["grad2"] = {"of": list(leaves), "v": [f"v.{k}" for k in leaves], "grads": [f"grad2.{k}" for k in of]}
    tensors |= {f"v.{k}": x for k, x in zip(leaves, v)} | {f"grad2.{k}": x for k, x in zip(of, second)}
    return row, {f"{name}/{k}": x for k, x in tensors.items()}


def optimized(i, optimizer, options, steps=10):
    name = number(i, "optimize", optimizer)
    inputs = {"w": normal(3, 4), "b": normal(4), "A": normal(5, 3), "T": normal(5, 4)}
    rows = descend(optimizer, options, steps, **inputs)
    groups = [{"params": ["w", "b"], "options": {}}]
    row = {"name": name, "op": "optimize", "source": "chosen", "inputs": list(inputs), "outputs": list(rows),
           "args": {"optimizer": optimizer, "options": options, "groups": groups, "steps": steps},
           "grad_outputs": [], "grads": []}
    return row, {f"{name}/{k}": x for k, x in {**inputs, **rows}.items()}


def main():
    made = [differentiated(i, *one) for i, one in enumerate(CASES)]
    made += [optimized(i, *one) for i, one in enumerate(OPTIMIZERS, len(made))]
    # Added to zeros, because a gradient that is zero throughout has no memory of its own.
    plain = lambda x: (x.detach() + torch.zeros((), dtype=x.dtype)).numpy()
    tensors = {name: plain(x) for _, part in made for name, x in part.items()}
    folder = pathlib.Path(__file__).parent
    save_file(tensors, folder / "further.safetensors")
    head = json.dumps({"format": 1, "family": "further", "seed": 20261122, "torch": torch.__version__})
    rows = ",\n".join(json.dumps(row) for row, _ in made)
    (folder / "further.json").write_text(f'{head[:-1]}, "cases": [\n{rows}\n]}}\n')
    print(f"{len(made)} cases, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
