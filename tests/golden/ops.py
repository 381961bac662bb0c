"""Writes what PyTorch's `clip_grad_norm_` makes of 50 gradients of mixed sizes and storage types, for each norm.

The gradients `grad.<number>` are stored in their own types. What they become, `p=<p>:grad.<number>`, and the norm before,
`p=<p>:norm`, are computed in float64. `MAX_NORM` is below each of the norms.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

SIZES = (1, 2, 3, 4, 5, 7, 8, 16, 31, 33, 64, 127)
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MAX_NORM = 1.5


def main():
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
    path = Path(__file__).parent / "ops" / "clip_grad_norm.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file(tensors, path)


if __name__ == "__main__":
    main()
