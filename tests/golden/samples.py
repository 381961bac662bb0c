"""Writes the golden cases of PyTorch's own sample inputs: what `torch.testing` tries its loss functions with, in every
shape that these take.

The format is that of `generate.py`. Shapes and options are the samples'; values that are outside a loss's domain, such
as a probability above 1, are brought into it.
"""

import inspect
import json
import random
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.testing._internal.common_methods_invocations import op_db

# What brings values into a domain.
ANY = lambda x: x
MAGNITUDE = torch.abs
LOG_PROBABILITY = lambda x: -x.abs()
PROBABILITY = lambda x: torch.where((x < 0) | (x > 1), x.abs() / 10, x)
SIGN = lambda x: torch.where(x < 0, -1.0, 1.0).to(x)
COUNT = lambda x: x.abs().floor()

# By the function's name: the loss and its inputs, in order, each with its domain. A trailing `*` marks gradients.
LOSSES = {
    "l1_loss": ("mae", {"prediction*": ANY, "target": ANY}),
    "mse_loss": ("mse", {"prediction*": ANY, "target": ANY}),
    "smooth_l1_loss": ("smooth_l1", {"prediction*": ANY, "target": ANY}),
    "huber_loss": ("huber", {"prediction*": ANY, "target": ANY}),
    "poisson_nll_loss": ("poisson_nll", {"prediction*": ANY, "target": COUNT}),
    "gaussian_nll_loss": ("gaussian_nll", {"prediction*": ANY, "target": ANY, "variance*": MAGNITUDE}),
    "binary_cross_entropy": ("bce", {"prediction*": PROBABILITY, "target": PROBABILITY}),
    "binary_cross_entropy_with_logits": ("bce_with_logits", {"logits*": ANY, "target": PROBABILITY}),
    "soft_margin_loss": ("soft_margin", {"logits*": ANY, "target": SIGN}),
    "kl_div": ("kl_div", {"prediction*": LOG_PROBABILITY, "target": PROBABILITY}),
    "hinge_embedding_loss": ("hinge_embedding", {"prediction*": ANY, "target": SIGN}),
    "margin_ranking_loss": ("margin_ranking", {"x1*": ANY, "x2*": ANY, "label": SIGN}),
    "cosine_embedding_loss": ("cosine_embedding", {"x1*": ANY, "x2*": ANY, "label": SIGN}),
    "triplet_margin_loss": ("triplet_margin", {"anchor*": ANY, "positive*": ANY, "negative*": ANY}),
    "triplet_margin_with_distance_loss": ("triplet_margin", {"anchor*": ANY, "positive*": ANY, "negative*": ANY}),
    "nll_loss": ("nll", {"log_probabilities*": LOG_PROBABILITY, "target": ANY}),
    "cross_entropy": ("cross_entropy", {"logits*": ANY, "target": ANY}),
    "multi_margin_loss": ("multi_margin", {"logits*": ANY, "target": ANY}),
    "multilabel_soft_margin_loss": ("multilabel_soft_margin", {"logits*": ANY, "target_probabilities": PROBABILITY}),
}
# Those whose weights are of classes.
OF_CLASSES = ("nll", "cross_entropy", "cross_entropy_soft", "multi_margin", "multilabel_soft_margin")
REDUCTIONS = {"batchmean": "batch_mean"}


def exact(value):
    return torch.tensor(value, dtype=torch.float32).double().item() if isinstance(value, float) else value


def stored(tensor):
    return tensor.detach().to(torch.float32 if tensor.is_floating_point() else torch.int32)


def wide(tensor):
    """In float64, of values that are exact in float32."""
    return tensor.detach().float().double() if tensor.is_floating_point() else tensor


def case(function, loss, domains, sample):
    """The metadata and the tensors of a case, or `None` where the sample has no value."""
    options = dict(sample.kwargs)
    if "distance_function" in options:
        options["distance_function"] = torch.nn.PairwiseDistance(eps=exact(1e-6))
    values = [wide(value) for value in (sample.input, *sample.args)]
    if loss == "cross_entropy" and values[1].is_floating_point():
        loss, domains = "cross_entropy_soft", {"logits*": ANY, "target_probabilities": PROBABILITY}
    if loss == "kl_div" and options.get("log_target"):
        domains = domains | {"target": LOG_PROBABILITY}
    if loss == "poisson_nll" and not options.get("log_input", True):
        domains = domains | {"prediction*": MAGNITUDE}
    # The defaults are as exact in f32 as a parameter is.
    signature = inspect.signature(getattr(F, function)).parameters
    options |= {name: signature[name].default for name in ("eps", "margin", "beta", "delta") if name in signature} | options
    options = {name: exact(value) for name, value in options.items() if value is not None}
    inputs = {name.rstrip("*"): wide(fit(value)) for (name, fit), value in zip(domains.items(), values)}
    for name in ("weight", "pos_weight"):
        if name in options:
            options[name] = wide(options[name]).abs()
    names = [name.rstrip("*") for name in domains if name.endswith("*")]
    for name in names:
        inputs[name] = inputs[name].clone().requires_grad_()
    result = getattr(F, function)(*inputs.values(), **options)
    if not torch.isfinite(result).all():
        return None
    gradients = torch.autograd.grad(result.sum(), [inputs[name] for name in names])

    tensors = {name: stored(tensor) for name, tensor in inputs.items()}
    if "weight" in options:
        tensors["class_weight" if loss in OF_CLASSES else "weight"] = stored(options.pop("weight"))
    if "pos_weight" in options:
        tensors["pos_weight"] = stored(options.pop("pos_weight"))
    tensors |= {f"grad.{name}": gradient for name, gradient in zip(names, gradients)}
    tensors["loss"] = result.detach()
    reduction = options.pop("reduction", "mean")
    options.pop("distance_function", None)
    params = {name: str(value).lower() for name, value in options.items()}
    return {"loss": loss, "reduction": REDUCTIONS.get(reduction, reduction), "params": params}, tensors


def main():
    cases, tensors = {}, {}
    for op in sorted(op_db, key=lambda op: op.name):
        function = op.name.removeprefix("nn.functional.")
        if function not in LOSSES:
            continue
        torch.manual_seed(0)
        random.seed(0)
        for number, sample in enumerate(op.sample_inputs("cpu", torch.float32)):
            described = case(function, *LOSSES[function], sample)
            if described is None:
                print(f"{function} {number} has no finite value")
                continue
            name = f"{function} {number}"
            cases[name] = described[0]
            tensors |= {f"{name}:{tensor}": values.contiguous() for tensor, values in described[1].items()}
    path = Path(__file__).with_name("samples.safetensors")
    save_file(tensors, path, {"cases": json.dumps(cases, separators=(",", ":"))})


if __name__ == "__main__":
    main()
