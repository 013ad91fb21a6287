"""Makes the numbers that PyTorch and torchvision give for the networks, with the recipe of recipe.ts.

    python reference.py fixture OUT.json ARCH...
        a few entries of every tensor, for the committed fixture: added to what OUT.json has, under the name of the
        processor's instructions
    python reference.py dump DIR ARCH
        everything, as safetensors, for the live comparison
    python reference.py truth DIR ARCH SEED
        the recipe without dropout in float64, and in float32 in both of PyTorch's memory formats, for truth.cjs:
        DIR/float64, DIR/float32, DIR/channels_last

Needs torch, torchvision and safetensors. The recipe: torch.manual_seed(0), a network for two classes, made-up images of
32 x 32 pixels (64 x 64 for all but VGG); logits in evaluation mode; gradients after one window of two micro-batches of
four; losses, weights and running statistics after five windows with SGD; Grad-CAM of the trained network.
"""

import json
import os
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
from measure_pytorch import load_torchvision  # noqa: E402

load_torchvision(torch)
import torchvision  # noqa: E402
from torchvision.models import vgg  # noqa: E402

MICRO_BATCH, WINDOW, STEPS = 4, 2, 5
# As many as recipe.ts has: sums over other parts round otherwise, and five steps with batch norm enlarge that.
torch.set_num_threads(2)
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
SGD = dict(momentum=0.9, weight_decay=1e-4)


class Tiny(vgg.VGG):
    """The tiny row: torchvision's VGG with fewer channels, a 4 x 4 pool, 64 hidden units and a livelier head."""

    def __init__(self):
        nn.Module.__init__(self)
        self.features = vgg.make_layers([16, "M", 32, "M", 64, "M"], batch_norm=True)
        self.avgpool = nn.AdaptiveAvgPool2d((4, 4))
        self.classifier = nn.Sequential(
            nn.Linear(64 * 16, 64),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(64, 64),
            nn.ReLU(True),
            nn.Dropout(),
            nn.Linear(64, 2),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.08)
                nn.init.zeros_(module.bias)


def build(name, seed=0):
    torch.manual_seed(seed)
    return Tiny() if name == "tiny" else getattr(torchvision.models, name)(num_classes=2)


def side_for(name):
    """Of 32 pixels all but VGG leave one or none, and batch statistics of four numbers."""
    return 64 if name.startswith(("resnet", "densenet", "squeezenet", "efficientnet")) else 32


def learning_rate(name):
    """At 0.01 EfficientNet's loss grows from 1 to 31 in the five steps, and every last bit's difference with it."""
    return 0.001 if name.startswith("efficientnet") else 0.01


def image(index, side):
    k = torch.arange(side * side * 3, dtype=torch.int64)
    values = (k * (7 + 2 * (index % 5)) + index * 31 + (k * k) // 128 * (1 + index % 2)) % 256
    return values.view(side, side, 3).permute(2, 0, 1)


def images(indices, side):
    x = torch.stack([image(i, side) for i in indices]).to(torch.uint8).float().div(255)
    return (x - MEAN) / STD


def labels(indices):
    return torch.tensor([i % 2 for i in indices])


def micro_batch(step, part):
    start = (step * WINDOW + part) * MICRO_BATCH
    return list(range(start, start + MICRO_BATCH))


def last_maps(model, x):
    """The last block's activations in front of the pooling, and the rest of the network behind them."""
    if isinstance(model, torchvision.models.SqueezeNet):
        return model.features(x), lambda a: torch.flatten(model.classifier(a), 1)
    if isinstance(model, torchvision.models.EfficientNet):
        return model.features(x), lambda a: model.classifier(torch.flatten(model.avgpool(a), 1))
    if hasattr(model, "fc"):  # ResNet
        for layer in (
            model.conv1,
            model.bn1,
            model.relu,
            model.maxpool,
            model.layer1,
            model.layer2,
            model.layer3,
            model.layer4,
        ):
            x = layer(x)
        return x, lambda a: model.fc(torch.flatten(model.avgpool(a), 1))
    if hasattr(model.features, "denseblock1"):
        return F.relu(model.features(x)), lambda a: model.classifier(torch.flatten(F.adaptive_avg_pool2d(a, (1, 1)), 1))
    last = max(i for i, layer in enumerate(model.features) if isinstance(layer, nn.ReLU))
    for layer in model.features[: last + 1]:
        x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
    return x, lambda a: model.classifier(torch.flatten(model.avgpool(model.features[last + 1 :](a)), 1))


def grad_cam(model, x):
    """Of the predicted class at the last convolutional block's output (VGG: the ReLU before the last pool)."""
    with torch.no_grad():
        activation, rest = last_maps(model, x)
    activation = activation.detach().requires_grad_(True)
    logits = rest(activation)
    score = logits.gather(1, logits.argmax(1, keepdim=True)).sum()
    (gradient,) = torch.autograd.grad(score, activation)
    return (gradient.mean((2, 3), keepdim=True) * activation).sum(1).relu().detach()


def run(name, seed=0, dtype=torch.float32, memory_format=torch.contiguous_format, dropout=True):
    """All tensors of the recipe, by section."""
    model, side = build(name, seed).to(dtype=dtype).to(memory_format=memory_format), side_for(name)
    if not dropout:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    pixels = lambda chosen: images(chosen, side).to(dtype=dtype).contiguous(memory_format=memory_format)  # noqa: E731
    sections = {"init": {k: v.clone() for k, v in model.state_dict().items()}}
    model.eval()
    with torch.no_grad():
        sections["logits"] = {"logits": model(pixels(range(4)))}
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate(name), **SGD)
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        for part in range(WINDOW):
            chosen = micro_batch(step, part)
            torch.manual_seed(1000 + step * WINDOW + part)
            loss = F.cross_entropy(model(pixels(chosen)), labels(chosen), reduction="sum") / (WINDOW * MICRO_BATCH)
            losses.append(loss.item())
            loss.backward()
        if step == 0:
            sections["gradients"] = {k: p.grad.clone() for k, p in model.named_parameters()}
        optimizer.step()
    sections["trained"] = {k: v.clone() for k, v in model.state_dict().items()}
    sections["losses"] = {"losses": torch.tensor(losses)}
    model.eval()
    sections["cam"] = {"cam": grad_cam(model, pixels(range(4)))}
    return sections


def truth(target, name, seed):
    from pathlib import Path
    from safetensors.torch import save_file

    kinds = {
        "float64": dict(dtype=torch.float64),
        "float32": {},
        "channels_last": dict(memory_format=torch.channels_last),
    }
    for kind, options in kinds.items():
        Path(target, kind).mkdir()
        for section, tensors in run(name, seed, dropout=False, **options).items():
            # VGG's two widest linear layers are LibTorch's own on every side, and nine tenths of the bytes.
            kept = {k: v.contiguous() for k, v in tensors.items() if v.numel() < 10_000_000}
            if section != "init":
                save_file(kept, f"{target}/{kind}/{section}.safetensors")


def sample(tensor, count=8):
    flat = tensor.double().flatten()
    positions = (
        [] if len(flat) == 0 else [i * (len(flat) - 1) // max(1, count - 1) for i in range(min(count, len(flat)))]
    )
    return {
        "norm": float(f"{flat.norm().item():.12g}"),
        "positions": positions,
        "values": [float(f"{flat[i].item():.9g}") for i in positions],
    }


def main():
    mode, target, *names = sys.argv[1:]
    if mode == "truth":
        return truth(target, names[0], int(names[1]))
    if mode == "dump":
        from safetensors.torch import save_file

        for section, tensors in run(names[0]).items():
            save_file({k: v.contiguous() for k, v in tensors.items()}, f"{target}/{section}.safetensors")
        return
    result = json.load(open(target)) if os.path.exists(target) else {"processors": {}}
    result |= {"torch": torch.__version__, "torchvision": torchvision.__version__}
    # PyTorch rounds otherwise on other instructions, and five steps with batch norm enlarge that. Other kinds than this
    # machine's own are reached with ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41.
    architectures = result["processors"].setdefault(torch.backends.cpu.get_cpu_capability(), {})
    for name in names:
        architectures[name] = {
            section: {
                k: sample(v, 64 if k in ("logits", "losses", "cam") else 8 if len(tensors) < 100 else 2)
                for k, v in tensors.items()
            }
            for section, tensors in run(name).items()
        }
    with open(target, "w") as file:
        json.dump(result, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
