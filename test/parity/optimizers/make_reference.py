"""Makes the numbers that torch.optim, clip_grad_norm_, CrossEntropyLoss and AveragedModel give for the tiny network.

    python make_reference.py OUT.json

Needs torch and torchvision. The recipe is that of ../network/reference.py: torch.manual_seed(0), made-up images of
32 x 32 pixels, five windows of two micro-batches of four. A few entries of every tensor are kept.

Adam and RMSprop divide a gradient by its own size. The biases in front of batch norm have no gradient but rounding
noise, which an epsilon of 1e-8 would blow up to whole steps that no two machines or kernels share (1e-5 still leaves
3e-4); hence 1e-3, and 1e-2 for the centered RMSprop with momentum.
"""

import json
import pathlib
import sys

import torch
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "network"))
from reference import MICRO_BATCH, STEPS, WINDOW, build, images, labels, micro_batch, sample  # noqa: E402


def grouped(model):
    features = [p for n, p in model.named_parameters() if n.startswith("features.")]
    last = [p for n, p in model.named_parameters() if n.startswith("classifier.6.")]
    rest = [p for n, p in model.named_parameters() if not n.startswith(("features.", "classifier.6."))]
    return [
        dict(params=features, lr=0.001, weight_decay=0.01),
        dict(params=last, lr=0.02, weight_decay=0.0),
        dict(params=rest),
    ]


def sgd(model, **options):
    return torch.optim.SGD(
        [p for p in model.parameters() if p.requires_grad], lr=0.01, momentum=0.9, weight_decay=1e-4, **options
    )


def freeze(model):
    """Trains the last convolution, its batch norm and the head; the first two batch norms keep their statistics."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(("features.8.", "features.9.", "classifier.")))
    model.features[1].eval()
    model.features[5].eval()


SCENARIOS = {
    "adam": dict(
        make=lambda m: torch.optim.Adam(m.parameters(), lr=0.002, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.01)
    ),
    "adamw": dict(
        make=lambda m: torch.optim.AdamW(m.parameters(), lr=0.002, betas=(0.9, 0.999), eps=1e-3, weight_decay=0.1)
    ),
    "adamw-groups": dict(
        make=lambda m: torch.optim.AdamW(grouped(m), lr=0.002, betas=(0.9, 0.999), eps=1e-3, weight_decay=0.1)
    ),
    "sgd-groups": dict(
        make=lambda m: torch.optim.SGD(grouped(m), lr=0.01, momentum=0.9, weight_decay=1e-4, nesterov=True)
    ),
    "rmsprop": dict(
        make=lambda m: torch.optim.RMSprop(m.parameters(), lr=0.002, alpha=0.9, eps=1e-3, weight_decay=0.01)
    ),
    "rmsprop-centered": dict(
        make=lambda m: torch.optim.RMSprop(
            grouped(m), lr=0.002, alpha=0.95, eps=1e-2, momentum=0.8, centered=True, weight_decay=0.1
        )
    ),
    "clipping": dict(make=sgd, max_norm=1.5),
    "smoothing": dict(make=sgd, smoothing=0.1, weights=torch.tensor([0.7, 1.6])),
    "average": dict(make=sgd, decay=0.7),
    "frozen": dict(make=sgd, prepare=freeze),
}


def run(make, max_norm=None, smoothing=0.0, weights=None, decay=None, prepare=None):
    model = build("tiny").train()
    if prepare:
        prepare(model)
    optimizer = make(model)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True) if decay else None
    objectives, losses, norms = [], [], []
    for step in range(STEPS):
        optimizer.zero_grad()
        for part in range(WINDOW):
            chosen = micro_batch(step, part)
            torch.manual_seed(1000 + step * WINDOW + part)
            logits, wanted = model(images(chosen, 32)), labels(chosen)
            total = F.cross_entropy(logits, wanted, weight=weights, label_smoothing=smoothing, reduction="sum")
            objective = total / (WINDOW * MICRO_BATCH)
            objective.backward()
            objectives.append(objective.item())
            losses += F.cross_entropy(logits, wanted, reduction="none").tolist()
        if max_norm:
            norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm).item())
        optimizer.step()
        if average:
            average.update_parameters(model)
    sections = {
        "trained": model.state_dict(),
        "objectives": {"objectives": torch.tensor(objectives)},
        "losses": {"losses": torch.tensor(losses)},
    }
    if max_norm:
        sections["norms"] = {"norms": torch.tensor(norms)}
    if average:
        # An integer is not averaged on our side: num_batches_tracked of the average is the network's own.
        own = model.state_dict()
        sections["average"] = {
            k: v if v.is_floating_point() else own[k] for k, v in average.module.state_dict().items()
        }
    return sections


def main():
    result = {"torch": torch.__version__, "scenarios": {}}
    for name, options in SCENARIOS.items():
        result["scenarios"][name] = {
            section: {
                k: sample(v, min(v.numel(), 8 if section in ("trained", "average") else 64)) for k, v in tensors.items()
            }
            for section, tensors in run(**options).items()
        }
    with open(sys.argv[1], "w") as file:
        json.dump(result, file, separators=(",", ":"))


if __name__ == "__main__":
    main()
