"""Writes the golden cases: losses and gradients that PyTorch computes in float64, one safetensors file a family.

A case's tensors are named `<case>:<tensor>`, with the catalogue's names (`prediction`, `loss`, `grad.prediction`). The entry `cases`
of the file's metadata is a JSON object: for each case its `loss`, its `reduction` and the text of its `params`.
Inputs and parameters are exact in float32, so that kernels can be checked against the same cases.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torchvision.ops import sigmoid_focal_loss

SHAPE = (3, 4)
ROWS, CLASSES = 6, 5

rng = np.random.default_rng(20)


@dataclass
class Cases:
    """Cases of one loss: every setting with every reduction, and those with a weight per item where PyTorch takes one."""

    loss: str
    # Called with the inputs in order, `reduction` and the parameters.
    function: Callable
    inputs: dict[str, torch.Tensor]
    settings: list[dict] = field(default_factory=lambda: [{}])
    # Reductions by the catalogue's name, with PyTorch's.
    reductions: dict[str, str] = field(default_factory=lambda: {"none": "none", "sum": "sum", "mean": "mean"})
    weighted: dict[str, str] = field(default_factory=dict)
    differentiable: tuple[str, ...] = ()

    def __iter__(self):
        for params in self.settings:
            for reduction, torch_name in self.reductions.items():
                yield self.case(params, reduction, torch_name, {})
        for reduction, torch_name in self.weighted.items():
            yield self.case({}, reduction, torch_name, {"weight": uniform(0.25, 2)})

    def case(self, params, reduction, torch_name, weight):
        """The name, the metadata and the tensors of one case."""
        names = self.differentiable or [next(iter(self.inputs))]
        inputs = {name: tensor.clone().requires_grad_(name in names) for name, tensor in self.inputs.items()}
        numbers = {name: exact(value).item() if isinstance(value, float) else value for name, value in params.items()}
        loss = self.function(*inputs.values(), reduction=torch_name, **numbers, **weight)
        gradients = torch.autograd.grad(loss.sum(), [inputs[name] for name in names])

        tensors = {name: stored(tensor) for name, tensor in (inputs | weight).items()}
        tensors |= {f"grad.{name}": gradient for name, gradient in zip(names, gradients)}
        tensors["loss"] = loss.detach()

        text = {name: str(value).lower() for name, value in params.items()}
        described = [f"{name}={value}" for name, value in text.items()]
        optional = [name for name in (self.inputs | weight) if name in ("pos_weight", "weight")]
        name = " ".join([self.loss, *optional, *described, reduction])
        return name, {"loss": self.loss, "reduction": reduction, "params": text}, tensors


def exact(values):
    """The values rounded to float32, in float64."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).double()


def stored(tensor):
    return tensor.detach().to(torch.float32 if tensor.is_floating_point() else torch.int32)


def normal(scale=1.0, shape=SHAPE):
    return exact(rng.normal(scale=scale, size=shape))


def uniform(low, high, shape=SHAPE):
    return exact(rng.uniform(low, high, size=shape))


def choice(values, shape=SHAPE):
    return exact(rng.choice(values, size=shape))


def classes(*absent):
    """Class indices, in every third row one that is to be ignored."""
    target = torch.from_numpy(rng.integers(0, CLASSES, size=ROWS))
    target[::3] = torch.tensor(absent)
    return target


# PyTorch's functions where the catalogue's inputs or parameters differ.


def bce_with_logits(logits, target, per_class=1.0, *, pos_weight=1.0, label_smoothing=0.0, **options):
    """PyTorch has one pos_weight, a tensor, and leaves the smoothing of binary targets to its caller."""
    target = target * (1 - label_smoothing) + label_smoothing / 2
    pos_weight = torch.as_tensor(pos_weight * per_class, dtype=torch.float64)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=pos_weight, **options)


def cross_entropy(logits, target, **options):
    return F.cross_entropy(logits, target.long(), **options)


# What PyTorch lacks, in its operations.


def reduced(loss, reduction):
    return {"none": lambda: loss, "sum": loss.sum, "mean": loss.mean}[reduction]()


def log_cosh(prediction, target, *, reduction):
    e = prediction - target
    return reduced(torch.logaddexp(e, -e) - math.log(2), reduction)


def quantile(prediction, target, *, reduction, quantile=0.5):
    e = target - prediction
    return reduced(torch.max(quantile * e, (quantile - 1) * e), reduction)


def asymmetric_mse(prediction, target, *, reduction, over_penalty=2.0):
    e = prediction - target
    return reduced(torch.where(e > 0, over_penalty, 1.0) * e**2, reduction)


def hinge(logits, target, *, reduction):
    return reduced((1 - target * logits).clamp(min=0), reduction)


def squared_hinge(logits, target, *, reduction):
    return reduced((1 - target * logits).clamp(min=0) ** 2, reduction)


def regression():
    apart = {"prediction": normal(2.0), "target": normal()}
    # One error of exactly 0, where PyTorch's conventions are the catalogue's.
    touching = {"prediction": normal(2.0), "target": normal()}
    touching["target"][0, 0] = touching["prediction"][0, 0]
    counts = exact(rng.poisson(2.0, size=SHAPE))
    variance = {**apart, "variance": uniform(0.05, 2.0)}

    return [
        Cases("mse", F.mse_loss, touching, weighted={"sum": "sum", "weighted_mean": "mean"}),
        Cases("mae", F.l1_loss, touching, weighted={"sum": "sum", "weighted_mean": "mean"}),
        Cases("huber", F.huber_loss, touching, [{}, {"delta": 0.3}, {"delta": 2.5}], weighted={"mean": "mean"}),
        Cases("smooth_l1", F.smooth_l1_loss, touching, [{}, {"beta": 0.0}, {"beta": 0.3}]),
        Cases("log_cosh", log_cosh, apart),
        Cases("quantile", quantile, apart, [{}, {"quantile": 0.1}, {"quantile": 0.9}]),
        Cases("asymmetric_mse", asymmetric_mse, touching, [{}, {"over_penalty": 0.3}]),
        Cases("poisson_nll", F.poisson_nll_loss, {"prediction": normal(), "target": counts}, [{}, {"full": True}]),
        Cases(
            "poisson_nll",
            F.poisson_nll_loss,
            {"prediction": uniform(0.1, 4.0), "target": counts},
            [{"log_input": False}, {"log_input": False, "full": True, "eps": 0.01}],
        ),
        Cases(
            "gaussian_nll",
            F.gaussian_nll_loss,
            variance,
            [{}, {"full": True}, {"eps": 0.5}],
            differentiable=("prediction", "variance"),
        ),
    ]


def binary():
    logits = normal(2.0)
    soft = choice([0, 1, 0, 1, 0.25, 0.7])
    signs = {"logits": logits, "target": choice([-1, 1])}
    probabilities = {"prediction": uniform(0.02, 0.98), "target": soft.clone()}
    # Certain and right. Where certain and wrong, PyTorch's gradient has 1e-12 rounded to float32 in it even for float64.
    probabilities["prediction"][0, :2] = exact([0, 1])
    probabilities["target"][0, :2] = exact([0, 1])
    log_probabilities = torch.log(uniform(0.05, 0.95)).float().double()
    kl = {"none": "none", "sum": "sum", "mean": "mean", "batch_mean": "batchmean"}
    every_weight = {"none": "none", "sum": "sum", "mean": "mean"}

    return [
        Cases("bce", F.binary_cross_entropy, probabilities, weighted=every_weight),
        Cases(
            "bce_with_logits",
            bce_with_logits,
            {"logits": logits, "target": soft},
            [{}, {"pos_weight": 3.0}, {"label_smoothing": 0.1}, {"pos_weight": 0.4, "label_smoothing": 0.2}],
            weighted=every_weight,
        ),
        Cases(
            "bce_with_logits",
            bce_with_logits,
            {"logits": logits, "target": soft, "pos_weight": uniform(0.25, 4, SHAPE[-1:])},
            [{}, {"pos_weight": 0.3}],
        ),
        Cases(
            "sigmoid_focal",
            sigmoid_focal_loss,
            {"logits": logits, "target": soft},
            [{}, {"gamma": 0.0}, {"gamma": 0.5}, {"alpha": -1.0, "gamma": 1.0}, {"alpha": 0.9, "gamma": 3.5}],
        ),
        Cases("hinge", hinge, signs),
        Cases("squared_hinge", squared_hinge, signs),
        Cases("soft_margin", F.soft_margin_loss, signs),
        Cases("kl_div", F.kl_div, {"prediction": log_probabilities, "target": soft}, reductions=kl),
        Cases(
            "kl_div",
            F.kl_div,
            {"prediction": log_probabilities, "target": torch.log(uniform(0.05, 0.95)).float().double()},
            [{"log_target": True}],
            reductions=kl,
        ),
    ]


def multiclass():
    logits = normal(2.0, (ROWS, CLASSES))
    return [
        Cases("cross_entropy", cross_entropy, {"logits": logits, "target": classes(-100, -100)}),
        Cases("cross_entropy", cross_entropy, {"logits": logits, "target": classes(2, 2)}, [{"ignore_index": 2}]),
    ]


def main():
    for family in (regression, binary, multiclass):
        cases, tensors = {}, {}
        for name, metadata, case in (case for loss in family() for case in loss):
            assert name not in cases, name
            cases[name] = metadata
            tensors |= {f"{name}:{tensor}": values.contiguous() for tensor, values in case.items()}
        path = Path(__file__).with_name(f"{family.__name__}.safetensors")
        save_file(tensors, path, {"cases": json.dumps(cases, separators=(",", ":"))})


if __name__ == "__main__":
    main()
