"""How close float32 results of the multi-class losses are to float64: wgloss beside PyTorch's CPU kernels.

    accuracy.py --wgloss target/release/wgloss --adapter vulkan:llvmpipe

Prints a table in Markdown. Truth is PyTorch in float64. An error is the largest difference relative to the largest
value, of a loss and of its gradient; each is the worst of three numbers of classes, and the loss's is the worse of
items and mean. In the confident case the class that is right leads by 20, so that softmax leaves the others some
billionths. That class's gradient, which is these billionths, gets a column of its own: its largest error relative to
itself. Truth itself has only seven digits there.

Needs Python packages: tests/golden/requirements.txt.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

ROWS = 64
CLASSES = (10, 1_000, 32_000)
LEAD = 20.0
# How logits come from normal ones. A scale of 3000 is far beyond exp's range; a shift of 10,000 leaves float32 three
# digits behind the point.
CASES: dict[str, Callable] = {
    "normal": lambda logits, target: logits,
    "30 × normal": lambda logits, target: logits * 30,
    "3000 × normal": lambda logits, target: logits * 3_000,
    "normal + 10⁴": lambda logits, target: logits + 1e4,
    "normal − 10⁴": lambda logits, target: logits - 1e4,
    "confident": lambda logits, target: logits.scatter(1, target[:, None], logits.max(1, keepdim=True).values + LEAD),
}


# Each loss as PyTorch users write it, a value an item.


def cross_entropy(logits, target, **options):
    return F.cross_entropy(logits, target, reduction="none", **options)


def focal(logits, target, alpha, gamma):
    log_p = F.log_softmax(logits, 1).gather(1, target[:, None])[:, 0]
    return -alpha * (1 - log_p.exp()) ** gamma * log_p


def nll(log_probabilities, target):
    return F.nll_loss(log_probabilities, target, reduction="none")


def distillation(logits, teacher, temperature):
    log_q, p = F.log_softmax(logits / temperature, 1), F.softmax(teacher / temperature, 1)
    return F.kl_div(log_q, p, reduction="none").sum(1) * temperature**2


def multi_margin(logits, target):
    return F.multi_margin_loss(logits, target, reduction="none")


def multilabel_soft_margin(logits, target):
    return F.multilabel_soft_margin_loss(logits, target, reduction="none")


# The second input of a loss besides logits, from a generator, the case and the classes that are right.


def class_indices(draw, case, target):
    return target


def teacher(draw, case, target):
    return CASES[case](draw(), target)


def probabilities(draw, case, target):
    if case == "confident":
        return F.one_hot(target, draw().shape[1]).double()
    return F.softmax(draw(), 1)


def labels(draw, case, target):
    if case == "confident":
        return F.one_hot(target, draw().shape[1]).double()
    return (draw() > 0).double()


@dataclass
class Loss:
    """A loss by its names in wgloss and its function in PyTorch."""

    name: str
    function: Callable
    second_input: tuple[str, Callable] = ("target", class_indices)
    parameters: dict[str, float] = field(default_factory=dict)
    first_input: str = "logits"

    def __str__(self):
        return " ".join([self.name, *self.settings()])

    def settings(self):
        return [f"{name}={value}" for name, value in self.parameters.items()]

    def is_in(self, catalogue):
        names = {parameter["name"] for parameter in catalogue.get(self.name, {"parameters": []})["parameters"]}
        return self.name in catalogue and names.issuperset(self.parameters)

    def inputs(self, case, classes):
        """Inputs that are exact in float32, and the classes that are right."""
        generator = torch.Generator().manual_seed(classes)
        draw = lambda: torch.randn(ROWS, classes, dtype=torch.float64, generator=generator)
        target = torch.randint(classes, (ROWS,), generator=generator)
        first = CASES[case](draw(), target)
        if self.first_input == "log_probabilities":
            first = F.log_softmax(first, 1)
        name, make = self.second_input
        second = make(draw, case, target)
        return {self.first_input: first.float(), name: second.float() if second.is_floating_point() else second}, target

    def by_pytorch(self, inputs, dtype):
        first, second = (tensor.to(dtype) if tensor.is_floating_point() else tensor for tensor in inputs.values())
        first = first.clone().requires_grad_()
        items = self.function(first, second, **self.parameters)
        (gradient,) = torch.autograd.grad(items.sum(), first)
        return Result(items.detach(), items.detach().mean(), gradient)

    def by_wgloss(self, inputs, program):
        items, mean = (program.evaluate(self, inputs, reduction) for reduction in ("none", "mean"))
        return Result(items["loss"], mean["loss"], items[f"grad.{self.first_input}"])


LOSSES = [
    Loss("cross_entropy", cross_entropy),
    Loss("cross_entropy", cross_entropy, parameters={"label_smoothing": 0.1}),
    Loss("cross_entropy_soft", cross_entropy, ("target_probabilities", probabilities)),
    Loss("focal", focal, parameters={"alpha": 0.25, "gamma": 2.0}),
    Loss("nll", nll, first_input="log_probabilities"),
    Loss("distillation", distillation, ("teacher_logits", teacher), {"temperature": 2.0}),
    Loss("multi_margin", multi_margin),
    Loss("multilabel_soft_margin", multilabel_soft_margin, ("target_probabilities", labels)),
]


@dataclass
class Result:
    """The loss of each item, their mean, and each item's own gradient."""

    items: torch.Tensor
    mean: torch.Tensor
    gradient: torch.Tensor

    def errors(self, truth, target):
        """Of the loss, of the gradient, and of the gradient of the class that is right, relative to itself."""
        rows = torch.arange(ROWS)
        ours, true = self.gradient[rows, target].double(), truth.gradient[rows, target]
        of_class = torch.where(ours == true, 0.0, (ours - true).abs() / true.abs()).max().item()
        loss = max(error(self.items, truth.items), error(self.mean, truth.mean))
        return loss, error(self.gradient, truth.gradient), of_class


def error(values, truth):
    """The largest difference, relative to the largest value; 0 where there is none. A NaN stays one."""
    difference = (values.double() - truth).abs().max()
    return 0.0 if difference == 0 else (difference / truth.abs().max()).item()


@dataclass
class Wgloss:
    """The command, on one adapter."""

    path: str
    adapter: str
    directory: Path

    def catalogue(self):
        listed = subprocess.run([self.path, "list", "--json"], check=True, capture_output=True, text=True).stdout
        return {loss["name"]: loss for loss in json.loads(listed)["losses"]}

    def evaluate(self, loss, inputs, reduction):
        source, result = self.directory / "inputs.safetensors", self.directory / "result.safetensors"
        stored = {name: t.contiguous() if t.is_floating_point() else t.int() for name, t in inputs.items()}
        save_file(stored, source)
        settings = [word for setting in loss.settings() for word in ("--set", setting)]
        command = [self.path, "eval", loss.name, "--adapter", self.adapter, "--reduction", reduction, *settings]
        subprocess.run([*command, "--input", source, "--output", result], check=True, stdout=subprocess.DEVNULL)
        return load_file(result)


def worst(errors):
    """The largest in each column; NaN if there is one, which `max` may drop."""
    return torch.tensor(errors, dtype=torch.float64).amax(0).tolist()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wgloss", default="wgloss", metavar="PATH", help="the command [default: wgloss]")
    parser.add_argument("--adapter", default="", help="part of an adapter's name [default: the most capable]")
    arguments = parser.parse_args()

    print("| loss | inputs | loss, PyTorch | loss, wgloss | gradient, PyTorch | gradient, wgloss "
          "| true class, PyTorch | true class, wgloss |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as directory:
        program = Wgloss(arguments.wgloss, arguments.adapter, Path(directory))
        catalogue = program.catalogue()
        for loss in LOSSES:
            if not loss.is_in(catalogue):
                print(f"accuracy.py: {program.path} has no {loss}: skipped", file=sys.stderr)
                continue
            for case in CASES:
                pytorch, wgloss = [], []
                for classes in CLASSES:
                    inputs, target = loss.inputs(case, classes)
                    truth = loss.by_pytorch(inputs, torch.float64)
                    pytorch.append(loss.by_pytorch(inputs, torch.float32).errors(truth, target))
                    wgloss.append(loss.by_wgloss(inputs, program).errors(truth, target))
                # Column by column, PyTorch's error beside wgloss's.
                cells = [f"{e:.1e}" for pair in zip(worst(pytorch), worst(wgloss)) for e in pair]
                # In the other cases that gradient is as large as any; in distillation no class is right.
                if case != "confident" or loss.name == "distillation":
                    cells[-2:] = ["", ""]
                print(f"| `{loss}` | {case} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
