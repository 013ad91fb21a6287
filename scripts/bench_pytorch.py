"""Measures torchvision's network in PyTorch once, in a process of its own; run by `covidct bench`.

The task is JSON in the first argument, the result JSON in the last line (of a cold start: the first prediction in the
first line).
"""

import json
import os
import shutil
import sys
import time

from measure_pytorch import load_torchvision, peak_memory

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def read_images(torch, task):
    """Bytes of RGB images as the network's input, n x 3 x side x side."""
    batch, side = task["batchSize"], task["imageSize"]
    with open(task["images"], "rb") as file:
        data = bytearray(file.read(batch * side * side * 3))
    pixels = torch.frombuffer(data, dtype=torch.uint8).view(batch, side, side, 3).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    return ((pixels.float() / 255 - mean) / std).contiguous()


def make_network(torch, task, on_meta=False):
    """torchvision's network with the weights of the file; `on_meta` without making random ones first."""
    from safetensors.torch import load_file

    models = load_torchvision(torch)
    if not hasattr(models, task["architecture"]):
        raise SystemExit(f"torchvision has no {task['architecture']}")
    with torch.device("meta" if on_meta else "cpu"):
        network = getattr(models, task["architecture"])(num_classes=2)
    network.load_state_dict(load_file(task["weights"]), assign=on_meta)
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return network


def fold(torch, network):
    """Batch norms multiplied into the convolutions before them."""
    from torch.fx.experimental.optimization import fuse

    return fuse(network)


def freeze(torch, network, images):
    return torch.jit.freeze(torch.jit.trace(network, images))


def predictor(torch, task):
    """The function that is measured, by the contender's name. Returns it with its input."""
    name, images = task["contender"], read_images(torch, task)
    network = make_network(torch, task, on_meta=name == "pytorch-meta").eval()
    if name in ("pytorch-folded", "torchscript"):
        network = fold(torch, network)
    if name in ("pytorch-channels-last", "pytorch-folded"):
        network, images = network.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    if name == "torchscript":
        network = torch.jit.optimize_for_inference(freeze(torch, network, images))
    if name == "torch-compile":
        import torch._inductor.config as config

        config.freezing = True
        network = torch.compile(network)
    return lambda: network(images).tolist()


def trainer(torch, task):
    """One step of forward, backward and SGD with momentum; the function that is measured returns the loss."""
    name, images = task["contender"], read_images(torch, task)
    network = make_network(torch, task).train()
    if name == "pytorch-channels-last":
        network, images = network.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    fused = None if name == "pytorch" else True
    optimizer = torch.optim.SGD(network.parameters(), lr=task["learningRate"], momentum=0.9, fused=fused)
    labels = torch.arange(task["batchSize"]) % 2
    forward = torch.compile(network) if name == "torch-compile" else network

    def step():
        torch.manual_seed(0)  # ours has it too: stochastic depth drops the same images
        loss = torch.nn.functional.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.item()

    return step


def repeat(task, work):
    """As src/bench/repeat.ts: the first call apart, then until there are enough and they took long enough."""
    answers, times = [work()], []
    while len(times) < task["minRepeats"] or (sum(times) < task["minSeconds"] and len(times) < task["maxRepeats"]):
        began = time.perf_counter()
        answers.append(work())
        times.append(time.perf_counter() - began)
    return answers, min(times) * 1000


def predict(torch, task):
    with torch.inference_mode():
        answers, best = repeat(task, predictor(torch, task))
    return {"milliseconds": best, "numbers": sum(answers[0], []), "peakBytes": peak_memory()}


def train(torch, task):
    losses, best = repeat(task, trainer(torch, task))
    return {"milliseconds": best, "numbers": losses[:2], "peakBytes": peak_memory()}


def cold(torch, task):
    with torch.inference_mode():
        if task["contender"] == "torchscript":
            logits = torch.jit.load(task["script"])(read_images(torch, task)).tolist()
        else:
            logits = predictor(torch, task)()
    return {"numbers": sum(logits, [])}


def export_onnx(torch, task):
    images = read_images(torch, task)
    torch.onnx.export(
        make_network(torch, task).eval(),
        images,
        task["onnx"],
        dynamo=False,
        input_names=["images"],
        output_names=["logits"],
        dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
    )
    return {}


def export_script(torch, task):
    with torch.inference_mode():
        torch.jit.save(
            freeze(torch, fold(torch, make_network(torch, task).eval()), read_images(torch, task)), task["script"]
        )
    return {}


def flops(torch, task):
    """Of one image, as PyTorch counts convolutions and matrix products: a multiplication and an addition are two."""
    from torch.utils.flop_counter import FlopCounterMode

    network = getattr(load_torchvision(torch), task["architecture"], None)
    if network is None:
        raise SystemExit(f"torchvision has no {task['architecture']}")
    with torch.device("meta"):
        network, images = network(num_classes=2).train(), torch.empty(2, 3, task["imageSize"], task["imageSize"])
    with FlopCounterMode(display=False) as forward:
        logits = network(images)
    with FlopCounterMode(display=False) as backward:
        logits.sum().backward()
    return {
        "forward": forward.get_total_flops() / 2,
        "training": (forward.get_total_flops() + backward.get_total_flops()) / 2,
    }


def best_seconds(work):
    times = []
    while len(times) < 5 or sum(times) < 0.5:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def ceilings(torch, task):
    """Most that a matrix product in float32 and a copy reach with these threads."""
    products = []
    for size in (1024, 1536, 2048):
        left, right, out = torch.rand(size, size), torch.rand(size, size), torch.empty(size, size)
        products.append(
            {
                "size": size,
                "gigaflopsPerSecond": 2 * size**3 / best_seconds(lambda: torch.mm(left, right, out=out)) / 1e9,
            }
        )
    source = torch.rand(2**26)
    target = torch.empty_like(source)
    return {
        "matrixProducts": products,
        "copyGigabytesPerSecond": 2 * source.nbytes / best_seconds(lambda: target.copy_(source)) / 1e9,
    }


def probe(torch):
    """What is there: versions, and why torch.compile would not run (null where it may)."""
    import safetensors

    load_torchvision(torch)
    compiler = os.environ.get(
        "CXX", "cl" if sys.platform == "win32" else "clang++" if sys.platform == "darwin" else "g++"
    )
    versions = {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "torchvision": sys.modules["torchvision"].__version__,
        "safetensors": safetensors.__version__,
    }
    missing = None if shutil.which(compiler) else f"it needs a C++ compiler, and there is no {compiler}"
    return {"versions": versions, "cpuCapability": torch.backends.cpu.get_cpu_capability(), "noCompile": missing}


def main(task):
    import torch

    if task["mode"] == "probe":
        return probe(torch)
    torch.set_num_threads(task["threads"])
    modes = {
        "predict": predict,
        "train": train,
        "cold": cold,
        "export-onnx": export_onnx,
        "export-script": export_script,
        "flops": flops,
        "ceilings": ceilings,
    }
    return modes[task["mode"]](torch, task)


if __name__ == "__main__":
    try:
        print(json.dumps(main(json.loads(sys.argv[1]))), flush=True)
    except ImportError as error:
        raise SystemExit(f"{sys.executable}: {error}")
