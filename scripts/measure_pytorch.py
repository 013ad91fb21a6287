"""Run by `covidct doctor --arch --python`: trains or predicts once with torchvision's network in PyTorch and tells how
much memory that took. The task is JSON in the first argument, the answer JSON in the last line."""

import json
import sys


def peak_memory():
    if sys.platform == "linux":
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def load_torchvision(torch):
    """Also where torchvision's own operators, which no classifier uses, do not fit this torch."""
    try:
        import torchvision.models
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision.models

        torchvision.kept_library = library
    return torchvision.models


def main(task):
    import torch

    models = load_torchvision(torch)
    if not hasattr(models, task["architecture"]):
        raise SystemExit(f"torchvision has no {task['architecture']}")
    if task["threads"] > 0:
        torch.set_num_threads(task["threads"])
    batch, side = task["batchSize"], task["imageSize"]
    images = torch.rand(batch, 3, side, side)
    labels = torch.arange(batch) % 2
    baseline = peak_memory()
    network = getattr(models, task["architecture"])(num_classes=2)
    if task["mode"] == "prediction":
        network.eval()
        with torch.inference_mode():
            for _ in range(2):
                network(images)
    else:
        optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
        for _ in range(2):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
    print(json.dumps({"peak": peak_memory(), "baseline": baseline}))


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except ImportError as error:
        raise SystemExit(f"{sys.executable}: {error}; expected a Python with torch and torchvision")
