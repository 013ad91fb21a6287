"""One way of loading VGG19-BN in PyTorch: python load_peer.py pth|safetensors FILE.

Prints seconds and peak memory as JSON. The network is made first and is not timed; what is timed is reading the file
into it.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import torch  # noqa: E402
from measure_pytorch import load_torchvision, peak_memory  # noqa: E402

torch.set_num_threads(2)
kind, file = sys.argv[1:3]
network = load_torchvision(torch).vgg19_bn()
if kind == "safetensors":
    from safetensors.torch import load_file
baseline = peak_memory()
began = time.perf_counter()
state = load_file(file) if kind == "safetensors" else torch.load(file, weights_only=True)
network.load_state_dict(state, strict=False)
print(json.dumps({"seconds": time.perf_counter() - began, "peak": peak_memory(), "baseline": baseline}))
