"""Let three checkers judge the zoo at large, and print who was right: minunet, PyTorch and SciPy on the same pairs.

python benchmarks/gradcheck_zoo.py

The zoo (tests/zoo/large) holds layers with a right backward pass each, and wrong ones. A checker misses a wrong pair
that it passes, and raises a false alarm on a right pair that it refuses. An exception counts as a refusal.

minunet   gradcheck(forward, backward, args), and the same with mode="directions"
PyTorch   torch.autograd.gradcheck with its defaults, the pair wrapped into a torch.autograd.Function
SciPy     scipy.optimize.check_grad with its defaults, on sum(dy * f) of all arguments in one vector, with random dy. It
          returns the norm of the error and leaves the verdict to the user; passed is up to 1e-5 of the gradient's norm.
"""

import copy
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.optimize import check_grad

from minunet import gradcheck

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from zoo.large import LAYERS

SCIPY_TOLERANCE = 1e-5


def minunet_passes(layer, backward) -> bool:
    return bool(gradcheck(layer.forward, backward, layer.args).ok)


def minunet_passes_by_directions(layer, backward) -> bool:
    return bool(gradcheck(layer.forward, backward, layer.args, mode="directions").ok)


def torch_passes(layer, backward) -> bool:
    import torch

    class Pair(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *tensors):
            y, ctx.pair_cache = layer.forward(*with_floats(layer.args, [t.detach().numpy() for t in tensors]))
            return torch.from_numpy(np.array(y))

        @staticmethod
        def backward(ctx, dy):
            gradients = as_tuple(backward(dy.numpy(), ctx.pair_cache))
            return tuple(torch.from_numpy(np.array(gradient)) for gradient in gradients)

    tensors = [torch.from_numpy(x.copy()).requires_grad_() for x in layer.args if is_float(x)]
    return torch.autograd.gradcheck(Pair.apply, tensors, raise_exception=False)


def scipy_passes(layer, backward) -> bool:
    floats = [x for x in layer.args if is_float(x)]
    ends = np.cumsum([x.size for x in floats])[:-1]
    start = np.concatenate([x.ravel() for x in floats])

    def run(vector):
        parts = [part.reshape(x.shape) for part, x in zip(np.split(vector, ends), floats, strict=True)]
        return layer.forward(*with_floats(layer.args, parts))

    dy = np.array(np.random.default_rng(0).standard_normal(np.shape(run(start)[0])))

    def gradient(vector):
        return np.concatenate([np.ravel(g) for g in as_tuple(backward(dy.copy(), run(vector)[1]))])

    error = check_grad(lambda vector: (dy * run(vector)[0]).sum(), gradient, start)
    return error <= SCIPY_TOLERANCE * np.linalg.norm(gradient(start))


def is_float(x) -> bool:
    return isinstance(x, np.ndarray) and x.dtype == np.float64


def with_floats(args, floats) -> list:
    """Return args with the floating-point arrays replaced, in order, and fresh copies of the rest."""
    floats = iter(floats)
    return [next(floats) if is_float(x) else copy.deepcopy(x) for x in args]


def as_tuple(gradients) -> tuple:
    return gradients if isinstance(gradients, tuple) else (gradients,)


def refuses(passes, layer, backward) -> bool:
    try:
        return not passes(layer, backward)
    except Exception:
        return True


def judge(passes) -> tuple[list[str], list[str], float]:
    """Return the names of the false alarms and of the misses, and the seconds that all pairs took."""
    began = time.perf_counter()
    alarms = [layer.name for layer in LAYERS if refuses(passes, layer, layer.backward)]
    misses = []
    for layer in LAYERS:
        for name, bug in layer.bugs.items():
            if not refuses(passes, layer, bug.backward):
                misses.append(f"{layer.name}: {name}" + ("" if bug.kind == "wrong" else f" ({bug.kind})"))
    return alarms, misses, time.perf_counter() - began


def main() -> None:
    warnings.simplefilter("ignore")
    checkers = {
        "minunet.gradcheck": minunet_passes,
        "minunet.gradcheck by directions": minunet_passes_by_directions,
        "torch.autograd.gradcheck": torch_passes,
        "scipy.optimize.check_grad": scipy_passes,
    }
    try:
        import torch  # noqa: F401
    except ImportError:
        del checkers["torch.autograd.gradcheck"]
        print("torch.autograd.gradcheck is left out: PyTorch is not installed")
    wrong = sum(len(layer.bugs) for layer in LAYERS)
    print(f"{len(LAYERS)} right pairs and {wrong} wrong ones\n")
    print(f"{'':<32} {'right passed':>13} {'false alarms':>13} {'wrong caught':>13} {'missed':>8} {'seconds':>8}")
    verdicts = {}
    for name, passes in checkers.items():
        alarms, misses, seconds = verdicts[name] = judge(passes)
        caught = wrong - len(misses)
        row = f"{len(LAYERS) - len(alarms):>13} {len(alarms):>13} {caught:>13} {len(misses):>8} {seconds:>8.1f}"
        print(f"{name:<32} {row}", flush=True)
    for name, (alarms, misses, _) in verdicts.items():
        for what, names in (("false alarm", alarms), ("missed", misses)):
            if names:
                print(f"\n{name}, {what}:\n  " + "\n  ".join(names))
    alarms, misses, _ = verdicts["minunet.gradcheck"]
    sys.exit(bool(alarms or misses))


if __name__ == "__main__":
    main()
