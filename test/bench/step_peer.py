"""PyTorch eager, timed as step-own.cjs times ours: python step_peer.py TASK."""
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import torch  # noqa: E402
from measure_pytorch import load_torchvision, peak_memory  # noqa: E402

task = json.loads(sys.argv[1])
torch.set_num_threads(task["threads"])
torch.manual_seed(0)
network = getattr(load_torchvision(torch), task["architecture"])(num_classes=2)
images = torch.randn(task["batch"], 3, task["side"], task["side"])
labels = torch.arange(task["batch"]) % 2
optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)


def predict():
    with torch.no_grad():
        return network(images).tolist()


def train():
    loss = torch.nn.functional.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


def best(times, work):
    least = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - began)
    return least * 1000


network.eval()
predicting = best(5, predict)
network.train()
print(json.dumps({"predict": predicting, "train": best(3, train), "peak": peak_memory()}))
