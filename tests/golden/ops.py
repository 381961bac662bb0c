"""Writes what PyTorch makes of operations around a loss.

`clip_grad_norm_` of 50 gradients of mixed sizes and storage types, for each norm: the gradients `grad.<number>` are stored in their own types. What they become, `p=<p>:grad.<number>`, and the norm before,
`p=<p>:norm`, are computed in float64. `MAX_NORM` is below each of the norms.

A step of GradNorm (Chen et al. 2018), written in PyTorch's operations, with autograd for the gradient of the weights and its SGD for the step:
the inputs of case `<k>` in float32, and `<k>:loss`, `<k>:grad.weights` and `<k>:weights.after` in float64.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

SIZES = (1, 2, 3, 4, 5, 7, 8, 16, 31, 33, 64, 127)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MAX_NORM = 1.5


# Case by case the exponent and the step of the weights. The last step would bring weights below 0.
GRAD_NORM = ((1.5, 0.025), (0.0, 0.025), (0.12, 0.5), (3.0, 0.001), (1.5, 1.0))
LEAST_WEIGHT = float(np.float32(1e-4))


def main():
    path = Path(__file__).parent / "ops"
    path.mkdir(exist_ok=True)
    save_file(clipped(), path / "clip_grad_norm.safetensors")
    save_file(balanced(), path / "grad_norm.safetensors")


def balanced():
    draws = np.random.default_rng(23)
    tensors = {}
    for number, (alpha, learning_rate) in enumerate(GRAD_NORM):
        tasks = (2, 3, 5, 4, 6)[number]
        given = {name: torch.from_numpy(draws.uniform(0.25, 2, size=tasks)).float() for name in ("losses", "initial_losses")}
        given["gradient_norms"] = torch.from_numpy(draws.uniform(0.1, 4, size=tasks)).float()
        given["weights"] = torch.from_numpy(draws.uniform(0.5, 1.5, size=tasks)).float()
        options = torch.tensor([alpha, learning_rate], dtype=torch.float32)
        alpha, learning_rate = options.double().tolist()
        losses, initial_losses, norms = (given[name].double() for name in ("losses", "initial_losses", "gradient_norms"))
        weights = torch.nn.Parameter(given["weights"].double())
        weighted = weights * norms
        ratios = losses / initial_losses
        target = (weighted.mean() * (ratios / ratios.mean()) ** alpha).detach()
        loss = torch.nn.functional.l1_loss(weighted, target, reduction="sum")
        loss.backward()
        torch.optim.SGD([weights], lr=learning_rate).step()
        with torch.no_grad():
            after = weights.clamp(min=LEAST_WEIGHT)
            after = after * tasks / after.sum()
        found = {"loss": loss.detach().reshape(1), "grad.weights": weights.grad, "weights.after": after}
        tensors |= {f"{number}:{name}": tensor for name, tensor in (given | {"options": options} | found).items()}
    return tensors


def clipped():
    draws = np.random.default_rng(15)
    gradients = {}
    for number in range(50):
        values = draws.normal(scale=10.0 ** draws.uniform(-3, 1), size=SIZES[number % len(SIZES)])
        gradients[f"grad.{number:02}"] = torch.from_numpy(values).to(DTYPES[number % len(DTYPES)])
    tensors = dict(gradients)
    for p in (1, 2, float("inf")):
        parameters = []
        for gradient in gradients.values():
            parameter = torch.zeros(gradient.shape, dtype=torch.float64, requires_grad=True)
            parameter.grad = gradient.double()
            parameters.append(parameter)
        norm = torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM, norm_type=p)
        assert norm > MAX_NORM
        tensors[f"p={p}:norm"] = norm
        tensors |= {f"p={p}:{name}": parameter.grad for name, parameter in zip(gradients, parameters)}
    return tensors


if __name__ == "__main__":
    main()
