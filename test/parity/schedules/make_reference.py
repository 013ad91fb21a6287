"""Writes reference.json: the learning rates of torch.optim.lr_scheduler, step by step.

Run: python test/parity/schedules/make_reference.py   (needs torch)
"""

import json
import pathlib
import warnings

import torch
from torch.optim import lr_scheduler as S

warnings.filterwarnings("ignore")


def rates(lr, total, make):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    found = []
    for _ in range(total):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def case(schedule, lr, steps, epochs, make, per_epoch=False):
    found = rates(lr, epochs if per_epoch else steps * epochs, make)
    if per_epoch:
        found = [rate for rate in found for _ in range(steps)]
    return {"schedule": schedule, "learningRate": lr, "stepsPerEpoch": steps, "epochs": epochs, "rates": found}


def cosine(lr, steps, epochs, warmup, start, minimum):
    total, w = steps * epochs, round(warmup * steps)

    def make(optimizer):
        fall = S.CosineAnnealingLR(optimizer, T_max=total - w, eta_min=minimum)
        if w == 0:
            return fall
        rise = S.LinearLR(optimizer, start_factor=start, end_factor=1.0, total_iters=w)
        return S.SequentialLR(optimizer, [rise, fall], milestones=[w])

    return case(
        {"type": "cosine", "warmupEpochs": warmup, "warmupStart": start, "minLearningRate": minimum},
        lr,
        steps,
        epochs,
        make,
    )


def one_cycle(lr, steps, epochs, share, div, final, anneal):
    schedule = {"type": "oneCycle", "warmupShare": share, "divFactor": div, "finalDivFactor": final, "anneal": anneal}

    # OneCycleLR refuses a step beyond its last.
    def make(optimizer):
        scheduler = S.OneCycleLR(
            optimizer,
            max_lr=lr,
            total_steps=steps * epochs,
            pct_start=share,
            div_factor=div,
            final_div_factor=final,
            anneal_strategy=anneal,
            cycle_momentum=False,
        )
        step = scheduler.step
        scheduler.step = lambda: step() if scheduler.last_epoch < steps * epochs - 1 else None
        return scheduler

    return case(schedule, lr, steps, epochs, make)


cases = [
    case(
        {"type": "step", "every": every, "factor": factor},
        0.1,
        3,
        11,
        lambda o, e=every, f=factor: S.StepLR(o, step_size=e, gamma=f),
        per_epoch=True,
    )
    for every, factor in ((1, 0.5), (4, 0.1), (20, 0.1))
] + [
    cosine(0.1, 7, 6, 0, 0.01, 0.0),
    cosine(0.02, 5, 10, 2, 0.01, 1e-5),
    cosine(3e-4, 4, 5, 1.5, 1 / 3, 0.0),
    one_cycle(0.1, 7, 6, 0.3, 25, 1e4, "cos"),
    one_cycle(0.1, 7, 6, 0.3, 25, 1e4, "linear"),
    one_cycle(2e-3, 4, 5, 0.15, 10, 100, "cos"),
    one_cycle(0.05, 1, 3, 0.3, 25, 1e4, "cos"),
]
path = pathlib.Path(__file__).parent / "reference.json"
path.write_text(json.dumps({"torch": torch.__version__, "cases": cases}, indent=None, separators=(",", ":")) + "\n")
