"""Times PyTorch's cross-entropy with its gradient on the CPU, eagerly, at the shapes of `make bench-peers`.

    pytorch.py [--beside target/peers.json] [--json target/pytorch.json]

Prints the median time of a forward and a backward pass at each shape, float32, mean reduction, on as many threads as
PyTorch takes by itself. With --beside, wgloss's times and the adapter they were measured on come from that file, which
`make bench-peers` wrote: on this machine, but not in turns with these.

Needs Python packages: tests/golden/requirements.txt.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F

# Without the build, as in 2.15.0+cpu.
VERSION = torch.__version__.split("+")[0]
SHAPES = ([4096, 1000], [512, 32000], [64, 128000], [8, 262144], [4, 21, 256, 256])
WARM_UP, MIN_RUNS, MAX_RUNS, SECONDS = 3, 5, 21, 20.0


def median_ms(shape):
    """Of as many runs as fit into the time, within bounds."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).mul(4).requires_grad_()
    target = torch.randint(shape[1], (shape[0], *shape[2:]), generator=generator)

    def run():
        start = time.perf_counter()
        torch.autograd.grad(F.cross_entropy(logits, target), logits)
        return (time.perf_counter() - start) * 1e3

    for _ in range(WARM_UP):
        run()
    times, start = [], time.perf_counter()
    while len(times) < MIN_RUNS or (len(times) < MAX_RUNS and time.perf_counter() - start < SECONDS):
        times.append(run())
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, metavar="FILE", help="what `make bench-peers` wrote, for wgloss's times")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results")
    arguments = parser.parse_args()
    beside = json.loads(arguments.beside.read_text()) if arguments.beside else {"version": 1, "results": []}
    ours = {(r["loss"], tuple(r["shape"])): r["wgloss_median_ms"] for r in beside["results"]}

    print(f"PyTorch {VERSION} on the CPU, {torch.get_num_threads()} threads")
    print(f"{'cross_entropy, f32':<22} {'wgloss ms':>10} {'PyTorch ms':>10} {'ratio':>8}")
    results = []
    for shape in SHAPES:
        theirs = median_ms(shape)
        wgloss = ours.get(("cross_entropy", tuple(shape)))
        ratio = theirs / wgloss if wgloss else None
        name, columns = "×".join(map(str, shape)), [f"{ms:.2f}" if ms else "" for ms in (wgloss, theirs, ratio)]
        print(f"{name:<22} {columns[0]:>10} {columns[1]:>10} {columns[2]:>8}")
        results.append({
            "peer": f"pytorch {VERSION} cpu",
            "loss": "cross_entropy",
            "shape": shape,
            "dtype": "f32",
            "median_ms": theirs,
            "wgloss_median_ms": wgloss,
            "ratio": ratio,
        })
    if arguments.json:
        arguments.json.write_text(json.dumps({**beside, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
