"""What PyTorch's autocast to bfloat16 makes of a network and an input that live.cjs has written, compared bit for bit.

    python autocast.py DIR      prints {"prediction", "training", "equal", "gradients"} as JSON

Needs torch, torchvision and safetensors.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
from measure_pytorch import load_torchvision  # noqa: E402

load_torchvision(torch)
from torchvision.models import get_model  # noqa: E402

folder = Path(sys.argv[1])
task = json.loads((folder / "task.json").read_text())
count, side = task["count"], task["side"]
# As many as live.cjs has: sums over other parts round otherwise.
torch.set_num_threads(2)


def read(name, shape):
    return torch.from_numpy(np.fromfile(folder / name, dtype=np.float32).reshape(shape))


def logits(network, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return network(x).float()


more = {"dropout": 0.0} if task["architecture"].startswith("vgg") else {}
network = get_model(task["architecture"], num_classes=2, **more)
network.load_state_dict(load_file(folder / "weights.safetensors"))
x = read("input", (count, 3, side, side))
with torch.no_grad():
    prediction = logits(network.eval(), x)
training = logits(network.train(), x)
labels = torch.arange(count) % 2
(torch.nn.functional.cross_entropy(training, labels, reduction="sum") / count).backward()

ours = np.fromfile(folder / "gradients", dtype=np.float32)
parameters = dict(network.named_parameters())
at = equal = 0
for name in task["names"]:
    theirs = parameters[name].grad.numpy().ravel()
    equal += bool((ours[at : at + theirs.size] == theirs).all())
    at += theirs.size
print(
    json.dumps(
        {
            "prediction": torch.equal(read("prediction", (count, 2)), prediction),
            "training": torch.equal(read("training", (count, 2)), training.detach()),
            "equal": equal,
            "gradients": len(task["names"]),
        }
    )
)
