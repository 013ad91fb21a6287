"""The tutorial's input in one process of PIL and torchvision, which decodes in every epoch:
python input_peer.py TASK. TASK is JSON: files, order of each epoch, batch. Prints slices a second of each epoch."""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import torch  # noqa: E402
from measure_pytorch import load_torchvision  # noqa: E402

load_torchvision(torch)
from PIL import Image  # noqa: E402
from torchvision import transforms as T  # noqa: E402

task = json.loads(Path(sys.argv[1]).read_text(encoding="utf8"))
torch.manual_seed(0)
torch.set_num_threads(1)
transform = T.Compose(
    [
        T.Resize(256),
        T.RandomResizedCrop(224, scale=(0.5, 1.0)),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
rates = []
for order in task["orders"]:
    began = time.perf_counter()
    for first in range(0, len(order), task["batch"]):
        files = [task["files"][i] for i in order[first : first + task["batch"]]]
        torch.stack([transform(Image.open(file).convert("RGB")) for file in files])
    rates.append(len(order) / (time.perf_counter() - began))
print(json.dumps({"rates": rates}))
