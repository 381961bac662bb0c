"""Times PyTorch's losses with their gradients beside wgloss's, in turns: float32 or bfloat16, mean reduction.

    pytorch.py [--wgloss target/peers/release/wgloss-peers] [--adapter vulkan:llvmpipe] [--json target/peers.json]

Peers are PyTorch as it is called (eager), and on CUDA also compiled by torch.compile, and Liger-Kernel's losses where
that is installed. wgloss runs in a process of its own, in which its plan stays for as long as a case lasts. Results go
to the file beside those of other peers; `wgloss-peers table FILE` prints them. README.md says what is timed.

Needs PyTorch; torchvision for sigmoid_focal and the losses of boxes but iou; and the program that `make bench-peers` builds.
"""

import argparse
import dataclasses
import importlib.metadata
import json
import math
import statistics
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import torch
import torch.nn.functional as F

try:
    from torchvision import ops as vision
except ImportError:
    vision = None
try:
    from liger_kernel.transformers import functional as liger
except ImportError:
    liger = None

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
# What rounding explains of the difference from float64: relative to each value itself, and besides to the largest one.
# Of the loss, then of gradients. In float32 as in step.rs; in bfloat16 PyTorch rounds the mean itself, and gradients
# more than once.
TOLERANCES = {"f32": ((1e-4, 1e-5), (1e-3, 1e-5)), "bf16": ((1e-2, 1e-2), (2e-2, 2e-2))}
# Runs of each before those that count; then as many rounds of some runs each as fit into the time, within bounds.
WARM_UP, RUNS_A_ROUND, MIN_ROUNDS, MAX_ROUNDS, SECONDS = 3, 3, 3, 7, 4.0
# After a round of PyTorch on the CPU: its threads spin for some ms before they sleep.
PAUSE = 0.02


# Inputs, of the shape of the first one. Spread as in inputs.rs.


def uniform(low, high):
    return lambda shape: torch.empty(shape).uniform_(low, high)


def either(one, other):
    return lambda shape: torch.where(torch.rand(shape) < 0.5, one, other)


def real(shape):
    """Multiples of 3/4096, whose differences are exact and never ±1: at a kink rounding would decide the gradient."""
    return torch.randint(-5461, 5462, shape) * 3 / 4096


logits, labels, signs = real, either(0.0, 1.0), either(-1.0, 1.0)
log_rate, positive, log_probabilities = uniform(-2, 2), uniform(0.5, 2), uniform(-8, -0.1)


def counts(shape):
    return torch.randint(5, shape).float()


def probabilities(shape):
    """Of the classes, which add up to about 1."""
    return torch.empty(shape).uniform_(0, 2 / shape[1])


def classes(shape):
    return torch.randint(shape[1], (shape[0], *shape[2:]))


def embeddings(shape):
    """Rows about as long as 1, of which squares of distances are exact: rounding decides neither which row is the nearest
    nor which triplets have a loss."""
    return torch.randint(-181, 182, shape) / 1024


def labels_of_rows(shape):
    """About 8 rows have the same."""
    return torch.randint(max(shape[0] // 8, 1), shape[:1])


def logit_scale(shape):
    return torch.tensor(math.log(1 / 0.07))


def boxes(offset):
    """In the unit square; corners are odd or even multiples of 1/4096, so that none of a prediction is a target's."""

    def draw(shape):
        corners = shape[:-1] + (2,)
        low = 2 * torch.randint(1024, corners) + offset
        return torch.cat([low, low + 2 * torch.randint(205, 1024, corners)], -1) / 4096

    return draw


# Losses of rows that PyTorch and Liger-Kernel have for [N, C] only: of other shapes the classes go last first.


def rows(tensor):
    return tensor.movedim(1, -1).flatten(0, -2)


def multi_margin(logits, target):
    return F.multi_margin_loss(rows(logits), target.flatten())


def multilabel_soft_margin(logits, target):
    return F.multilabel_soft_margin_loss(rows(logits), rows(target))


def liger_cross_entropy(logits, target, **options):
    return liger.liger_cross_entropy(rows(logits), target.flatten(), **options)


def liger_jsd(logits, teacher):
    """Liger-Kernel's takes logarithms of probabilities."""
    return liger.liger_jsd(F.log_softmax(rows(logits), 1), F.log_softmax(rows(teacher), 1))


def jensen_shannon(logits, teacher):
    q, p = F.log_softmax(rows(logits), 1), F.log_softmax(rows(teacher), 1)
    m = torch.logaddexp(p, q) - math.log(2)
    from_p, from_q = (F.kl_div(m, of, reduction="batchmean", log_target=True) for of in (p, q))
    return (from_p + from_q) / 2


# Losses of regions, which PyTorch does not have, as its users write them: of logits, classes, and the same one-hot.


def with_one_hot(logits, target):
    """Targets of the logits' shape besides, 1 for a pixel's class and 0 for the others, made before the timing."""
    return logits, target, F.one_hot(target, logits.shape[1]).movedim(-1, 1).to(logits.dtype).contiguous()


def overlap(logits, one_hot):
    """The sums of each class: of predictions times targets, of predictions, of targets."""
    prediction = F.softmax(logits, 1)
    axes = (0, *range(2, logits.dim()))
    return (prediction * one_hot).sum(axes), prediction.sum(axes), one_hot.sum(axes)


def dice(logits, target, one_hot):
    intersection, prediction, truth = overlap(logits, one_hot)
    return (1 - (2 * intersection + 1) / (prediction + truth + 1)).mean()


def jaccard(logits, target, one_hot):
    intersection, prediction, truth = overlap(logits, one_hot)
    return (1 - (intersection + 1) / (prediction + truth - intersection + 1)).mean()


def tversky(logits, target, one_hot):
    return tversky_of_classes(logits, one_hot).mean()


def focal_tversky(logits, target, one_hot):
    return (tversky_of_classes(logits, one_hot) ** 0.75).mean()


def tversky_of_classes(logits, one_hot):
    intersection, prediction, truth = overlap(logits, one_hot)
    whole = intersection + 0.3 * (prediction - intersection) + 0.7 * (truth - intersection)
    return 1 - (intersection + 1) / (whole + 1)


def ce_dice(logits, target, one_hot):
    return 0.5 * F.cross_entropy(logits, target) + 0.5 * dice(logits, target, one_hot)


def focal_dice(logits, target, one_hot):
    cross_entropy = F.cross_entropy(logits, target, reduction="none")
    focal = (0.25 * (1 - torch.exp(-cross_entropy)) ** 2 * cross_entropy).mean()
    return 0.5 * focal + 0.5 * dice(logits, target, one_hot)


def iou(prediction, target):
    """torchvision has one of all pairs only."""
    intersection = (
        torch.minimum(prediction[..., 2:], target[..., 2:]) - torch.maximum(prediction[..., :2], target[..., :2])
    ).clamp(min=0)
    area = lambda size: size[..., 0] * size[..., 1]
    of_both = area(intersection)
    union = area(prediction[..., 2:] - prediction[..., :2]) + area(target[..., 2:] - target[..., :2]) - of_both
    return (1 - of_both / (union + 1e-7)).mean()


# Losses of whole batches, which PyTorch does not have, as its users write them.


def info_nce(query, key):
    logits = F.normalize(query) @ F.normalize(key).T / 0.07
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def clip(query, key, logit_scale):
    logits = logit_scale.exp() * F.normalize(query) @ F.normalize(key).T
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def nt_xent(z_i, z_j):
    z = F.normalize(torch.cat([z_i, z_j]))
    logits = (z @ z.T / 0.5).fill_diagonal_(-torch.inf)
    return F.cross_entropy(logits, torch.arange(len(z), device=z.device).roll(len(z_i)))


def with_relations(embeddings, labels):
    """Which pairs of rows are positive and which negative, `[N, N]`, made before the timing."""
    same = labels[:, None] == labels
    return embeddings, same & ~torch.eye(len(labels), dtype=torch.bool), ~same


def sup_con(embeddings, positive, negative):
    z = F.normalize(embeddings)
    logits = (z @ z.T / 0.07).masked_fill(~(positive | negative), -1e9)
    log_probabilities = F.log_softmax(logits, 1)
    counts = positive.sum(1)
    losses = -(log_probabilities * positive).sum(1) / counts.clamp(min=1)
    return losses[counts > 0].mean()


def distances(embeddings):
    """Of all rows, by one product of matrices; the gradient of a row's distance from itself is 0."""
    products = embeddings @ embeddings.T
    squares = products.diagonal()
    return (squares[:, None] + squares - 2 * products).clamp(min=1e-12).sqrt()


def triplet_batch_hard(embeddings, positive, negative):
    with torch.no_grad():
        known = distances(embeddings)
        farthest = known.where(positive, -1.0).argmax(1)
        nearest = known.where(negative, torch.inf).argmin(1)
    distance = lambda chosen: (embeddings - embeddings[chosen]).square().sum(1).sqrt()
    losses = F.relu(distance(farthest) - distance(nearest) + 1)
    return losses[positive.any(1) & negative.any(1)].mean()


# So many anchors of [anchors, N, N] at a time: 128 MiB of 1,024 rows in float32.
ANCHORS = 32


def triplet_semi_hard(embeddings, positive, negative):
    d = distances(embeddings)
    with torch.no_grad():
        negatives = d.where(negative, torch.inf)
        chunks = zip(d.split(ANCHORS), negatives.split(ANCHORS))
        farther = [n[:, None].where(n[:, None] > p[:, :, None], torch.inf).min(2) for p, n in chunks]
        least, chosen = (torch.cat(parts) for parts in zip(*farther))
        counted = positive & least.isfinite()
    return F.relu(d - d.gather(1, chosen) + 1)[counted].mean()


class AllTriplets(torch.autograd.Function):
    """The mean over the triplets with a loss. All are in memory for some anchors at a time only, gradients included."""

    @staticmethod
    def forward(context, distances, positive, negative):
        total, count, slopes = 0, 0, []
        parts = (distances.detach(), positive, negative)
        for known, *masks in zip(*(part.split(ANCHORS) for part in parts)):
            with torch.enable_grad():
                d = known.clone().requires_grad_()
                positives, negatives = (d.where(mask, far) for mask, far in zip(masks, (-1e9, 1e9)))
                losses = F.relu(positives[:, :, None] - negatives[:, None] + 1)
                loss = losses.sum()
            slopes += torch.autograd.grad(loss, d)
            total, count = total + loss.detach(), count + (losses.detach() > 0).sum()
        context.save_for_backward(torch.cat(slopes) / count)
        return total / count

    @staticmethod
    def backward(context, upstream):
        return context.saved_tensors[0] * upstream, None, None


def triplet_batch_all(embeddings, positive, negative):
    return AllTriplets.apply(distances(embeddings), positive, negative)


# Losses of generative models, as their users write them. Their means are those of samples, or of each input.


def gan_discriminator(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def divergence(mu, logvar):
    return 0.5 * (mu**2 + logvar.exp() - logvar - 1)


def vae(logits, target, mu, logvar):
    fit = F.binary_cross_entropy_with_logits(logits, target, reduction="sum")
    return (fit + divergence(mu, logvar).sum()) / len(mu)


# Losses of rows of the logits that a head makes of hidden states: of a shape [N, H, V].


def hidden(shape):
    return real(shape[:2])


def head(shape):
    """The weights as they are before they have learnt."""
    return torch.randint(-64, 65, (shape[2], shape[1])) / 1024


def tokens(shape):
    return torch.randint(shape[2], shape[:1])


def linear_cross_entropy(hidden, weight, target):
    return F.cross_entropy(hidden @ weight.T, target)


def latent(make):
    """64 variables of each sample."""
    return lambda shape: make((shape[0], 64))


def gram(features):
    rows = features.flatten(2)
    return rows @ rows.transpose(1, 2) / rows[0].numel()


def style(features, target):
    return F.mse_loss(gram(features), target)


def with_gram(features, target):
    """What the target's layer needs computing once, made before the timing."""
    return features, gram(target)


@dataclass
class Loss:
    """A loss by wgloss's name and parameters, its function and what that is called with."""

    name: str
    function: Callable
    inputs: tuple[Callable, ...]
    # What it is called with, of what was drawn.
    prepare: Callable = lambda *inputs: inputs
    # Which of them have a gradient.
    differentiable: tuple[int, ...] = (0,)
    # Whether the result is a value per class, whose gradient is the product with one from upstream.
    per_class: bool = False
    # What the result is compared with, in float64; None is the function itself.
    reference: Callable | None = None
    # Whether it leaves its gradient where the first input was.
    in_place: bool = False


ELEMENTWISE = [
    Loss("mse", F.mse_loss, (real, real)),
    Loss("mae", F.l1_loss, (real, real)),
    Loss("huber", F.huber_loss, (real, real)),
    Loss("smooth_l1", F.smooth_l1_loss, (real, real)),
    Loss("poisson_nll", F.poisson_nll_loss, (log_rate, counts)),
    Loss("gaussian_nll", F.gaussian_nll_loss, (real, real, positive), differentiable=(0, 2)),
    Loss("bce", F.binary_cross_entropy, (uniform(0.05, 0.95), labels)),
    Loss("bce_with_logits", F.binary_cross_entropy_with_logits, (logits, labels)),
    Loss("sigmoid_focal", lambda *inputs: vision.sigmoid_focal_loss(*inputs, reduction="mean"), (logits, labels)),
    Loss("soft_margin", F.soft_margin_loss, (logits, signs)),
    Loss("kl_div", F.kl_div, (log_probabilities, probabilities)),
    Loss("gan_generator", lambda fake: F.softplus(-fake).mean(), (logits,)),
    Loss("gaussian_kl", lambda *latent: divergence(*latent).mean(), (real, log_rate), differentiable=(0, 1)),
]
ROWS = [
    Loss("cross_entropy", F.cross_entropy, (logits, classes)),
    Loss("cross_entropy label_smoothing=0.1", lambda *i: F.cross_entropy(*i, label_smoothing=0.1), (logits, classes)),
    Loss("cross_entropy_soft", F.cross_entropy, (logits, probabilities)),
    Loss("nll", F.nll_loss, (log_probabilities, classes)),
    Loss("multi_margin", multi_margin, (logits, classes)),
    Loss("multilabel_soft_margin", multilabel_soft_margin, (logits, labels)),
    Loss("log_sum_exp", lambda logits: torch.logsumexp(logits, 1).mean(), (logits,)),
    Loss("softmax", lambda logits: F.softmax(logits, 1), (logits,), per_class=True),
    Loss("log_softmax", lambda logits: F.log_softmax(logits, 1), (logits,), per_class=True),
    # PyTorch has none: it is for Liger-Kernel's.
    Loss("distillation divergence=jensen_shannon", None, (logits, logits), reference=jensen_shannon),
]
REGIONS = [
    Loss(name, function, (logits, classes), prepare=with_one_hot)
    for name, function in [
        ("dice activation=softmax scope=class", dice),
        ("jaccard activation=softmax scope=class", jaccard),
        ("tversky activation=softmax scope=class alpha=0.3 beta=0.7", tversky),
        ("focal_tversky activation=softmax scope=class alpha=0.3 beta=0.7", focal_tversky),
        ("ce_dice", ce_dice),
        ("focal_dice", focal_dice),
    ]
]
BOXES = [
    Loss("iou", iou, (boxes(1), boxes(0))),
    Loss("giou", lambda *boxes: vision.generalized_box_iou_loss(*boxes, reduction="mean"), (boxes(1), boxes(0))),
    Loss("diou", lambda *boxes: vision.distance_box_iou_loss(*boxes, reduction="mean"), (boxes(1), boxes(0))),
    Loss("ciou", lambda *boxes: vision.complete_box_iou_loss(*boxes, reduction="mean"), (boxes(1), boxes(0))),
]
BATCH = [
    Loss("info_nce", info_nce, (embeddings, embeddings), differentiable=(0, 1)),
    Loss("clip", clip, (embeddings, embeddings, logit_scale), differentiable=(0, 1, 2)),
    Loss("nt_xent", nt_xent, (embeddings, embeddings), differentiable=(0, 1)),
    Loss("sup_con", sup_con, (embeddings, labels_of_rows), prepare=with_relations),
    Loss("triplet_batch_hard", triplet_batch_hard, (embeddings, labels_of_rows), prepare=with_relations),
]
TRIPLETS = [
    Loss(function.__name__, function, (embeddings, labels_of_rows), prepare=with_relations)
    for function in (triplet_semi_hard, triplet_batch_all)
]
SUMS = [
    Loss("gan_discriminator", gan_discriminator, (logits, logits), differentiable=(0, 1)),
    Loss(
        "vae likelihood=bce_with_logits", vae, (logits, labels, latent(real), latent(log_rate)), differentiable=(0, 2, 3)
    ),
]
FEATURES = [
    Loss("perceptual", F.mse_loss, (real, real)),
    Loss("style", style, (real, real), prepare=with_gram),
]
HEADS = [Loss("linear_cross_entropy", linear_cross_entropy, (hidden, head, tokens), differentiable=(0, 1))]
# By kind, as wgloss gives shapes.
LOSSES = {
    "elementwise": ELEMENTWISE,
    "rows": ROWS,
    "regions": REGIONS,
    "boxes": BOXES,
    "batch": BATCH,
    "triplets": TRIPLETS,
    "sums": SUMS,
    "features": FEATURES,
    "heads": HEADS,
}
# What PyTorch leaves to torchvision.
OF_TORCHVISION = ["sigmoid_focal", "giou", "diou", "ciou"]
if vision is None:
    print(f"pytorch.py: without torchvision there are no {', '.join(OF_TORCHVISION)}", file=sys.stderr)
    LOSSES = {kind: [loss for loss in losses if loss.name not in OF_TORCHVISION] for kind, losses in LOSSES.items()}
# Liger-Kernel's functions by the losses above, and whether they work in place.
LIGER = {
    "kl_div": (lambda *inputs: liger.liger_kl_div(*inputs), False),
    "cross_entropy": (liger_cross_entropy, True),
    "cross_entropy label_smoothing=0.1": (lambda *i: liger_cross_entropy(*i, label_smoothing=0.1), True),
    "distillation divergence=jensen_shannon": (liger_jsd, False),
    "linear_cross_entropy": (lambda *i: liger.liger_fused_linear_cross_entropy(*i), False),
}


# What peers make of a loss; None where they do not have it.


def eager(loss):
    return loss if loss.function else None


def compiled(loss):
    if loss.function:
        return dataclasses.replace(loss, function=torch.compile(loss.function, dynamic=False), reference=loss.function)


def fused(loss):
    """PyTorch's own function that never stores the logits whole, where its version has one."""
    if loss.name == "linear_cross_entropy" and hasattr(torch.nn, "LinearCrossEntropyOptions"):
        options = torch.nn.LinearCrossEntropyOptions()
        return dataclasses.replace(
            loss,
            function=lambda *inputs: F.linear_cross_entropy(*inputs, options=options),
            reference=loss.function,
        )


def of_liger(loss):
    if loss.name in LIGER:
        function, in_place = LIGER[loss.name]
        return dataclasses.replace(
            loss, function=function, reference=loss.reference or loss.function, in_place=in_place
        )


def peers_of(device):
    """Peers by their names."""
    version = torch.__version__.split("+")[0]
    peers = {f"pytorch {version} {device}": eager, f"pytorch {version} {device} fused": fused}
    if device == "cuda":
        peers[f"pytorch {version} {device} compiled"] = compiled
        if liger:
            peers[f"liger-kernel {importlib.metadata.version('liger-kernel')} {device}"] = of_liger
    return peers


class Step:
    """A loss with its gradients, of tensors on a device."""

    def __init__(self, loss, tensors, upstream):
        self.loss, self.tensors, self.upstream = loss, list(tensors), upstream
        self.first = self.tensors[0]

    def run(self):
        """The value and the gradients, perhaps not computed yet."""
        leaves = [self.tensors[i] for i in self.loss.differentiable]
        value = self.loss.function(*self.tensors)
        return value.detach(), *torch.autograd.grad(value, leaves, self.upstream)

    def prepare(self):
        """Gives a loss that works in place its input back."""
        if self.loss.in_place:
            self.tensors[0] = self.first.detach().clone().requires_grad_()
        self.wait()

    def time(self):
        """One run in ms, until the device is done."""
        self.prepare()
        start = time.perf_counter()
        self.run()
        self.wait()
        return (time.perf_counter() - start) * 1e3

    def wait(self):
        if self.first.is_cuda:
            torch.cuda.synchronize()

    def result(self):
        self.prepare()
        return self.run()


@dataclass
class Case:
    """A loss at a shape."""

    loss: Loss
    shape: list[int]
    dtype: str

    def __str__(self):
        return f"{self.loss.name} {'×'.join(map(str, self.shape))}"

    def request(self, runs):
        return {"loss": self.loss.name, "shape": self.shape, "dtype": self.dtype, "runs": runs}

    def steps(self, peers, device):
        """The name of each peer that has the loss and can compute it, its step, and whether the result is right."""
        torch.manual_seed(0)
        tensors = [make(tuple(self.shape)) for make in self.loss.inputs]
        tensors = [t.to(DTYPES[self.dtype]) if t.is_floating_point() else t for t in tensors]
        tensors = self.loss.prepare(*tensors)
        upstream = real(self.shape).to(DTYPES[self.dtype]) if self.loss.per_class else None
        truth = None
        for name, variant in peers.items():
            if loss := variant(self.loss):
                try:
                    step = make_step(loss, tensors, upstream, device)
                    truth = truth or self.truth(tensors, upstream, device)
                    yield name, step, is_right(step.result(), truth, self.dtype)
                except Exception as error:  # whatever a compiler or a driver thinks of
                    print(f"{self}: {name} fails: {error}", file=sys.stderr)

    def truth(self, tensors, upstream, device):
        """In float64, by operations that do not work in place."""
        loss = dataclasses.replace(self.loss, function=self.loss.reference or self.loss.function)
        wide = [t.double() if t.is_floating_point() else t for t in tensors]
        return make_step(loss, wide, None if upstream is None else upstream.double(), device).result()


def make_step(loss, tensors, upstream, device):
    """The loss of copies."""
    tensors = [tensor.to(device, copy=True) for tensor in tensors]
    for index in loss.differentiable:
        tensors[index].requires_grad_()
    return Step(loss, tensors, None if upstream is None else upstream.to(device))


def is_right(result, truth, dtype):
    of_loss, of_gradient = TOLERANCES[dtype]
    (loss, *gradients), (true_loss, *true_gradients) = result, truth
    pairs = [(loss, true_loss, of_loss), *((*pair, of_gradient) for pair in zip(gradients, true_gradients))]
    return all(
        torch.allclose(found.double(), true, itself, largest * true.abs().max().item())
        for found, true, (itself, largest) in pairs
    )


class Wgloss:
    """The program that times wgloss, on one adapter."""

    def __init__(self, path, adapter):
        self.process = subprocess.Popen(
            [path, "serve", adapter], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        greeting = self.read()
        self.report, self.shapes = greeting["report"], greeting["shapes"]

    def times(self, case, runs):
        """Of that many runs, in ms."""
        self.process.stdin.write(json.dumps(case.request(runs)) + "\n")
        answer = self.read()
        if "error" in answer:
            sys.exit(f"pytorch.py: wgloss, {case}: {answer['error']}")
        return answer["times_ms"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("pytorch.py: the program that times wgloss has ended")
        return json.loads(line)


def measure(case, peers, device, wgloss):
    """The entries of a case: the peers and wgloss in turns, so that all see the same machine."""
    steps = list(case.steps(peers, device))
    if not steps:
        return []
    for _, step, _ in steps:
        for _ in range(WARM_UP):
            step.time()
    wgloss.times(case, WARM_UP)
    ours, theirs, start = [], {name: [] for name, _, _ in steps}, time.perf_counter()
    rounds = 0
    while rounds < MIN_ROUNDS or (rounds < MAX_ROUNDS and time.perf_counter() - start < SECONDS):
        for name, step, _ in steps:
            theirs[name] += [step.time() for _ in range(RUNS_A_ROUND)]
        if device == "cpu":
            time.sleep(PAUSE)
        ours += wgloss.times(case, RUNS_A_ROUND)
        rounds += 1
    return [
        {
            "peer": name,
            "device": torch.cuda.get_device_name() if device == "cuda" else f"cpu, {torch.get_num_threads()} threads",
            "loss": case.loss.name,
            "shape": case.shape,
            "dtype": case.dtype,
            "median_ms": statistics.median(theirs[name]),
            "spread": spread(theirs[name]),
            "wgloss_median_ms": statistics.median(ours),
            "ratio": statistics.median(theirs[name]) / statistics.median(ours),
            "is_right": right,
        }
        for name, _, right in steps
    ]


def spread(times):
    """The distance between the quartiles, relative to the median."""
    first, median, third = statistics.quantiles(times, n=4, method="inclusive")
    return (third - first) / median


def write(path, report, entries):
    """Puts entries into the file, in place of those of the same peers and cases if it has results of this adapter."""
    if path.exists():
        earlier = json.loads(path.read_text())
        if earlier["adapter"] == report["adapter"]:
            key = lambda entry: [entry[name] for name in ("peer", "device", "loss", "shape", "dtype")]
            new = [key(entry) for entry in entries]
            others = [entry for entry in earlier["peers"] if key(entry) not in new]
            report = {**earlier, "date": report["date"], "peers": others}
    report = {**report, "peers": report["peers"] + entries}
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wgloss", default="target/peers/release/wgloss-peers", metavar="PATH",
                        help="the program that times wgloss [default: %(default)s]")
    parser.add_argument("--adapter", default="", help="part of an adapter's name [default: the most capable]")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu",
                        help="what PyTorch runs on [default here: %(default)s]")
    parser.add_argument("--dtype", choices=DTYPES, default="f32", help="what floats are stored as [default: f32]")
    parser.add_argument("--kind", choices=LOSSES, action="append", dest="kinds",
                        help="only losses of this kind; may be given more than once")
    parser.add_argument("--loss", action="append", dest="losses", metavar="NAME",
                        help="only this loss; may be given more than once")
    parser.add_argument("--limit", type=float, metavar="SECONDS",
                        help="measure no further case after so long; the first shape of each loss comes first")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="where to put the results")
    arguments = parser.parse_args()
    start = time.perf_counter()
    # PyTorch would rather divide the mean of kl_div by less; the catalogue's mean is this one.
    warnings.filterwarnings("ignore", message=".*batchmean.*")

    wgloss, peers = Wgloss(arguments.wgloss, arguments.adapter), peers_of(arguments.device)
    print(f"wgloss on {wgloss.report['adapter']}; {', '.join(peers)}", file=sys.stderr)
    cases = [
        (place, Case(loss, shape, arguments.dtype))
        for kind in arguments.kinds or LOSSES
        for loss in LOSSES[kind]
        if not arguments.losses or loss.name.split()[0] in arguments.losses
        for place, shape in enumerate(wgloss.shapes[kind])
        if any(variant(loss) for variant in peers.values())
    ]
    if arguments.limit is not None:
        cases.sort(key=lambda placed: placed[0])
    for number, (_, case) in enumerate(cases, 1):
        if arguments.limit is not None and time.perf_counter() - start > arguments.limit:
            print(f"{len(cases) - number + 1} of {len(cases)} cases are left out: the time was up", file=sys.stderr)
            break
        torch.compiler.reset()
        entries = []
        for entry in measure(case, peers, arguments.device, wgloss):
            wrong = "" if entry["is_right"] else ", but its result is wrong"
            print(f"{number}/{len(cases)} {case}: {entry['peer']} {entry['ratio']:.2f}×{wrong}", file=sys.stderr)
            entries.append(entry)
        # A run that is cut short leaves what it has measured.
        write(arguments.json, wgloss.report, entries)


if __name__ == "__main__":
    main()
