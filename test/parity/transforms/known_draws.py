"""torchvision without its compiled operators, and uniform numbers that stand in for torch's generators."""

import sys
from contextlib import contextmanager
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
from measure_pytorch import load_torchvision  # noqa: E402

load_torchvision(torch)
import torchvision  # noqa: E402, F401
from torchvision import transforms  # noqa: E402, F401
from torchvision.transforms import functional  # noqa: E402, F401


class Uniforms:
    """Hands out known uniform numbers, in double precision, in the place of torch.empty and torch.randint."""

    def __init__(self, rng):
        self.rng, self.used = rng, []

    def next(self):
        self.used.append(round(float(self.rng.random()), 6))
        return self.used[-1]

    def uniform_(self, low, high):
        return torch.tensor([float(low) + (float(high) - float(low)) * self.next()], dtype=torch.float64)

    def randint(self, low, high, size):
        return torch.tensor([low + int((high - low) * self.next())])


@contextmanager
def drawing_from(uniforms):
    """Within it, what torchvision draws comes from these numbers, and its arithmetic is in double precision."""
    empty, randint, dtype = torch.empty, torch.randint, torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.empty, torch.randint = (lambda *_: uniforms), uniforms.randint
    try:
        yield
    finally:
        torch.empty, torch.randint = empty, randint
        torch.set_default_dtype(dtype)
