"""Writes the golden cases: losses and gradients that PyTorch, MONAI and pytorch-metric-learning compute in float64,
one safetensors file a family.

A case's tensors are named `<case>:<tensor>`, with the catalogue's names (`prediction`, `loss`, `grad.prediction`). The entry `cases`
of the file's metadata is a JSON object: for each case its `loss`, its `reduction` and the text of its `params`.
Inputs and parameters are exact in float32, so that kernels can be checked against the same cases.
"""

import json
import math
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F
from monai.losses import DiceCELoss, DiceFocalLoss, DiceLoss, GeneralizedDiceLoss, TverskyLoss
from pytorch_metric_learning import distances, reducers
from pytorch_metric_learning.losses import NTXentLoss, SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from safetensors.torch import save_file
from torchvision.ops import (
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
    sigmoid_focal_loss,
)

SHAPE = (3, 4)
ROWS, CLASSES = 6, 5
# Rows along the second axis of three.
VOLUME = (2, CLASSES, 3)

# Reductions by the catalogue's name, with PyTorch's where it has them.
NONE = {"none": "none"}
PLAIN = NONE | {"sum": "sum", "mean": "mean"}
WEIGHTED = PLAIN | {"weighted_mean": "weighted_mean"}
BATCHED = PLAIN | {"batch_mean": "batch_mean"}
# Inputs that are given by name and are part of a case's name.
BY_NAME = ("bias", "class_weight", "class_offset", "item_weight", "weight")

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
    reductions: dict[str, str] = field(default_factory=lambda: PLAIN)
    weighted: dict[str, str] = field(default_factory=dict)
    differentiable: tuple[str, ...] = ()
    # What sets the inputs apart from those of other cases, for the name.
    label: str = ""

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
        upstream = inputs.get("upstream", 1)
        by_name = {name: tensor for name, tensor in (inputs | weight).items() if name in BY_NAME}
        by_order = [tensor for name, tensor in inputs.items() if name not in (*BY_NAME, "upstream")]
        loss = self.function(*by_order, reduction=torch_name, **numbers, **by_name)
        gradients = torch.autograd.grad((loss * upstream).sum(), [inputs[name] for name in names])

        tensors = {name: stored(tensor) for name, tensor in (inputs | weight).items()}
        tensors |= {f"grad.{name}": gradient for name, gradient in zip(names, gradients)}
        tensors["loss"] = loss.detach()

        text = {name: str(value).lower() for name, value in params.items()}
        described = [f"{name}={value}" for name, value in text.items()]
        optional = [name for name in (self.inputs | weight) if name in ("pos_weight", "upstream", *BY_NAME)]
        name = " ".join([self.loss, *self.label.split(), *optional, *described, reduction])
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


# The default of box losses.
EPS = exact(1e-7).item()
# That of euclidean distances.
PAIR_EPS = exact(1e-6).item()


# PyTorch's functions where the catalogue's inputs or parameters differ.


def bce_with_logits(logits, target, per_class=1.0, *, pos_weight=1.0, label_smoothing=0.0, **options):
    """PyTorch has one pos_weight, a tensor, and leaves the smoothing of binary targets to its caller."""
    target = target * (1 - label_smoothing) + label_smoothing / 2
    pos_weight = torch.as_tensor(pos_weight * per_class, dtype=torch.float64)
    return F.binary_cross_entropy_with_logits(logits, target, pos_weight=pos_weight, **options)


def nll(log_probabilities, target, *, class_weight=None, weight=None, reduction, ignore_index=-100):
    def pytorch(reduction):
        return F.nll_loss(log_probabilities, target, class_weight, ignore_index=ignore_index, reduction=reduction)

    return by_item(pytorch, weight, reduction, mass_of(target, class_weight, ignore_index))


def cross_entropy_soft(logits, target_probabilities, *, class_weight=None, weight=None, reduction, label_smoothing=0.0):
    def pytorch(reduction):
        options = {"weight": class_weight, "label_smoothing": label_smoothing, "reduction": reduction}
        return F.cross_entropy(logits, target_probabilities, **options)

    return by_item(pytorch, weight, reduction)


def multi_margin(logits, target, *, class_weight=None, weight=None, reduction, margin=1.0, p=1, ignore_index=None):
    if ignore_index is not None:
        counts = target != ignore_index
        losses = F.multi_margin_loss(logits, torch.where(counts, target, 0), p, margin, class_weight, reduction="none")
        return reduced_rows(torch.where(counts, losses, 0), weight, reduction, counts.double())

    def pytorch(reduction):
        return F.multi_margin_loss(logits, target, p, margin, class_weight, reduction=reduction)

    return by_item(pytorch, weight, reduction)


def multilabel_soft_margin(logits, target_probabilities, *, class_weight=None, weight=None, reduction):
    def pytorch(reduction):
        return F.multilabel_soft_margin_loss(logits, target_probabilities, class_weight, reduction=reduction)

    return by_item(pytorch, weight, reduction)


def by_item(pytorch, weight, reduction, mass=None):
    """PyTorch's loss with a weight per item, which it does not take. A mean divides by the mass of the items."""
    if weight is None:
        return pytorch(reduction)
    loss = pytorch("none")
    return reduced_rows(loss, weight, reduction, torch.ones_like(loss) if mass is None else mass)


def reduced_rows(loss, weight, reduction, mass):
    weight = torch.ones_like(loss) if weight is None else weight
    loss = weight * loss
    divisors = {"sum": 1, "mean": mass.sum(), "weighted_mean": (mass * weight).sum(), "batch_mean": len(loss)}
    return loss if reduction == "none" else loss.sum() / divisors[reduction]


def mass_of(target, class_weight, ignore_index):
    """The weight of each row's class; 0 for a row that is ignored."""
    class_weight = torch.ones(CLASSES, dtype=torch.float64) if class_weight is None else class_weight
    return torch.where(target == ignore_index, 0, class_weight[torch.where(target == ignore_index, 0, target)])


def cosine_embedding(x1, x2, label, *, weight=None, reduction, margin=0.0):
    def pytorch(reduction):
        return F.cosine_embedding_loss(x1, x2, label, margin=margin, reduction=reduction)

    return by_item(pytorch, weight, reduction)


def triplet_margin(
    anchor, positive, negative, *, weight=None, reduction, margin=1.0, distance="euclidean", swap=False, eps=PAIR_EPS
):
    distances = {
        "squared_euclidean": lambda a, b: ((a - b) ** 2).sum(1),
        "cosine": lambda a, b: 1 - F.cosine_similarity(a, b),
    }

    def pytorch(reduction):
        options = {"margin": margin, "swap": swap, "reduction": reduction}
        if distance == "euclidean":
            return F.triplet_margin_loss(anchor, positive, negative, eps=eps, **options)
        options |= {"distance_function": distances[distance]}
        return F.triplet_margin_with_distance_loss(anchor, positive, negative, **options)

    return by_item(pytorch, weight, reduction)


# What PyTorch lacks, in its operations.


def contrastive(x1, x2, label, *, weight=None, reduction, margin=1.0, factor=0.5, eps=PAIR_EPS):
    d = F.pairwise_distance(x1, x2, eps=eps)
    loss = factor * (label * d**2 + (1 - label) * (margin - d).clamp(min=0) ** 2)
    return reduced_rows(loss, weight, reduction, torch.ones_like(loss))


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


def cross_entropy(
    logits,
    target,
    *,
    class_weight=None,
    weight=None,
    reduction,
    label_smoothing=0.0,
    smoothing="uniform",
    ignore_index=-100,
    z_loss=0.0,
    softcap=0.0,
    class_offset=None,
    entropy_bonus=0.0,
):
    """PyTorch's own but for smoothing over the others, the z-term, the softcap, offsets, the bonus and item weights."""

    def pytorch(reduction):
        options = {"weight": class_weight, "label_smoothing": label_smoothing, "ignore_index": ignore_index}
        return F.cross_entropy(logits, target, reduction=reduction, **options)

    if smoothing == "uniform" and z_loss == softcap == entropy_bonus == 0 and weight is None and class_offset is None:
        return pytorch(reduction)
    if softcap > 0:
        logits = softcap * torch.tanh(logits / softcap)
    if class_offset is not None:
        logits = logits + class_offset.view(-1, *[1] * (logits.dim() - 2))
    counts = target != ignore_index
    if smoothing == "others":
        one_hot = F.one_hot(torch.where(counts, target, 0), CLASSES).movedim(-1, 1)
        share = label_smoothing / (CLASSES - 1)
        probabilities = one_hot * (1 - label_smoothing) + (1 - one_hot) * share
        loss = F.cross_entropy(logits, probabilities, class_weight, reduction="none")
    else:
        loss = pytorch("none")
    loss = loss + z_loss * torch.logsumexp(logits, 1) ** 2
    if entropy_bonus != 0:
        loss = loss - entropy_bonus * torch.distributions.Categorical(logits=logits.movedim(1, -1)).entropy()
    loss = torch.where(counts, loss, 0)
    return reduced_rows(loss, weight, reduction, mass_of(target, class_weight, ignore_index))


def focal(logits, target, *, class_weight=None, weight=None, reduction, alpha=0.25, gamma=2.0, ignore_index=-100):
    counts = target != ignore_index
    ln_p = -F.cross_entropy(logits, target, ignore_index=ignore_index, reduction="none")
    factor = alpha * mass_of(target, class_weight, ignore_index)
    # An ignored row's ln p of 0 would have the gradient of a power of 0.
    miss = torch.where(counts, -torch.expm1(torch.where(counts, ln_p, -1)), 1)
    return reduced_rows(factor * miss**gamma * -ln_p, weight, reduction, counts.double())


def distillation(
    logits,
    teacher_logits,
    target=None,
    *,
    weight=None,
    reduction,
    temperature=1.0,
    divergence="forward",
    ignore_index=-100,
):
    ln_q, ln_p = F.log_softmax(logits / temperature, 1), F.log_softmax(teacher_logits / temperature, 1)

    def kl(ln_p, ln_q):
        return F.kl_div(ln_q, ln_p, reduction="none", log_target=True).sum(1)

    def between():
        ln_m = torch.logaddexp(ln_p, ln_q) - math.log(2)
        return (kl(ln_p, ln_m) + kl(ln_q, ln_m)) / 2

    divergences = {"forward": lambda: kl(ln_p, ln_q), "reverse": lambda: kl(ln_q, ln_p), "jensen_shannon": between}
    loss = temperature**2 * divergences[divergence]()
    counts = torch.ones_like(loss) if target is None else (target != ignore_index).double()
    return reduced_rows(counts * loss, weight, reduction, counts)


def jensen_shannon(
    logits,
    teacher_logits,
    target=None,
    *,
    weight=None,
    reduction,
    beta=0.5,
    temperature=1.0,
    scale_by_t2=False,
    ignore_index=-100,
):
    ln_q, ln_p = F.log_softmax(logits / temperature, 1), F.log_softmax(teacher_logits / temperature, 1)
    loss = mixed_divergence(ln_p, ln_q, beta) * (temperature**2 if scale_by_t2 else 1)
    counts = torch.ones_like(loss) if target is None else (target != ignore_index).double()
    return reduced_rows(counts * loss, weight, reduction, counts)


def mixed_divergence(ln_p, ln_q, beta):
    def kl(ln_p, ln_q):
        return F.kl_div(ln_q, ln_p, reduction="none", log_target=True).sum(1)

    if beta == 0:
        return kl(ln_p, ln_q)
    if beta == 1:
        return kl(ln_q, ln_p)
    ln_m = torch.log(beta * ln_p.exp() + (1 - beta) * ln_q.exp())
    return beta * kl(ln_p, ln_m) + (1 - beta) * kl(ln_q, ln_m)


def jensen_shannon_top_k(
    logits,
    teacher_indices,
    teacher_log_probs,
    target=None,
    *,
    weight=None,
    reduction,
    beta=0.5,
    temperature=1.0,
    scale_by_t2=False,
    tail="renormalize",
    ignore_index=-100,
):
    given = teacher_indices.long()
    ln_q, ln_p = F.log_softmax(logits / temperature, 1).gather(1, given), teacher_log_probs
    if tail == "bucket":
        ln_q, ln_p = (torch.cat([x, torch.log1p(-x.exp().sum(1, keepdim=True))], 1) for x in (ln_q, ln_p))
    else:
        ln_q, ln_p = (F.log_softmax(x, 1) for x in (ln_q, ln_p))
    loss = mixed_divergence(ln_p, ln_q, beta) * (temperature**2 if scale_by_t2 else 1)
    counts = torch.ones_like(loss) if target is None else (target != ignore_index).double()
    return reduced_rows(counts * loss, weight, reduction, counts)


def total_variation(logits, teacher_logits, *, weight=None, reduction, temperature=1.0):
    p, q = (F.softmax(x / temperature, 1) for x in (teacher_logits, logits))
    loss = (p - q).abs().sum(1) / 2
    return reduced_rows(loss, weight, reduction, torch.ones_like(loss))


def log_sum_exp(logits, *, weight=None, reduction):
    loss = torch.logsumexp(logits, 1)
    return reduced_rows(loss, weight, reduction, torch.ones_like(loss))


def softmax(logits, *, reduction):
    assert reduction == "none"
    return F.softmax(logits, 1)


def log_softmax(logits, *, reduction):
    assert reduction == "none"
    return F.log_softmax(logits, 1)


# Losses of regions: MONAI's own where it has them, in float64, and the rest in PyTorch's operations.


def of_regions(formula):
    """A loss from the sums I, P and T of every score."""

    def loss(
        prediction,
        target,
        *,
        class_weight=None,
        reduction,
        activation="none",
        smooth=1.0,
        scope="all",
        include_background=True,
        squared=False,
        ignore_index=-100,
        **params,
    ):
        samples, channels = prediction.shape[:2]
        p = activated(prediction, activation)
        t, counts = as_values(target, channels, ignore_index)
        power, first = 2 if squared else 1, 0 if include_background else 1
        parts = torch.where(counts, torch.stack([p * t, p**power, t**power]), 0)
        parts = parts.reshape(3, samples, channels, -1).sum(-1)[:, :, first:]
        weight = torch.ones(channels, dtype=torch.float64) if class_weight is None else class_weight
        weight = weight[first:].expand(samples, -1)
        if scope in ("all", "sample"):
            parts, weight = (weight * parts).sum(2), torch.ones(samples, dtype=torch.float64)
        if scope in ("all", "class"):
            parts, weight = parts.sum(1), weight[0]
        losses = weight * formula(*parts, smooth, **params)
        divisors = {"sum": 1, "mean": losses.numel(), "weighted_mean": weight.sum(), "batch_mean": samples}
        return losses if reduction == "none" else losses.sum() / divisors[reduction]

    return loss


def activated(prediction, activation):
    activations = {"none": lambda x: x, "sigmoid": torch.sigmoid, "softmax": lambda x: torch.softmax(x, 1)}
    return activations[activation](prediction)


def as_values(target, channels, ignore_index=-100):
    """The target as a value for each class, and where pixels count."""
    if target.is_floating_point():
        return target, torch.ones((), dtype=torch.bool)
    counts = target != ignore_index
    return F.one_hot(torch.where(counts, target, 0), channels).movedim(-1, 1).double(), counts.unsqueeze(1)


def dice_of(i, p, t, s):
    return 1 - (2 * i + s) / (p + t + s)


def tversky_of(i, p, t, s, alpha=0.5, beta=0.5):
    return 1 - (i + s) / (i + alpha * (p - i) + beta * (t - i) + s)


def focal_tversky_of(*sums, exponent=0.75, **weights):
    return tversky_of(*sums, **weights) ** exponent


def jaccard_of(i, p, t, s):
    return 1 - (i + s) / (p + t - i + s)


dice, tversky, focal_tversky, jaccard = map(of_regions, (dice_of, tversky_of, focal_tversky_of, jaccard_of))


def monai(loss, **fixed):
    """MONAI's loss. It has the scopes of classes; for those of all classes they become places of one class."""

    def function(
        prediction,
        target,
        *,
        class_weight=None,
        reduction,
        activation="none",
        smooth=1.0,
        scope="all",
        include_background=True,
        **params,
    ):
        # Indices would become values of float32.
        target = as_values(target, prediction.shape[1])[0]
        if scope in ("all", "sample"):
            first = 0 if include_background else 1
            prediction, target = activated(prediction, activation)[:, first:], target[:, first:]
            prediction, target = prediction.flatten(1).unsqueeze(1), target.flatten(1).unsqueeze(1)
            activation, include_background = "none", True
        # MONAI's ratio of a jaccard is that of twice each sum.
        smooth = 2 * smooth if fixed.get("jaccard") else smooth
        params |= {"smooth_nr": smooth, "smooth_dr": smooth, "include_background": include_background}
        if activation != "none":
            params |= {activation: True}
        if class_weight is not None:
            params |= {"weight": class_weight if include_background else class_weight[1:]}
        found = loss(batch=scope in ("all", "class"), reduction=reduction, **fixed, **params)(prediction, target)
        return found.squeeze() if reduction == "none" else found

    return function


def generalized_dice(prediction, target, *, class_weight, reduction, activation, smooth):
    """MONAI's, whose weights come from the target: `class_weight` must be what they are."""
    target = as_values(target, prediction.shape[1])[0]
    assert torch.equal(class_weight, 1 / target.sum((0, 2)) ** 2)
    options = {activation: True, "smooth_nr": smooth, "smooth_dr": smooth, "batch": True}
    return GeneralizedDiceLoss(reduction=reduction, **options)(prediction, target).squeeze()


def monai_ce_dice(
    prediction,
    target,
    *,
    class_weight=None,
    reduction,
    ce_weight=0.5,
    dice_weight=0.5,
    smooth=1.0,
    scope="class",
    activation="softmax",
    **params,
):
    params |= {activation: True, "lambda_ce": ce_weight, "lambda_dice": dice_weight, "smooth_nr": smooth, "smooth_dr": smooth}
    params |= {"batch": {"class": True, "sample_class": False}[scope]}
    if not target.is_floating_point():
        target = target.unsqueeze(1)
        params |= {"to_onehot_y": True}
    return DiceCELoss(weight=class_weight, reduction=reduction, **params)(prediction, target)


def of_each_class(loss, logits, target, *, class_weight=None, reduction, ignore_index=-100):
    """The mean or the sum over pixels and classes of a loss of each by itself."""
    target, counts = as_values(target, logits.shape[1], ignore_index)
    weight = torch.ones(logits.shape[1]) if class_weight is None else class_weight
    losses = loss(logits, target).movedim(1, -1) * weight
    return reduced(losses[counts.expand_as(logits).movedim(1, -1)], reduction)


def ce_dice(
    prediction,
    target,
    *,
    ce_weight=0.5,
    dice_weight=0.5,
    squared=False,
    scope="class",
    activation="softmax",
    **options,
):
    """MONAI's loss with what it lacks: sigmoids of several classes, pixels to ignore, two scopes, squares of indices."""
    # The parameters of dice besides those of both.
    alone = {name: options.pop(name) for name in ("smooth", "include_background") if name in options}
    if activation == "sigmoid":
        entropy = of_each_class(partial(F.binary_cross_entropy_with_logits, reduction="none"), prediction, target, **options)
    elif target.is_floating_point():
        entropy = cross_entropy_soft(prediction, target, **options)
    else:
        entropy = cross_entropy(prediction, target, **options)
    overlap = dice(prediction, target, activation=activation, scope=scope, squared=squared, **alone, **options)
    return ce_weight * entropy + dice_weight * overlap


def focal_dice(
    prediction,
    target,
    *,
    focal_weight=0.5,
    dice_weight=0.5,
    alpha=0.25,
    gamma=2.0,
    scope="class",
    activation="softmax",
    focal_form="softmax",
    **options,
):
    alone = {name: options.pop(name) for name in ("smooth", "include_background", "squared") if name in options}
    if "sigmoid" in (activation, focal_form):
        each = partial(sigmoid_focal_loss, alpha=alpha, gamma=gamma, reduction="none")
        pixels = of_each_class(each, prediction, target, **options)
    else:
        pixels = focal_soft if target.is_floating_point() else focal
        pixels = pixels(prediction, target, alpha=alpha, gamma=gamma, **options)
    overlap = dice(prediction, target, activation=activation, scope=scope, **alone, **options)
    return focal_weight * pixels + dice_weight * overlap


def monai_focal_dice(prediction, target, *, reduction, class_weight=None, **options):
    """`focal_dice`, where it is MONAI's: that has its focal loss in float32, and agrees to as many digits."""
    found = focal_dice(prediction, target, reduction=reduction, class_weight=class_weight, **options)
    settings = {"focal_weight": 0.5, "dice_weight": 0.5, "alpha": 0.25, "gamma": 2.0, "scope": "class"} | options
    loss = DiceFocalLoss(
        weight=class_weight,
        reduction=reduction,
        batch={"class": True, "sample_class": False}[settings["scope"]],
        lambda_focal=settings["focal_weight"],
        lambda_dice=settings["dice_weight"],
        alpha=settings["alpha"],
        gamma=settings["gamma"],
        smooth_nr=1.0,
        smooth_dr=1.0,
        **{settings.get("activation", "softmax"): True},
    )
    # Indices would become values of float32.
    expected = loss(prediction, as_values(target, prediction.shape[1])[0])
    assert torch.isclose(found, expected, rtol=1e-6, atol=0), (found, expected)
    return found


def focal_soft(logits, target, *, class_weight=None, reduction, alpha, gamma):
    assert reduction == "mean"
    ln_p = F.log_softmax(logits, 1)
    weight = torch.ones(logits.shape[1]) if class_weight is None else class_weight
    loss = alpha * weight * (target * (-torch.expm1(ln_p)) ** gamma * -ln_p).movedim(1, -1)
    return loss.sum(-1).mean()


def iou_of(prediction, target, eps):
    inner = torch.min(prediction[:, 2:], target[:, 2:]) - torch.max(prediction[:, :2], target[:, :2])
    intersection = torch.where((inner > 0).all(1), inner.prod(1), 0)
    area = [(corners[:, 2:] - corners[:, :2]).prod(1) for corners in (prediction, target)]
    return intersection / (area[0] + area[1] - intersection + eps)


def iou(prediction, target, *, weight=None, reduction, eps=EPS):
    return by_item(lambda reduction: reduced(1 - iou_of(prediction, target, eps), reduction), weight, reduction)


def giou(prediction, target, *, weight=None, reduction, eps=EPS):
    return by_item(lambda reduction: generalized_box_iou_loss(prediction, target, reduction, eps), weight, reduction)


def diou(prediction, target, *, weight=None, reduction, eps=EPS):
    return by_item(lambda reduction: distance_box_iou_loss(prediction, target, reduction, eps), weight, reduction)


def ciou(prediction, target, *, weight=None, reduction, eps=EPS):
    """torchvision's has eps in the divisor of alpha alone, and 1e-7 in those of the distance loss."""

    def angle(corners):
        width, height = (corners[:, 2:] - corners[:, :2]).unbind(1)
        return torch.atan(width / (height + eps))

    v = 4 / math.pi**2 * (angle(target) - angle(prediction)) ** 2
    alpha = (v / (1 - iou_of(prediction, target, eps) + v + eps)).detach()
    loss = distance_box_iou_loss(prediction, target, eps=eps) + alpha * v
    if eps == EPS:
        torch.testing.assert_close(loss, complete_box_iou_loss(prediction, target), rtol=1e-6, atol=0)
    return by_item(lambda reduction: reduced(loss, reduction), weight, reduction)


# Losses of a whole batch: pytorch-metric-learning's where the definitions meet, and similarity matrices in PyTorch's operations.


METRICS = {
    "euclidean": distances.LpDistance(normalize_embeddings=False),
    "squared_euclidean": distances.LpDistance(normalize_embeddings=False, power=2),
    # A similarity, and so 1 − itself: margins are the same.
    "cosine": distances.CosineSimilarity(),
}


def reduced_items(loss, weight, reduction, counted):
    """Of items that are 0 where they do not count."""
    weight = torch.ones_like(loss) if weight is None else weight
    divisors = {"sum": 1, "mean": counted.sum(), "weighted_mean": (counted * weight).sum()}
    loss = torch.where(counted, weight * loss, 0)
    return loss if reduction == "none" else loss.sum() / divisors[reduction]


def triplet_losses(embeddings, labels, triplets, **options):
    """The loss of each of the triplets, or of all."""
    loss = TripletMarginLoss(triplets_per_anchor="all", reducer=reducers.DoNothingReducer(), **options)
    return loss(embeddings, labels, triplets)["loss"]


def triplet_batch_hard(
    embeddings, labels, *, weight=None, reduction, margin=1.0, distance="euclidean", soft_margin=False
):
    hardest = BatchHardMiner(distance=METRICS[distance])(embeddings.detach(), labels)
    options = {"margin": 0 if soft_margin else margin, "smooth_loss": soft_margin}
    found = triplet_losses(embeddings, labels, hardest, distance=METRICS[distance], **options)
    counted = torch.zeros(len(labels), dtype=torch.bool).index_fill(0, hardest[0], True)
    losses = torch.zeros(len(labels), dtype=torch.float64).index_put((hardest[0],), found["losses"])
    return reduced_items(losses, weight, reduction, counted)


def distance_matrix(embeddings, distance):
    matrix = METRICS[distance](embeddings)
    return 1 - matrix if distance == "cosine" else matrix


def triplet_semi_hard(embeddings, labels, *, reduction, margin=1.0, distance="euclidean", fallback="none"):
    d = distance_matrix(embeddings, distance)
    losses = []
    for a, p in ((labels[:, None] == labels) & ~torch.eye(len(labels), dtype=torch.bool)).nonzero():
        negatives = d[a][labels != labels[a]]
        farther = negatives[negatives > d[a, p]]
        if len(farther) > 0:
            losses.append(F.relu(d[a, p] - farther.min() + margin))
        elif fallback == "farthest":
            losses.append(F.relu(d[a, p] - negatives.max() + margin))
    return reduced(torch.stack(losses), reduction)


def triplet_batch_all(
    embeddings, labels, *, reduction, margin=1.0, distance="euclidean", triplets="all", average="active"
):
    metric, selected = METRICS[distance], None
    if triplets != "all":
        miner = TripletMarginMiner(margin=margin, type_of_triplets=triplets.replace("_", ""), distance=metric)
        selected = miner(embeddings.detach(), labels)
    if reduction == "mean" and average == "active":
        loss = TripletMarginLoss(margin, distance=metric, reducer=reducers.AvgNonZeroReducer())
        return loss(embeddings, labels, selected)
    return reduced(triplet_losses(embeddings, labels, selected, margin=margin, distance=metric)["losses"], reduction)


# The default of the others.
TEMPERATURE = exact(0.07).item()

# Of rows that have been brought to unit length, or are too short for that.
AS_GIVEN = distances.DotProductSimilarity(normalize_embeddings=False)


def info_nce(query, key, *, weight=None, reduction, temperature=TEMPERATURE, normalize=True, norm_eps=1e-12):
    q, k = (F.normalize(x, eps=norm_eps) if normalize else x for x in (query, key))
    loss = F.cross_entropy(q @ k.T / temperature, torch.arange(len(q)), reduction="none")
    return reduced_rows(loss, weight, reduction, torch.ones_like(loss))


def clip(query, key, logit_scale, *, weight=None, reduction, norm_eps=1e-12):
    """open_clip's ClipLoss."""
    q, k = F.normalize(query, eps=norm_eps), F.normalize(key, eps=norm_eps)
    logits_per_query, labels = logit_scale.exp() * q @ k.T, torch.arange(len(q))
    loss = sum(F.cross_entropy(logits, labels, reduction="none") for logits in (logits_per_query, logits_per_query.T)) / 2
    return reduced_rows(loss, weight, reduction, torch.ones_like(loss))


def nt_xent(z_i, z_j, *, weight=None, reduction, temperature=0.5, norm_eps=1e-12):
    labels, rows = torch.arange(len(z_i)).repeat(2), F.normalize(torch.cat([z_i, z_j]), eps=norm_eps)
    loss = NTXentLoss(temperature, distance=AS_GIVEN, reducer=reducers.DoNothingReducer())
    losses = loss(rows, labels)["loss"]
    # Of pairs in the order of their anchors, one each.
    assert torch.equal(losses["indices"][0], torch.arange(len(labels)))
    return reduced_items(losses["losses"], weight, reduction, torch.ones(len(labels), dtype=torch.bool))


def sup_con(embeddings, labels, *, weight=None, reduction, temperature=TEMPERATURE, norm_eps=1e-12):
    rows = F.normalize(embeddings, eps=norm_eps)
    if reduction == "mean" and weight is None:
        return SupConLoss(temperature, distance=AS_GIVEN)(rows, labels)
    loss = SupConLoss(temperature, distance=AS_GIVEN, reducer=reducers.DoNothingReducer())
    losses = loss(rows, labels)["loss"]["losses"]
    counted = (labels[:, None] == labels).sum(1) > 1
    return reduced_items(losses, weight, reduction, counted)


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
    kl = PLAIN | {"batch_mean": "batchmean"}

    return [
        Cases("bce", F.binary_cross_entropy, probabilities, weighted=PLAIN),
        Cases(
            "bce_with_logits",
            bce_with_logits,
            {"logits": logits, "target": soft},
            [{}, {"pos_weight": 3.0}, {"label_smoothing": 0.1}, {"pos_weight": 0.4, "label_smoothing": 0.2}],
            weighted=PLAIN,
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
    matrix = (ROWS, CLASSES)
    logits = normal(2.0, matrix)
    hard = {"logits": logits, "target": classes(-100, -100)}
    second_ignored = {"logits": logits, "target": classes(2, 2)}
    class_weight = {"class_weight": uniform(0.25, 2, CLASSES)}
    weight = {"weight": uniform(0.25, 2, ROWS)}
    volume = normal(2.0, VOLUME)
    volume_target = torch.from_numpy(rng.integers(0, CLASSES, size=(VOLUME[0], VOLUME[2])))
    volume_target[1, 1] = -100
    hard_volume = {"logits": volume, "target": volume_target}
    # Other classes are masked in the first and the third row, and the target in the second.
    masked = {"logits": logits.clone(), "target": torch.tensor([0, 1, 2, 3, 4, 0])}
    masked["logits"][[0, 1, 2, 2], [4, 1, 0, 1]] = -math.inf

    smoothed = {"label_smoothing": 0.1}
    others = {"label_smoothing": 0.3, "smoothing": "others"}
    bounded = {"z_loss": 0.01, "softcap": 2.5}
    cross_entropies = [
        Cases("cross_entropy", cross_entropy, hard),
        Cases("cross_entropy", cross_entropy, second_ignored, [{"ignore_index": 2}]),
        Cases(
            "cross_entropy",
            cross_entropy,
            hard,
            [smoothed, others, {"z_loss": 0.01}, {"softcap": 2.5}, smoothed | bounded, others | bounded],
        ),
        Cases(
            "cross_entropy",
            cross_entropy,
            hard | class_weight,
            [{}, smoothed, others, bounded, smoothed | bounded, others | bounded],
        ),
        Cases("cross_entropy", cross_entropy, second_ignored | class_weight, [smoothed | {"ignore_index": 2}]),
        Cases("cross_entropy", cross_entropy, hard | weight, [{}, smoothed], WEIGHTED),
        Cases("cross_entropy", cross_entropy, hard | class_weight | weight, [{}, smoothed, others | bounded], WEIGHTED),
        Cases("cross_entropy", cross_entropy, hard_volume | class_weight, [{}, smoothed, others], label="volume"),
        Cases("cross_entropy", cross_entropy, masked, reductions=NONE, label="masked"),
    ]

    def probabilities(logits):
        return torch.softmax(logits, 1).float().double()

    soft = {"logits": logits, "target_probabilities": probabilities(normal(2.0, matrix))}
    soft["target_probabilities"][0] = torch.eye(CLASSES)[3]
    soft_volume = {"logits": volume, "target_probabilities": probabilities(normal(2.0, VOLUME))}
    ln_p = {"log_probabilities": F.log_softmax(logits, 1).float().double(), "target": hard["target"]}
    ln_p_volume = {"log_probabilities": F.log_softmax(volume, 1).float().double(), "target": volume_target}
    # PyTorch's multi_margin ignores no row.
    every_row = {"logits": logits, "target": masked["target"]}
    labels = {"logits": logits, "target_probabilities": choice([0, 1, 0, 1, 0.25, 0.75], matrix)}
    pair = {"logits": logits, "teacher_logits": normal(2.0, matrix)}
    tempered = [
        {"divergence": divergence, "temperature": temperature}
        for divergence in ("reverse", "jensen_shannon")
        for temperature in (1.0, 2.5)
    ]
    mixtures = [
        {},
        {"beta": 0.0},
        {"beta": 1.0},
        {"beta": 0.125, "temperature": 2.5},
        {"beta": 0.75, "temperature": 2.5, "scale_by_t2": True},
    ]
    # Three of five classes a row, in any order; the teacher leaves a part of 1. Draws of their own, so that those of other
    # families stay as they are.
    draws = np.random.default_rng(7)
    teacher = F.log_softmax(exact(draws.normal(scale=2.0, size=(ROWS, 4))), 1)
    top_k = {
        "logits": logits,
        "teacher_indices": torch.from_numpy(np.stack([draws.permutation(CLASSES)[:3] for _ in range(ROWS)])),
        "teacher_log_probs": teacher[:, :3].float().double(),
    }
    tails = [mixture | {"tail": tail} for tail in ("renormalize", "bucket") for mixture in mixtures]
    spread = {"entropy_bonus": 0.25}
    offset = {"class_offset": torch.tensor([0.5, -1.25, 2.0, -0.75, 0.0]).double()}
    focuses = [{}, {"gamma": 0.0, "alpha": 1.0}, {"gamma": 0.5}, {"gamma": 1.0}, {"gamma": 3.5}]
    return [
        *cross_entropies,
        *of_weights("cross_entropy_soft", cross_entropy_soft, soft, class_weight, weight, [{}, smoothed]),
        Cases("cross_entropy_soft", cross_entropy_soft, soft_volume | class_weight, [{}, smoothed], label="volume"),
        *of_weights("focal", focal, hard, class_weight, weight, focuses),
        Cases("focal", focal, second_ignored, [{"ignore_index": 2}]),
        *of_weights("nll", nll, ln_p, class_weight, weight, [{}]),
        Cases("nll", nll, ln_p_volume | class_weight, label="volume"),
        Cases("nll", nll, {**ln_p, "target": second_ignored["target"]}, [{"ignore_index": 2}]),
        Cases("distillation", distillation, pair, [{}, {"temperature": 2.5}, *tempered], BATCHED),
        Cases("distillation", distillation, pair | weight, [{}], WEIGHTED),
        Cases(
            "distillation",
            distillation,
            {"logits": volume, "teacher_logits": normal(2.0, VOLUME)},
            label="volume",
        ),
        *of_weights(
            "multi_margin",
            multi_margin,
            every_row,
            class_weight,
            weight,
            [{}, {"margin": 0.3}, {"p": 2}, {"margin": -0.5, "p": 2}],
        ),
        Cases("multi_margin", multi_margin, second_ignored | class_weight, [{"ignore_index": 2}]),
        Cases(
            "distillation", distillation, pair | {"target": second_ignored["target"]} | weight, [{"ignore_index": 2}]
        ),
        *of_weights("multilabel_soft_margin", multilabel_soft_margin, labels, class_weight, weight, [{}]),
        Cases("cross_entropy", cross_entropy, hard | offset, [{}, {"softcap": 2.5}, smoothed | spread]),
        Cases("cross_entropy", cross_entropy, hard | class_weight, [spread, others | {"entropy_bonus": -0.25}]),
        Cases("cross_entropy", cross_entropy, hard_volume | offset, [spread], label="volume"),
        Cases("jensen_shannon", jensen_shannon, pair, mixtures, BATCHED),
        Cases("jensen_shannon", jensen_shannon, pair | weight, [{"beta": 0.25}], WEIGHTED),
        Cases("jensen_shannon", jensen_shannon, pair | {"target": second_ignored["target"]}, [{"ignore_index": 2}]),
        Cases("jensen_shannon_top_k", jensen_shannon_top_k, top_k, tails, BATCHED),
        Cases("jensen_shannon_top_k", jensen_shannon_top_k, top_k | weight, [{"tail": "bucket"}], WEIGHTED),
        Cases(
            "jensen_shannon_top_k",
            jensen_shannon_top_k,
            top_k | {"target": second_ignored["target"]},
            [{"ignore_index": 2, "tail": "bucket"}],
        ),
        Cases("total_variation", total_variation, pair, [{}, {"temperature": 2.5}], BATCHED),
        Cases("total_variation", total_variation, pair | weight, [{}], WEIGHTED),
    ]


def of_weights(loss, function, inputs, class_weight, weight, settings):
    """Every setting with and without class weights, and the defaults with weights per item too."""
    yield Cases(loss, function, inputs, settings)
    yield Cases(loss, function, inputs | class_weight, settings)
    yield Cases(loss, function, inputs | weight, reductions=WEIGHTED)
    yield Cases(loss, function, inputs | class_weight | weight, settings[-1:], WEIGHTED)


def rows():
    matrix = {"logits": normal(2.0, (ROWS, CLASSES))}
    matrix["logits"][0, 1] = -math.inf
    volume = {"logits": normal(2.0, VOLUME)}
    weight = {"weight": uniform(0.25, 2, ROWS)}
    with_upstream = matrix | {"upstream": normal(1.0, (ROWS, CLASSES))}
    volume_with_upstream = volume | {"upstream": normal(1.0, VOLUME)}
    functions = [("softmax", softmax), ("log_softmax", log_softmax)]
    return [
        Cases("log_sum_exp", log_sum_exp, matrix, reductions=BATCHED),
        Cases("log_sum_exp", log_sum_exp, matrix | weight, reductions=WEIGHTED),
        Cases("log_sum_exp", log_sum_exp, volume, label="volume"),
        *(Cases(name, function, with_upstream, reductions=NONE) for name, function in functions),
        *(Cases(name, function, volume_with_upstream, reductions=NONE, label="volume") for name, function in functions),
    ]


def segmentation():
    # Draws of their own, so that those of other families stay as they are.
    draws = np.random.default_rng(6)
    flat, volume = (2, 3, 4), (2, 3, 2, 1, 3)

    def drawn(activation, indices, shape=flat):
        prediction = draws.uniform(0.02, 0.98, shape) if activation == "none" else draws.normal(size=shape)
        if indices:
            target = torch.from_numpy(draws.integers(0, shape[1], size=(shape[0], *shape[2:])))
        else:
            target = exact(draws.choice([0, 1, 0, 1, 0.25, 0.7], size=shape))
        return {"prediction": exact(prediction), "target": target}

    def ignoring(index, activation):
        inputs = drawn(activation, True)
        inputs["target"][:, 1::3] = index
        return inputs

    class_weight = {"class_weight": exact([0.5, 2.0, 1.25])}
    activations, scopes = ("none", "sigmoid", "softmax"), ("all", "class", "sample_class", "sample")
    forms = [("indices", True), ("values", False)]
    pairs = [("softmax", "indices", True), ("sigmoid", "values", False), ("none", "indices", True)]
    asymmetric = {"alpha": 0.3, "beta": 0.8}
    scored = [
        ("dice", dice, monai(DiceLoss), {}),
        ("tversky", tversky, monai(TverskyLoss), asymmetric),
        ("focal_tversky", focal_tversky, None, asymmetric | {"exponent": 1.3}),
        ("jaccard", jaccard, monai(DiceLoss, jaccard=True), {}),
    ]
    for name, function, monais, params in scored:
        for activation in activations:
            for form, indices in forms:
                inputs = drawn(activation, indices)
                settings = [
                    {"activation": activation, "scope": scope} | background
                    for scope in scopes
                    for background in ({}, {"include_background": False})
                ]
                yield Cases(name, monais or function, inputs, settings, NONE, label=form)
        for activation, form, indices in pairs:
            by_scope = [{"activation": activation, "scope": scope} for scope in scopes]
            inputs = drawn(activation, indices)
            options = [{"squared": True}, {"smooth": 0.0}, {"smooth": 0.3} | params]
            yield Cases(name, function, inputs, [by_scope[2] | more for more in options], NONE, label=form)
            yield Cases(name, function, inputs | class_weight, by_scope[::2], NONE, label=form)
            if name in ("dice", "jaccard"):
                weighted = [scope | {"include_background": False} for scope in by_scope[1:3]]
                yield Cases(name, monais, inputs | class_weight, weighted, label=form)
            deep = drawn(activation, indices, volume)
            yield Cases(name, function, deep, by_scope[1:2], NONE, label=f"volume {form}")
            yield Cases(name, function, ignoring(-100, activation), by_scope[1::2], NONE, label="ignoring")
        inputs = drawn("softmax", True) | class_weight
        every = [{"activation": "softmax", "scope": scope} for scope in scopes[:2]]
        yield Cases(name, function, inputs, every, WEIGHTED | BATCHED, label="reduced")
        ignored = {"activation": "softmax", "ignore_index": 2}
        yield Cases(name, function, ignoring(2, "softmax"), [ignored], NONE, label="ignoring")

    sized = drawn("softmax", True, (2, 3, 7))
    sized["target"] = torch.tensor([[0, 1, 0, 2, 0, 0, 1], [1, 0, 0, 2, 0, 1, 0]])
    sized["class_weight"] = exact([1 / 64, 1 / 16, 1 / 4])
    generalized = [{"activation": activation, "smooth": 0.3} for activation in ("sigmoid", "softmax")]
    yield Cases("dice", generalized_dice, sized, generalized, label="generalized")

    mean = {"mean": "mean"}
    both = [
        ("ce_dice", ce_dice, monai_ce_dice, {"ce_weight": 0.3, "dice_weight": 1.4}),
        ("focal_dice", focal_dice, None, {"focal_weight": 1.5, "dice_weight": 0.3, "alpha": 0.6, "gamma": 0.5}),
    ]
    for name, function, monais, params in both:
        for form, indices in forms:
            inputs = drawn("softmax", indices)
            yield Cases(name, function, inputs, [{"squared": True}], mean, label=form)
            for given in (inputs, inputs | class_weight):
                settings = [{}, {"smooth": 0.0}, {"include_background": False}, params]
                yield Cases(name, monais or function, given, settings, mean, label=form)
            yield Cases(name, function, drawn("softmax", indices, volume), reductions=mean, label=f"volume {form}")
        yield Cases(name, function, ignoring(-100, "softmax") | class_weight, reductions=mean, label="ignoring")
        yield Cases(name, function, ignoring(2, "softmax"), [{"ignore_index": 2}], mean, label="ignoring")

    for name, function, monais, _ in both:
        for form, indices in forms:
            inputs = drawn("softmax", indices) | class_weight
            by_sample = [{"scope": "sample_class"}, {"scope": "sample_class", "include_background": False}]
            yield Cases(name, monais or function, inputs, by_sample, mean, label=f"scope {form}")
            yield Cases(name, function, inputs, [{"scope": "all"}, {"scope": "sample"}], mean, label=f"scope {form}")

    masks = exact(draws.choice([0, 1], size=flat))
    for name, function, monais, params in both:
        sigmoid = {"activation": "sigmoid"}
        for form, indices in forms:
            inputs = drawn("sigmoid", indices)
            settings = [sigmoid, sigmoid | params, sigmoid | {"scope": "sample", "include_background": False}]
            for given in (inputs, inputs | class_weight):
                yield Cases(name, function, given, settings, mean, label=f"sigmoid {form}")
        yield Cases(name, function, ignoring(-100, "sigmoid") | class_weight, [sigmoid], mean, label="sigmoid ignoring")
        if name == "ce_dice":
            # MONAI takes the sigmoid's cross-entropy of a single class.
            inputs = drawn("sigmoid", False, (2, 1, 5))
            yield Cases(name, monais, inputs, [sigmoid, sigmoid | params], mean, label="sigmoid alone")
    inputs = drawn("sigmoid", True)
    monais = [("indices", inputs), ("indices", inputs | class_weight), ("masks", inputs | {"target": masks})]
    for form, given in monais:
        sigmoids = [{"focal_form": "sigmoid"}, {"activation": "sigmoid"}, {"focal_form": "sigmoid", "scope": "sample_class"}]
        settings = [sigmoid | more for sigmoid in sigmoids for more in ({}, both[1][3])]
        yield Cases("focal_dice", monai_focal_dice, given, settings, mean, label=f"monai {form}")
    soft = drawn("sigmoid", False) | class_weight
    yield Cases("focal_dice", focal_dice, soft, [{"focal_form": "sigmoid"}], mean, label="sigmoid of a softmax")

    added = {"sum": "sum"}
    for form, indices in forms:
        inputs = drawn("softmax", indices) | class_weight
        yield Cases("ce_dice", monai_ce_dice, inputs, [{}, {"scope": "sample_class"}], added, label=f"sum {form}")
    inputs = drawn("softmax", True) | class_weight
    for name, function, _, params in both:
        yield Cases(name, function, inputs, [params], added, label="sum")


def boxes():
    # Prediction and target.
    pairs = [
        ([0.1, 0.2, 1.3, 1.7], [0.4, -0.3, 1.9, 1.1]),
        # One within the other, and crossed.
        ([0.5, 0.25, 0.75, 0.5], [0.1, 0.1, 1.2, 0.9]),
        ([-2.0, -1.5, 2.5, 1.0], [-0.5, -0.6, 0.7, 0.3]),
        ([-2.0, 0.1, 2.0, 0.6], [-0.3, -1.0, 0.4, 1.2]),
        # With sides in common.
        ([0.5, 0.2, 1.5, 1.25], [0.5, 0.4, 1.9, 1.25]),
        ([0.5, 0.2, 1.5, 1.25], [0.5, 0.7, 1.5, 2.5]),
        # Touching, and apart.
        ([0.5, 0.2, 1.5, 1.25], [1.5, 0.1, 2.5, 2.5]),
        ([10.0, 20.0, 35.0, 50.0], [60.0, 70.0, 65.0, 90.0]),
        # Inverted predictions.
        ([1.5, 0.2, 0.5, 1.3], [0.4, 0.1, 1.2, 2.0]),
        ([1.5, 1.3, 0.5, 0.2], [0.4, 0.1, 1.2, 2.0]),
    ]
    prediction, target = (exact(corners) for corners in zip(*pairs))
    inputs = {"prediction": prediction, "target": target}
    # Of equal boxes PyTorch's difference to 1 leaves few digits of a small eps.
    equal = {"prediction": prediction[:5], "target": prediction[:5]}
    weight = {"weight": exact([0.25, 1.5, 0.75, 1.0, 2.0, 0.5, 1.25, 1.75, 0.125, 0.875])}
    for name, function in (("iou", iou), ("giou", giou), ("diou", diou), ("ciou", ciou)):
        yield Cases(name, function, inputs, [{}, {"eps": 0.01}])
        yield Cases(name, function, equal, [{"eps": 0.01}], label="equal")
        yield Cases(name, function, inputs | weight, reductions=WEIGHTED)


def pairs():
    draws = np.random.default_rng(4)
    shape = items, dimensions = 7, 5

    def drawn(*shape):
        return exact(draws.normal(size=shape))

    def labels(*values):
        return torch.tensor((values * items)[:items])

    def near(row):
        """Rows of which one is equal to that of the others, two are near it and one is nearly opposite."""
        other = drawn(*shape)
        other[0] = row[0]
        other[1] = row[1] + 0.01 * other[1]
        other[2] = 3 * row[2] + 0.1 * other[2]
        other[3] = -row[3] + 0.1 * other[3]
        return exact(other)

    weight = {"weight": exact(draws.uniform(0.25, 2, items))}
    x1 = drawn(*shape)
    pair = {"x1": x1, "x2": near(x1)}
    both = ("x1", "x2")
    by_class = pair | {"label": labels(1, 0, 1, 0, 0).double()}
    settings = [{}, {"margin": 3.0, "factor": 1.25}, {"eps": 0.125}, {"eps": 0.0, "margin": 2.0}]
    yield Cases("contrastive", contrastive, by_class, settings, BATCHED, differentiable=both)
    yield Cases("contrastive", contrastive, by_class | weight, [{"margin": 2.0}], WEIGHTED, differentiable=both)

    # Of nearly parallel rows PyTorch's difference to 1 leaves few digits; to squared lengths it adds 1e-12.
    signs = {"x1": 8 * drawn(*shape), "x2": 8 * drawn(*shape), "label": labels(1, -1, -1)}
    settings = [{}, {"margin": 0.25}, {"margin": -0.5}]
    yield Cases("cosine_embedding", cosine_embedding, signs, settings, differentiable=both)
    yield Cases("cosine_embedding", cosine_embedding, signs | weight, reductions=WEIGHTED, differentiable=both)

    scores = {"x1": drawn(*SHAPE), "x2": drawn(*SHAPE), "label": exact(draws.choice([-1, 1], size=SHAPE))}
    margins = [{}, {"margin": 0.5}, {"margin": -0.25}]
    yield Cases("margin_ranking", F.margin_ranking_loss, scores, margins, differentiable=both)
    distances = {"prediction": drawn(*SHAPE), "target": torch.from_numpy(draws.choice([-1, 1], size=SHAPE))}
    yield Cases("hinge_embedding", F.hinge_embedding_loss, distances, [{}, {"margin": 0.25}])

    anchor = drawn(*shape)
    triplet = {"anchor": anchor, "positive": near(anchor), "negative": near(anchor)}
    triplet["negative"][4] = triplet["positive"][4]
    three = tuple(triplet)
    settings = [{}, {"swap": True}, {"margin": 0.25, "swap": True}, {"eps": 0.125}, {"margin": 5.0, "swap": True}]
    yield Cases("triplet_margin", triplet_margin, triplet, settings, differentiable=three)
    apart = {name: drawn(*shape) for name in triplet}
    for distance in ("squared_euclidean", "cosine"):
        settings = [{"distance": distance}, {"distance": distance, "swap": True}, {"distance": distance, "margin": 0.25}]
        yield Cases("triplet_margin", triplet_margin, apart, settings, differentiable=three)
    yield Cases("triplet_margin", triplet_margin, triplet | weight, reductions=WEIGHTED, differentiable=three)


def batch():
    draws = np.random.default_rng(5)
    rows, dimensions = 9, 3

    def embeddings():
        return exact(draws.normal(size=(rows, dimensions)))

    labels = torch.tensor([3, -7, 3, 0, -7, 3, 9, 0, 3])
    labelled = {"embeddings": embeddings(), "labels": labels}
    weight = {"weight": exact(draws.uniform(0.25, 2, rows))}
    some, metrics = {"sum": "sum", "mean": "mean"}, [{"distance": distance} for distance in METRICS]
    soft = [metric | {"soft_margin": True} for metric in metrics]
    yield Cases("triplet_batch_hard", triplet_batch_hard, labelled, [{}, {"margin": 0.3}, *metrics[1:], *soft])
    yield Cases("triplet_batch_hard", triplet_batch_hard, labelled | weight, reductions=WEIGHTED)
    fallbacks = [metric | {"margin": 0.4, "fallback": "farthest"} for metric in metrics]
    yield Cases("triplet_semi_hard", triplet_semi_hard, labelled, [{}, *metrics[1:], *fallbacks], some)
    averages = [
        metric | {"margin": 0.7, "triplets": triplets, "average": average}
        for metric in metrics
        for triplets in ("all", "semi_hard", "hard")
        for average in ("active", "all")
    ]
    yield Cases("triplet_batch_all", triplet_batch_all, labelled, [{}, *averages], some)

    floored = {"norm_eps": 1.5}
    tempered = [{}, {"temperature": 0.3}, floored]
    pair = {"query": embeddings(), "key": embeddings()}
    plain = {"normalize": False, "temperature": 1.5}
    yield Cases("info_nce", info_nce, pair, [*tempered, plain], differentiable=("query", "key"))
    yield Cases("info_nce", info_nce, pair | weight, reductions=WEIGHTED, differentiable=("query", "key"))
    scaled = pair | {"logit_scale": exact(0.9)}
    learnt = ("query", "key", "logit_scale")
    yield Cases("clip", clip, scaled, [{}, floored], reductions=BATCHED, differentiable=learnt)
    yield Cases("clip", clip, scaled | weight, reductions=WEIGHTED, differentiable=learnt)
    views = {"z_i": embeddings(), "z_j": embeddings()}
    both = {"weight": exact(draws.uniform(0.25, 2, 2 * rows))}
    yield Cases("nt_xent", nt_xent, views, tempered, differentiable=("z_i", "z_j"))
    yield Cases("nt_xent", nt_xent, views | both, reductions=WEIGHTED, differentiable=("z_i", "z_j"))
    yield Cases("sup_con", sup_con, labelled, tempered)
    yield Cases("sup_con", sup_con, labelled | weight, reductions=WEIGHTED)


def generative():
    """Losses of games by PyTorch's own functions, and a divergence by its distributions."""
    draws = np.random.default_rng(6)

    def scores(*shape):
        return exact(draws.uniform(-4, 4, size=shape))

    def logistic(x, wanted, reduction):
        return F.binary_cross_entropy_with_logits(x, torch.full_like(x, wanted), reduction=reduction)

    def squared(x, wanted, reduction):
        return 0.5 * F.mse_loss(x, torch.full_like(x, wanted), reduction=reduction)

    def hinge(x, wanted, reduction):
        return reduced(F.relu(1 - x if wanted else 1 + x), reduction)

    def linear(x, wanted, reduction):
        return reduced(-x if wanted else x, reduction)

    def gan_generator(fake, *, reduction, saturating=False):
        return -logistic(fake, 0, reduction) if saturating else logistic(fake, 1, reduction)

    def generator(game):
        return lambda fake, *, reduction: game(fake, 1, reduction)

    def discriminator(game):
        return lambda real, fake, *, reduction: game(real, 1, reduction) + game(fake, 0, reduction)

    real, fake = scores(5, 7), scores(3, 4)
    yield Cases("gan_generator", gan_generator, {"fake": fake}, [{}, {"saturating": True}])
    yield Cases("lsgan_generator", generator(squared), {"fake": fake})
    yield Cases("hinge_gan_generator", generator(linear), {"fake": fake})
    yield Cases("wgan_generator", generator(linear), {"fake": fake})
    summed = {"sum": "sum", "mean": "mean"}
    games = (logistic, "gan_discriminator"), (squared, "lsgan_discriminator"), (hinge, "hinge_gan_discriminator")
    for game, name in (*games, (linear, "wgan_critic")):
        both = {"real": real, "fake": fake}
        yield Cases(name, discriminator(game), both, reductions=summed, differentiable=("real", "fake"))

    def gradient_penalty(gradient, *, reduction, **params):
        lambda_, norm_target = params.get("lambda", 10.0), params.get("norm_target", 1.0)
        return reduced(lambda_ * (torch.linalg.vector_norm(gradient, dim=1) - norm_target) ** 2, reduction)

    settings = [{}, {"lambda": 0.5, "norm_target": 0.0}, {"norm_target": 2.5}]
    yield Cases("gradient_penalty", gradient_penalty, {"gradient": scores(5, 9)}, settings)

    def gaussian_kl(mu, logvar, *, reduction):
        posterior = torch.distributions.Normal(mu, (0.5 * logvar).exp())
        prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
        divergence = torch.distributions.kl_divergence(posterior, prior)
        return divergence.sum() / len(mu) if reduction == "batch" else reduced(divergence, reduction)

    latent = {"mu": scores(6, 3), "logvar": exact(draws.uniform(-3, 3, size=(6, 3)))}
    by_batch = PLAIN | {"batch_mean": "batch"}
    yield Cases("gaussian_kl", gaussian_kl, latent, reductions=by_batch, differentiable=("mu", "logvar"))

    def vae(reconstruction, target, mu, logvar, *, reduction, beta=1.0, likelihood="bce"):
        fits = {"bce": F.binary_cross_entropy, "bce_with_logits": F.binary_cross_entropy_with_logits, "mse": F.mse_loss}
        fit = fits[likelihood](reconstruction, target, reduction="sum")
        both = fit + beta * gaussian_kl(mu, logvar, reduction="sum")
        return both / len(mu) if reduction == "batch" else both

    shape = (6, 2, 5)
    probabilities = {name: exact(draws.uniform(0.05, 0.95, size=shape)) for name in ("reconstruction", "target")}
    of_logits = probabilities | {"reconstruction": scores(*shape)}
    names = ("reconstruction", "mu", "logvar")
    reductions = {"sum": "sum", "batch_mean": "batch"}
    for given, settings in (
        (probabilities, [{}, {"beta": 0.25}, {"likelihood": "mse"}]),
        (of_logits, [{"likelihood": "bce_with_logits", "beta": 4.0}, {"likelihood": "mse", "beta": 0.0}]),
    ):
        label = "" if given is probabilities else "real"
        yield Cases("vae", vae, given | latent, settings, reductions, differentiable=names, label=label)

    def gram(features):
        rows = features.flatten(2)
        return rows @ rows.transpose(1, 2) / rows[0].numel()

    def of_layers(of_layer, layers, weighted):
        def function(*given, reduction):
            weights = given[2 * layers] if weighted else torch.ones(layers, dtype=torch.float64)
            pairs = zip(given[0 : 2 * layers : 2], given[1 : 2 * layers : 2])
            losses = [F.mse_loss(of_layer(a), of_layer(b), reduction=reduction) for a, b in pairs]
            total = (weights * torch.stack(losses)).sum()
            return total / layers if reduction == "mean" else total

        return function

    for name, of_layer in (("perceptual", lambda features: features), ("style", gram)):
        for shapes, weighted in (([(2, 3, 4, 2)], False), ([(1, 6, 3), (2, 3, 5), (2, 9, 2, 2)], True)):
            given = {}
            for layer, shape in enumerate(shapes):
                given |= {f"{kind}.{layer}": scores(*shape) for kind in ("features", "target_features")}
            names = tuple(name for name in given if name.startswith("features"))
            if weighted:
                given["layer_weights"] = exact(draws.uniform(0, 2, size=len(shapes)))
                names += ("layer_weights",)
            function = of_layers(of_layer, len(shapes), weighted)
            label = f"{len(shapes)}_layers"
            yield Cases(name, function, given, reductions=summed, differentiable=names, label=label)


def tasks():
    """Losses of several tasks as one."""
    draws = np.random.default_rng(21)

    def weighted_sum(losses, weights, *, reduction):
        return reduced(weights * losses, reduction)

    def uncertainty_weighting(losses, log_vars, *, reduction):
        return reduced(torch.exp(-log_vars) * losses + log_vars, reduction)

    losses = {"losses": exact(draws.uniform(-1, 8, size=7))}
    weights = losses | {"weights": exact(np.append(draws.uniform(0, 2, size=6), 0.0))}
    yield Cases("weighted_sum", weighted_sum, weights, differentiable=("losses", "weights"))
    log_vars = losses | {"log_vars": exact(draws.uniform(-3, 3, size=7))}
    yield Cases("uncertainty_weighting", uncertainty_weighting, log_vars, differentiable=("losses", "log_vars"))


def preferences():
    """Policies and preferences, by their formulas."""
    draws = np.random.default_rng(24)
    count = 9
    # Defaults as f32 has them.
    tenth, fifth, twentieth = (exact(value).item() for value in (0.1, 0.2, 0.05))

    def sums(low=-30, high=-2):
        return exact(draws.uniform(low, high, size=count))

    def ppo_value(value, old_value, returns, *, reduction, clip=fifth, factor=0.5):
        clipped = old_value + (value - old_value).clamp(-clip, clip)
        return reduced(factor * torch.max((value - returns) ** 2, (clipped - returns) ** 2), reduction)

    value, old_value = exact(draws.normal(size=count)), exact(draws.normal(scale=0.3, size=count))
    values = {"value": value, "old_value": value + old_value, "returns": exact(draws.normal(size=count))}
    values["old_value"] = exact(values["old_value"].numpy())
    yield Cases("ppo_value", ppo_value, values, [{}, {"clip": 0.05, "factor": 1.0}])

    def preference(
        chosen, rejected, ref_chosen, ref_rejected, chosen_length=1, rejected_length=1, *,
        reduction, form="sigmoid", beta=tenth, label_smoothing=0.0, tau=twentieth,
    ):
        a, c = chosen - ref_chosen, rejected - ref_rejected
        x, win, lose = beta * (a - c), beta * a, beta * c
        per_token = a / chosen_length - c / rejected_length
        right, wrong = F.logsigmoid(x), F.logsigmoid(-x)
        noise = label_smoothing or (exact(1e-3).item() if form == "exo" else 0.0)
        m = torch.sigmoid(x / tau)
        loss = {
            "sigmoid": lambda: -(1 - noise) * right - noise * wrong,
            "hinge": lambda: F.relu(1 - x),
            "ipo": lambda: (per_token - 1 / (2 * beta)) ** 2,
            "exo": lambda: x.sigmoid() * (right - math.log(1 - noise)) + (-x).sigmoid() * (wrong - math.log(noise)),
            "nca": lambda: -F.logsigmoid(win) - 0.5 * F.logsigmoid(-win) - 0.5 * F.logsigmoid(-lose),
            "robust": lambda: (-(1 - noise) * right + noise * wrong) / (1 - 2 * noise),
            "bco": lambda: -F.logsigmoid(win) - F.logsigmoid(-lose),
            "sppo": lambda: (a - 0.5 / beta) ** 2 + (c + 0.5 / beta) ** 2,
            "apo_zero": lambda: 1 - win.sigmoid() + lose.sigmoid(),
            "apo_down": lambda: win.sigmoid() + 1 - x.sigmoid(),
            "discopop": lambda: -right * (1 - m) + torch.exp(-x) * m,
            "sigmoid_norm": lambda: -F.logsigmoid(beta * per_token),
        }[form]()
        return reduced(loss, reduction)

    answers = {"chosen": sums(), "rejected": sums(), "ref_chosen": sums(), "ref_rejected": sums()}
    lengths = {
        "chosen_length": exact(draws.integers(1, 12, size=count)),
        "rejected_length": exact(draws.integers(1, 12, size=count)),
    }
    forms = ["hinge", "nca", "bco", "sppo", "apo_zero", "apo_down"]
    settings = [{}, {"beta": 0.5}, {"label_smoothing": 0.1}, {"form": "exo"}, {"form": "exo", "label_smoothing": 0.2}]
    settings += [{"form": "robust", "label_smoothing": 0.3}, {"form": "discopop"}, {"form": "discopop", "tau": 0.5}]
    both = ("chosen", "rejected")
    yield Cases("preference", preference, answers, settings + [{"form": form} for form in forms], differentiable=both)
    normed = [{"form": "ipo"}, {"form": "ipo", "beta": 0.5}, {"form": "sigmoid_norm"}]
    yield Cases("preference", preference, answers | lengths, normed, differentiable=both, label="lengths")

    def of_difference(chosen, rejected, *, reduction, beta=tenth, gamma=0.0, label_smoothing=0.0):
        x = beta * (chosen - rejected) - gamma
        loss = -(1 - label_smoothing) * F.logsigmoid(x) - label_smoothing * F.logsigmoid(-x)
        return reduced(loss, reduction)

    def simpo(chosen, rejected, *, gamma=0.5, **options):
        return of_difference(chosen, rejected, gamma=gamma, **options)

    pairs = {name: answers[name] for name in both}
    smoothed = [{}, {"beta": 0.5, "label_smoothing": 0.25}]
    yield Cases("cpo", of_difference, pairs, smoothed, differentiable=both)
    means = {"chosen": sums(-4, -0.01), "rejected": sums(-4, -0.01)}
    yield Cases("simpo", simpo, means, smoothed + [{"beta": 2.0, "gamma": 1.5}], differentiable=both)

    def orpo(chosen, rejected, *, reduction, beta=tenth):
        odds = [x - torch.log(-torch.expm1(x)) for x in (chosen, rejected)]
        return reduced(-beta * F.logsigmoid(odds[0] - odds[1]), reduction)

    yield Cases("orpo", orpo, means, [{}, {"beta": 1.0}], differentiable=both)

    def kto(log_prob, ref_log_prob, desirable, kl, *, reduction, beta=tenth, desirable_weight=1.0, undesirable_weight=1.0):
        gain = log_prob - ref_log_prob - kl.clamp(min=0)
        desired = desirable_weight * (1 - (beta * gain).sigmoid())
        return reduced(torch.where(desirable == 1, desired, undesirable_weight * (1 - (-beta * gain).sigmoid())), reduction)

    for kl in (0.75, -0.5):
        examples = {"log_prob": sums(), "ref_log_prob": sums(), "desirable": torch.arange(count) % 3 % 2}
        examples["kl"] = exact([kl])
        weights = {"beta": 0.3, "desirable_weight": 0.5, "undesirable_weight": 2.0}
        yield Cases("kto", kto, examples, [{}, weights], label="kl" if kl > 0 else "kl below 0")

    def reward_pair(chosen, rejected, margin=0, *, reduction, center=0.0):
        return reduced(-F.logsigmoid(chosen - rejected - margin) + center * (chosen + rejected) ** 2, reduction)

    rewards = {name: exact(draws.normal(scale=2, size=count)) for name in both}
    yield Cases("reward_pair", reward_pair, rewards, [{}, {"center": 0.01}], differentiable=both)
    margins = rewards | {"margin": exact(draws.uniform(0, 2, size=count))}
    yield Cases("reward_pair", reward_pair, margins, [{}, {"center": 0.5}], differentiable=both, label="margin")


def head_of(draws, rows, classes, size=3):
    """Hidden states and the head that makes logits of them."""
    shapes = {"hidden": (rows, size), "weight": (classes, size), "bias": (classes,)}
    return {name: exact(draws.normal(size=shape)) for name, shape in shapes.items()}


def linear_cases(loss, of_logits, given, settings, label=""):
    """Cases of a loss of logits by the hidden states before a head."""

    def function(hidden, target, *others, weight, bias, logit_scale=1.0, shift=0, **options):
        moved = torch.cat([target[shift:], torch.full([shift], options.get("ignore_index", -100))])
        return of_logits(logit_scale * F.linear(hidden, weight, bias), moved, *others, **options)

    return Cases(f"linear_{loss}", function, given, settings, differentiable=("hidden", "weight", "bias"), label=label)


def policies():
    """Log-probabilities of tokens and policies, by their formulas."""
    draws = np.random.default_rng(31)
    count, classes = 9, 5
    fifth = exact(0.2).item()

    def values(low, high):
        return exact(draws.uniform(low, high, size=count))

    def log_probs(logits, target, temperature, ignore_index):
        kept = target != ignore_index
        chosen = torch.log_softmax(logits / temperature, 1).gather(1, target.where(kept, 0)[:, None])[:, 0]
        return chosen, kept

    def over_kept(losses, kept, reduction):
        losses = torch.where(kept, losses, 0)
        return losses if reduction == "none" else losses.sum() / (kept.sum() if reduction == "mean" else 1)

    def token_log_prob(logits, target, *, reduction, temperature=1.0, ignore_index=-100):
        return over_kept(*log_probs(logits, target, temperature, ignore_index), reduction)

    logits = exact(draws.normal(scale=2, size=(count, classes)))
    target = torch.from_numpy(draws.integers(0, classes, size=count))
    target[4] = -100
    tokens = {"logits": logits, "target": target}
    yield Cases("token_log_prob", token_log_prob, tokens, [{}, {"temperature": 0.5}])
    ignoring = tokens | {"target": target.where(target >= 0, 2)}
    yield Cases("token_log_prob", token_log_prob, ignoring, [{"ignore_index": 2}], label="ignoring")
    head, scaled = head_of(np.random.default_rng(37), count, classes), {"logit_scale": 2.0}
    yield linear_cases("token_log_prob", token_log_prob, head | {"target": target}, [{}, scaled | {"temperature": 2.0, "shift": 2}])
    ignored = [{"ignore_index": 2}]
    hidden = head | {"target": ignoring["target"]}
    yield linear_cases("token_log_prob", token_log_prob, hidden, ignored, "ignoring")

    def clip(log_prob, ratio, advantage, *, eps_low=fifth, eps_high=fifth, delta=0.0):
        bounded = ratio.clamp(max=delta) if delta else ratio
        return -torch.min(bounded * advantage, ratio.clamp(1 - eps_low, 1 + eps_high) * advantage)

    def cispo(log_prob, ratio, advantage, *, eps_high=5.0):
        return -ratio.clamp(max=eps_high).detach() * advantage * log_prob

    def sapo(log_prob, ratio, advantage, *, tau_positive=1.0, tau_negative=exact(1.05).item()):
        tau = torch.where(advantage > 0, tau_positive, tau_negative).double()
        return -4 / tau * torch.sigmoid(tau * (ratio - 1)) * advantage

    def of_tokens(surrogate, log_prob, advantage, old, reference, importance, kl, kl_correction, **params):
        ratio = torch.exp(log_prob - (log_prob.detach() if old is None else old))
        lead = (log_prob.detach() if reference is None else reference) - log_prob
        apart = (torch.exp(lead) - 1 - lead) * (ratio if kl_correction else 1)
        return importance * surrogate(log_prob, ratio, advantage, **params) + kl * apart

    def policy(surrogate, given):
        def loss(log_prob, advantage, *others, reduction, kl=0.0, kl_correction=False, **params):
            named = dict(zip(given, others))
            args = named.get("old_log_prob"), named.get("ref_log_prob"), named.get("importance", 1)
            return reduced(of_tokens(surrogate, log_prob, advantage, *args, kl, kl_correction, **params), reduction)

        return loss

    def policy_of_logits(surrogate, given):
        def loss(logits, target, advantage, *others, reduction, kl=0.0, kl_correction=False, temperature=1.0,
                 ignore_index=-100, **params):
            named = dict(zip(given, others))
            args = named.get("old_log_prob"), named.get("ref_log_prob"), named.get("importance", 1)
            log_prob, kept = log_probs(logits, target, temperature, ignore_index)
            return over_kept(of_tokens(surrogate, log_prob, advantage, *args, kl, kl_correction, **params), kept, reduction)

        return loss

    advantage = {"advantage": values(-2, 2)}
    others = {"old_log_prob": values(-4, -0.1), "ref_log_prob": values(-4, -0.1), "importance": values(0.5, 1.5)}
    losses = {
        "policy_clip": (clip, [{"eps_low": 0.5, "eps_high": 3.0, "delta": 4.5}, {"delta": 1.5}]),
        "policy_cispo": (cispo, [{"eps_high": 1.5}]),
        "policy_sapo": (sapo, [{"tau_positive": 0.5, "tau_negative": 2.0}]),
    }
    kls = [{"kl": 0.25}, {"kl": 0.25, "kl_correction": True}]
    log_prob = {"log_prob": values(-4, -0.1)}
    for name, (surrogate, own) in losses.items():
        for label, given in (("alone", {}), ("old", {"old_log_prob": others["old_log_prob"]}), ("all", others)):
            settings = [{}, *own, *kls] if given else [{}, *kls]
            yield Cases(name, policy(surrogate, given), log_prob | advantage | given, settings, label=label)
            of_logits = policy_of_logits(surrogate, given)
            settings = [*settings, {"temperature": 2.0}]
            yield Cases(f"{name}_of_logits", of_logits, tokens | advantage | given, settings, label=label)
            hidden = head | {"target": target} | advantage | given
            yield linear_cases(name, of_logits, hidden, [*settings, scaled | {"shift": 1}], label)
        of_logits = policy_of_logits(surrogate, others)
        yield Cases(f"{name}_of_logits", of_logits, ignoring | advantage | others, ignored, label="ignoring")
        hidden = head | {"target": ignoring["target"]} | advantage | others
        yield linear_cases(name, of_logits, hidden, ignored, "ignoring")


def sequences():
    """Losses of answers by their tokens, by their formulas."""
    draws = np.random.default_rng(33)
    classes, lengths = 5, [4, 1, 0, 6, 3, 5]
    count, answers = sum(lengths), len(lengths)
    offsets = torch.tensor(np.cumsum([0, *lengths]))
    fifth, tenth, twentieth = (exact(value).item() for value in (0.2, 0.1, 0.05))

    def of_answers(values, kept, averages):
        answer = torch.repeat_interleave(torch.arange(answers), torch.tensor(lengths))
        sums = torch.zeros(answers, dtype=values.dtype).index_add(0, answer, torch.where(kept, values, 0))
        number = torch.zeros(answers, dtype=values.dtype).index_add(0, answer, kept.to(values.dtype))
        return (sums / number.clamp(min=1) if averages else sums), number

    def log_probs(logits, target, temperature=1.0, ignore_index=-100):
        kept = target != ignore_index
        return torch.log_softmax(logits / temperature, 1).gather(1, target.where(kept, 0)[:, None])[:, 0], kept

    def ratio_loss(values, kept, advantage, reduction, ratio, eps_low, eps_high, delta):
        rho = torch.exp(of_answers(values, kept, ratio == "mean")[0])
        bounded = rho.clamp(max=delta) if delta else rho
        return reduced(-torch.min(bounded * advantage, rho.clamp(1 - eps_low, 1 + eps_high) * advantage), reduction)

    def policy_sequence(log_prob, old, advantage, offsets, *, reduction, ratio="mean", eps_low=fifth, eps_high=fifth, delta=0.0):
        kept = torch.ones(count, dtype=torch.bool)
        return ratio_loss(log_prob - old, kept, advantage, reduction, ratio, eps_low, eps_high, delta)

    def policy_sequence_of_logits(logits, target, old, advantage, offsets, *, reduction, ratio="mean", eps_low=fifth,
                                  eps_high=fifth, delta=0.0, temperature=1.0, ignore_index=-100):
        own, kept = log_probs(logits, target, temperature, ignore_index)
        return ratio_loss(own - old, kept, advantage, reduction, ratio, eps_low, eps_high, delta)

    def values(low, high, size):
        return exact(draws.uniform(low, high, size=size))

    tokens = {"log_prob": values(-3, -0.1, count), "old_log_prob": values(-3, -0.1, count)}
    each = {"advantage": values(-2, 2, answers), "offsets": offsets}
    settings = [{}, {"ratio": "sum"}, {"eps_low": 0.5, "eps_high": 0.75}, {"delta": 1.5}]
    yield Cases("policy_sequence", policy_sequence, tokens | each, settings)
    target = torch.from_numpy(draws.integers(0, classes, size=count))
    ignoring = {"target": target}
    padded = {"target": target.where(torch.arange(count) % 5 != 2, -100)}
    logits = {"logits": exact(draws.normal(scale=2, size=(count, classes)))}
    old = {"old_log_prob": tokens["old_log_prob"]}
    settings = [*settings, {"temperature": 2.0}]
    yield Cases("policy_sequence_of_logits", policy_sequence_of_logits, logits | padded | old | each, settings)
    head, scaled = head_of(np.random.default_rng(39), count, classes), {"logit_scale": 2.0}
    of_hidden = head | padded | old | each
    yield linear_cases("policy_sequence", policy_sequence_of_logits, of_hidden, [*settings, scaled])
    ignored = [{"ignore_index": 2}]
    of_logits = logits | ignoring | old | each
    yield Cases("policy_sequence_of_logits", policy_sequence_of_logits, of_logits, ignored, label="ignoring")
    yield linear_cases("policy_sequence", policy_sequence_of_logits, head | ignoring | old | each, ignored, "ignoring")

    def pairs(loss, averages):
        def of_tokens(logits, target, *others, reduction, ignore_index=-100, **params):
            own, number = of_answers(*log_probs(logits, target, 1.0, ignore_index), averages)
            half = answers // 2
            return reduced(loss(own[:half], own[half:], number[:half], number[half:], *others[:-1], **params), reduction)

        return of_tokens

    def sided(x, smoothing):
        return -(1 - smoothing) * F.logsigmoid(x) - smoothing * F.logsigmoid(-x)

    def preference(chosen, rejected, n, m, ref_chosen, ref_rejected, *, form="sigmoid", beta=tenth, label_smoothing=0.0,
                   tau=twentieth):
        a, c = chosen - ref_chosen, rejected - ref_rejected
        x = beta * (a - c)
        if form == "ipo":
            return (a / n.clamp(min=1) - c / m.clamp(min=1) - 1 / (2 * beta)) ** 2
        if form == "discopop":
            gate = torch.sigmoid(x / tau)
            return -F.logsigmoid(x) * (1 - gate) + torch.exp(-x) * gate
        return sided(x, label_smoothing)

    def cpo(chosen, rejected, n, m, *, beta=tenth, label_smoothing=0.0):
        return sided(beta * (chosen - rejected), label_smoothing)

    def simpo(chosen, rejected, n, m, *, beta=tenth, gamma=0.5, label_smoothing=0.0):
        return sided(beta * (chosen - rejected) - gamma, label_smoothing)

    def orpo(chosen, rejected, n, m, *, beta=tenth):
        odds = [x - torch.log(-torch.expm1(x)) for x in (chosen, rejected)]
        return -beta * F.logsigmoid(odds[0] - odds[1])

    half = answers // 2
    references = {name: values(-12, -2, half) for name in ("ref_chosen", "ref_rejected")}
    smoothed = {"beta": 0.5, "label_smoothing": 0.25}
    forms = [{}, smoothed, {"form": "ipo"}, {"form": "discopop", "tau": 0.5}]
    for name, loss, averages, others, settings in (
        ("preference", preference, False, references, forms),
        ("cpo", cpo, False, {}, [{}, smoothed]),
        ("simpo", simpo, True, {}, [{}, smoothed | {"gamma": 1.5}]),
    ):
        function = pairs(loss, averages)
        yield Cases(f"{name}_of_logits", function, logits | padded | others | {"offsets": offsets}, settings)
        of_hidden = head | padded | others | {"offsets": offsets}
        yield linear_cases(name, function, of_hidden, [*settings, smoothed | scaled])
        whole = logits | ignoring | others | {"offsets": offsets}
        yield Cases(f"{name}_of_logits", function, whole, ignored, label="ignoring")
        yield linear_cases(name, function, head | ignoring | others | {"offsets": offsets}, ignored, "ignoring")
    # An answer without tokens is sure, which the odds of a rejected one have no number for.
    full = torch.tensor([0, 3, 4, 9, 11, 14, 19])
    lengths = [3, 1, 5, 2, 3, 5]
    for label, target, settings in (("", padded, [{}, {"beta": 0.5}]), ("ignoring", ignoring, ignored)):
        yield Cases("orpo_of_logits", pairs(orpo, True), logits | target | {"offsets": full}, settings, label=label)
        of_hidden = head | target | {"offsets": full}
        yield linear_cases("orpo", pairs(orpo, True), of_hidden, [*settings, scaled | settings[-1]], label)

    def kto(logits, target, ref_log_prob, desirable, kl, offsets, *, reduction, beta=tenth, desirable_weight=1.0,
            undesirable_weight=1.0, ignore_index=-100):
        own, _ = of_answers(*log_probs(logits, target, 1.0, ignore_index), False)
        gain = beta * (own - ref_log_prob - kl.clamp(min=0))
        desired, other = desirable_weight * torch.sigmoid(-gain), undesirable_weight * torch.sigmoid(gain)
        return reduced(torch.where(desirable == 1, desired, other), reduction)

    each = {"ref_log_prob": values(-12, -2, answers), "desirable": torch.arange(answers) % 2, "kl": exact(0.5)}
    weighed = {"beta": 0.3, "desirable_weight": 0.5, "undesirable_weight": 2.0}
    for label, target, settings in (("", padded, [{}, weighed]), ("ignoring", ignoring, ignored)):
        yield Cases("kto_of_logits", kto, logits | target | each | {"offsets": full}, settings, label=label)
        of_hidden = head | target | each | {"offsets": full}
        yield linear_cases("kto", kto, of_hidden, [*settings, scaled | settings[-1]], label)


def linear():
    """Losses of rows of the logits that a head makes of hidden states."""
    draws = np.random.default_rng(25)
    size, teacher_size = 3, 4

    def drawn(*shape, scale=1.0):
        return exact(draws.normal(scale=scale, size=shape))

    def logits_of(hidden, weight, bias, *, logit_scale=1.0, softcap=0.0, temperature=1.0):
        logits = logit_scale * F.linear(hidden.flatten(0, -2), weight, bias)
        return (softcap * torch.tanh(logits / softcap) if softcap > 0 else logits) / temperature

    def held_to(target, shift, ignore_index):
        """The target of each row, `shift` places behind it in its sequence."""
        moved = torch.full_like(target, ignore_index)
        if shift < target.shape[-1]:
            moved[..., : target.shape[-1] - shift] = target[..., shift:]
        return moved.flatten()

    def of_rows(row_loss, hidden, item_weight, reduction):
        """What a loss of rows gives, in the shape of the items."""
        weight = None if item_weight is None else item_weight.flatten()
        if reduction == "batch_mean":
            return row_loss(weight=weight, reduction="sum") / len(hidden)
        loss = row_loss(weight=weight, reduction=reduction)
        return loss.unflatten(0, hidden.shape[:-1]) if reduction == "none" else loss

    def of_classes(row_loss):
        def function(
            hidden, target, *, weight, bias=None, class_weight=None, class_offset=None, item_weight=None, reduction,
            ignore_index=-100, shift=0, logit_scale=1.0, softcap=0.0, temperature=1.0, **options,
        ):
            logits = logits_of(hidden, weight, bias, logit_scale=logit_scale, softcap=softcap, temperature=temperature)
            options |= {"class_weight": class_weight, "ignore_index": ignore_index}
            options |= {} if class_offset is None else {"class_offset": class_offset}
            loss = partial(row_loss, logits, held_to(target, shift, ignore_index), **options)
            return of_rows(loss, hidden, item_weight, reduction)

        return function

    def of_probabilities(
        hidden, target, *, weight, bias=None, class_weight=None, item_weight=None, reduction, label_smoothing=0.0, **head
    ):
        options = {"class_weight": class_weight, "label_smoothing": label_smoothing}
        loss = partial(cross_entropy_soft, logits_of(hidden, weight, bias, **head), target.flatten(0, -2), **options)
        return of_rows(loss, hidden, item_weight, reduction)

    def of_teacher(
        row_loss, hidden, teacher_hidden, teacher_weight, teacher_bias=None, target=None,
        *, weight, bias=None, item_weight=None, reduction, logit_scale=1.0, **options,
    ):
        logits = logits_of(hidden, weight, bias, logit_scale=logit_scale)
        teacher = logits_of(teacher_hidden, teacher_weight, teacher_bias, logit_scale=logit_scale)
        loss = partial(row_loss, logits, teacher, None if target is None else target.flatten(), **options)
        return of_rows(loss, hidden, item_weight, reduction)

    def cases(loss, function, settings, given, label=""):
        names = tuple(name for name in ("hidden", "weight", "bias") if name in given)
        reductions = WEIGHTED | BATCHED if "item_weight" in given else BATCHED
        return Cases(loss, function, given, settings, reductions, differentiable=names, label=label)

    weight, bias = {"weight": drawn(CLASSES, size)}, {"bias": drawn(CLASSES)}
    class_weight = {"class_weight": exact(draws.uniform(0.25, 2, size=CLASSES))}
    rows = {"hidden": drawn(ROWS, size), "target": torch.tensor([2, -100, 0, 4, 3, 1])}
    item_weight = {"item_weight": exact(draws.uniform(0.25, 2, size=ROWS))}
    sequences = {"hidden": drawn(2, 4, size), "target": torch.tensor([[1, 0, -100, 3], [4, 4, 2, 0]])}
    item_weights = {"item_weight": exact(draws.uniform(0.25, 2, size=(2, 4)))}
    second_ignored = {**rows, "target": torch.tensor([2, 2, 0, 4, 3, 1])}

    head = {"logit_scale": 2.0, "temperature": 0.5}
    smoothed = {"label_smoothing": 0.1}
    others = {"label_smoothing": 0.3, "smoothing": "others"}
    bounded = {"z_loss": 0.01, "softcap": 2.5}
    everything = [{}, smoothed | head, others | bounded | head]
    cross = of_classes(cross_entropy)
    name = "linear_cross_entropy"
    yield cases(name, cross, [{}, smoothed, others, {"z_loss": 0.01}, {"softcap": 2.5}, head], rows | weight)
    yield cases(name, cross, everything, rows | weight | bias)
    yield cases(name, cross, everything, rows | weight | bias | class_weight | item_weight)
    yield cases(name, cross, [{"ignore_index": 2} | head], second_ignored | weight | class_weight)
    shifts = [{"shift": 1}, {"shift": 3} | smoothed | bounded | head, {"shift": 2}]
    yield cases(name, cross, [{}, *shifts], sequences | weight | bias, "sequences")
    yield cases(name, cross, shifts, sequences | weight | class_weight | item_weights, "sequences")
    upstream = {"upstream": drawn(ROWS)}
    given = rows | weight | bias | item_weight | upstream
    yield Cases(name, cross, given, [{}, head], NONE, differentiable=("hidden", "weight", "bias"))

    name, focused = "linear_focal", {"gamma": 0.5, "alpha": 1.0}
    yield cases(name, of_classes(focal), [{}, focused, head], rows | weight | bias)
    yield cases(name, of_classes(focal), [{}, focused | head], rows | weight | class_weight | item_weight)
    yield cases(name, of_classes(focal), [{"ignore_index": 2}], second_ignored | weight | bias)
    yield cases(name, of_classes(focal), shifts[:1], sequences | weight | bias | item_weights, "sequences")

    def probabilities(*shape):
        return torch.softmax(drawn(*shape, CLASSES, scale=2.0), -1).float().double()

    name, settings = "linear_cross_entropy_soft", [{}, smoothed | head]
    soft = {"hidden": rows["hidden"], "target_probabilities": probabilities(ROWS)}
    yield cases(name, of_probabilities, settings, soft | weight | bias)
    yield cases(name, of_probabilities, settings, soft | weight | class_weight | item_weight)
    soft = {"hidden": sequences["hidden"], "target_probabilities": probabilities(2, 4)}
    yield cases(name, of_probabilities, settings, soft | weight | bias | item_weights, "sequences")

    teacher = {"teacher_weight": drawn(CLASSES, teacher_size), "teacher_bias": drawn(CLASSES)}
    pair = {"hidden": rows["hidden"], "teacher_hidden": drawn(ROWS, teacher_size), **teacher}
    pairs = {"hidden": sequences["hidden"], "teacher_hidden": drawn(2, 4, teacher_size), **teacher}
    divergences = [{"divergence": divergence, "temperature": 2.5} for divergence in ("reverse", "jensen_shannon")]
    shares = [{"beta": 0.0}, {"beta": 0.25, "temperature": 2.5}, {"beta": 1.0, "scale_by_t2": True, "temperature": 2.0}]
    for name, row_loss, settings in (
        ("linear_distillation", distillation, divergences),
        ("linear_jensen_shannon", jensen_shannon, shares),
    ):
        function = partial(of_teacher, row_loss)
        settings = [{}, {"temperature": 2.5, "logit_scale": 0.5}, *settings]
        yield cases(name, function, settings, pair | weight | bias)
        ignored = pair | {"target": second_ignored["target"]}
        yield cases(name, function, [{"ignore_index": 2}], ignored | weight | item_weight)
        yield cases(name, function, [{}], pairs | {"target": sequences["target"]} | weight | bias, "sequences")

    offset = {"class_offset": drawn(CLASSES)}
    name, bonus = "linear_cross_entropy", {"entropy_bonus": 0.25}
    yield cases(name, cross, [{}, bonus | smoothed | bounded | head], rows | weight | bias | class_weight | offset)
    yield cases(name, cross, [bonus], rows | weight | item_weight)

    def of_cosines(psi=lambda c: c, centers=1, factor=1.0, scale=64.0):
        default = scale

        def function(
            embeddings, target, *, weight, class_weight=None, item_weight=None, reduction, scale=default, margin=None,
            ignore_index=-100,
        ):
            cosines = F.linear(F.normalize(embeddings.flatten(0, -2), dim=1), F.normalize(weight, dim=1))
            cosines = cosines.unflatten(1, (-1, centers)).amax(2)
            target = target.flatten()
            is_target = F.one_hot(torch.where(target == ignore_index, 0, target), cosines.shape[1]).bool()
            logits = scale * factor * torch.where(is_target, psi(cosines) if margin is None else psi(cosines, margin), cosines)
            options = {"class_weight": class_weight, "ignore_index": ignore_index}
            return of_rows(partial(cross_entropy, logits, target, **options), embeddings, item_weight, reduction)

        return function

    def less(c, margin=exact(0.35).item()):
        return c - margin

    def turned(c, margin=0.5):
        angle = torch.acos(c)
        return torch.where(angle <= math.pi - margin, torch.cos(angle + margin), c - margin * math.sin(margin))

    heads = {
        "normalized_softmax": (of_cosines(scale=20.0), {}, 1),
        "cosface": (of_cosines(less), {"margin": 0.5}, 1),
        "arcface": (of_cosines(turned), {"margin": 2.0}, 1),
        "subcenter_arcface": (of_cosines(turned, centers=3), {"margin": 0.25}, 3),
        "proxy_nca": (of_cosines(factor=2.0, scale=1.0), {}, 1),
    }
    both = ("embeddings", "weight")
    for name, (function, margin, centers) in heads.items():
        labels = "labels" if name == "proxy_nca" else "target"

        def of(given):
            return {"embeddings": given["hidden"], labels: given["target"], "weight": drawn(centers * CLASSES, size)}

        settings = [{"scale": 4.0}, margin | {"scale": 8.0}]
        yield Cases(name, function, of(rows), [{}, *settings], BATCHED, differentiable=both)
        weighted = of(rows) | class_weight | item_weight
        yield Cases(name, function, weighted, settings[1:], WEIGHTED | BATCHED, differentiable=both)
        ignored = [{"ignore_index": 2, "scale": 4.0}]
        yield Cases(name, function, of(second_ignored), ignored, BATCHED, differentiable=both)
        yield Cases(name, function, of(sequences), settings[:1], BATCHED, differentiable=both, label="sequences")


def main():
    families = (regression, binary, multiclass, rows, pairs, batch, segmentation, boxes, generative, tasks, preferences)
    for family in (*families, policies, sequences, linear):
        cases, tensors = {}, {}
        for name, metadata, case in (case for loss in family() for case in loss):
            assert name not in cases, name
            cases[name] = metadata
            tensors |= {f"{name}:{tensor}": values.contiguous() for tensor, values in case.items()}
        path = Path(__file__).with_name(f"{family.__name__}.safetensors")
        save_file(tensors, path, {"cases": json.dumps(cases, separators=(",", ":"))})


if __name__ == "__main__":
    main()
