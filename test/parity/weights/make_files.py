"""Writes the weight files of the tests with the real PyTorch.

    python make_files.py fixtures DIR     small files, and expected.json with every tensor's numbers
    python make_files.py checkpoints DIR  what trainings write: a tiny network wrapped, beside other things, in shards
    python make_files.py foreign DIR      files of other formats
    python make_files.py full DIR         a whole VGG19-BN as zip, legacy, oldest legacy and safetensors

Needs torch, numpy and safetensors; `full` needs torchvision.
"""

import argparse
import json
import pickle
import random
import struct
import sys
from collections import Counter, OrderedDict
from pathlib import Path

import torch


def rebuild_tensor_v1(tensor):
    """What PyTorch before 0.4 wrote for a tensor: no gradients, no hooks."""
    return torch._utils._rebuild_tensor, (
        tensor.storage(),
        tensor.storage_offset(),
        tuple(tensor.size()),
        tensor.stride(),
    )


def save_oldest(tensors, path):
    """The legacy stream with the first _rebuild_tensor, as the oldest checkpoints have it."""
    storages = OrderedDict()

    class Pickler(pickle.Pickler):
        def reducer_override(self, value):
            return rebuild_tensor_v1(value) if isinstance(value, torch.Tensor) else NotImplemented

        def persistent_id(self, value):
            if not isinstance(value, torch.storage.TypedStorage):
                return None
            key = str(value._cdata)
            storages[key] = value
            kind = getattr(torch, {torch.float32: "FloatStorage", torch.int64: "LongStorage"}[value.dtype])
            return ("storage", kind, key, "cpu", value.size(), None)

    with open(path, "wb") as file:
        pickle.dump(0x1950A86A20F9469CFC6C, file, protocol=2)
        pickle.dump(1001, file, protocol=2)
        pickle.dump(
            {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}},
            file,
            protocol=2,
        )
        # By reference, torch.FloatStorage is a class that pickle finds by its name.
        Pickler(file, protocol=2).dump(tensors)
        pickle.dump(sorted(storages.keys()), file, protocol=2)
        for key in sorted(storages.keys()):
            storage = storages[key]
            file.write(struct.pack("<q", storage.size()))
            file.write(bytes(storage._untyped_storage))


def various():
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4) / 7
    return OrderedDict(
        plain=base,
        transposed=base.t(),
        part=base[1:, 1:3],
        every_second=torch.arange(10.0)[1::2],
        half=base.half(),
        bfloat=base.bfloat16(),
        double=base.double(),
        long=torch.tensor([1, -2, 2**40]),
        int=torch.tensor([7], dtype=torch.int32),
        short=torch.tensor([-3], dtype=torch.int16),
        byte=torch.tensor([255], dtype=torch.uint8),
        bool=torch.tensor([True, False]),
        scalar=torch.tensor(5.5),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(torch.ones(2)),
        expanded=torch.tensor([3.0]).expand(2, 2),
    )


def numbers(tensors):
    return {
        name: {"shape": list(t.shape), "values": t.detach().double().flatten().tolist()} for name, t in tensors.items()
    }


class Attack:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.marker}",)


def tiny(folder):
    """A trained-looking tiny network in half precision, wrapped, with a transposed weight; and PyTorch's output."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "network"))
    from reference import build, images

    model = build("tiny").eval()
    state = OrderedDict((k, v.half() if v.is_floating_point() else v) for k, v in model.state_dict().items())
    model.load_state_dict(state)
    state["classifier.3.weight"] = state["classifier.3.weight"].t().contiguous().t()
    torch.save(
        {"epoch": 1, "state_dict": OrderedDict(("module." + k, v) for k, v in state.items())}, f"{folder}/tiny-half.pth"
    )
    with torch.no_grad():
        return torch.softmax(model(images(range(4), 32)), 1).double().tolist()


def fixtures(folder):
    from safetensors.torch import save_file

    tensors = various()
    torch.save(tensors, f"{folder}/zip.pth")
    torch.save(tensors, f"{folder}/legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(dict(tensors), f"{folder}/dict.pth")
    torch.save(
        {
            "epoch": 3,
            "best": 0.5,
            "optimizer": {"state": {0: torch.ones(3)}},
            "state_dict": OrderedDict(("module." + k, v) for k, v in tensors.items()),
        },
        f"{folder}/nested.pth",
    )
    torch.save({"model": tensors, "args": None}, f"{folder}/model-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"model": tensors, "state_dict": tensors}, f"{folder}/two.pth")
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(model, f"{folder}/whole.pth")
    torch.jit.script(model).save(f"{folder}/script.pth")
    torch.save({"weights": tensors["plain"], "x": Attack("MARKER")}, f"{folder}/attack.pth")
    torch.save(Attack("MARKER"), f"{folder}/attack-legacy.pth", _use_new_zipfile_serialization=False)
    plain = OrderedDict(
        (k, v) for k, v in tensors.items() if v.dtype in (torch.float32, torch.int64) and k != "parameter"
    )
    save_oldest(plain, f"{folder}/oldest.pth")
    save_file(
        {k: v.contiguous().clone() for k, v in tensors.items()},
        f"{folder}/python.safetensors",
        metadata={"made": "in Python"},
    )
    torch.save(torch.tensor([1.0]), f"{folder}/single.pth")
    with open(f"{folder}/expected.json", "w") as file:
        json.dump({"torch": torch.__version__, "tensors": numbers(tensors), "tiny": tiny(folder)}, file, indent=1)


def small_tiny():
    """The tiny network; every tensor but the head's repeats one number, so that a file of it has few bytes."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "network"))
    from reference import build

    torch.manual_seed(5)
    model = build("tiny").eval()
    for i, (name, tensor) in enumerate(model.state_dict(keep_vars=True).items()):
        if tensor.is_floating_point() and not name.startswith("classifier.6."):
            value = 0.5 + 0.01 * i if tensor.dim() == 1 else 0.02 - 0.001 * i
            tensor.data = torch.tensor([value]).expand(tensor.shape)
    return model


def odd_objects():
    """Everything that torch.load(weights_only=True) takes beside tensors of plain numbers."""
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.note = "an attribute"
    return {
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "set": {1, 2},
        "counter": Counter("abca"),
        "bytes": b"\x00\xffab",
        "bytearray": bytearray(b"xy"),
        "complex": 1 + 2j,
        "size": torch.Size([1, 2]),
        "layout": torch.strided,
        "none": None,
        "tuple": (1, ("a", 2.5)),
        "long": 2**80,
        "negative": -(2**40),
        "rng_state": torch.get_rng_state(),
        "random_state": random.Random(1).getstate(),
        "epoch": torch.tensor(7),
        "best": torch.tensor(0.91),
        "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "sparse": torch.eye(3).to_sparse(),
        "complex_tensor": torch.tensor([1j]),
        "uint16": torch.tensor([1, 2], dtype=torch.uint16),
        "float8": torch.ones(2).to(torch.float8_e4m3fn),
        "meta": torch.empty(2, device="meta"),
        "parameter": parameter,
        "nested": {"deep": {"deeper": [torch.ones(1), {"x": set()}]}},
    }


def training(model):
    """An optimizer and a scheduler that have made a step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    optimizer.state[next(model.parameters())]["momentum_buffer"] = torch.ones(2)
    return optimizer.state_dict(), torch.optim.lr_scheduler.StepLR(optimizer, 2).state_dict()


def checkpoints(folder):
    model = small_tiny()
    from reference import images  # small_tiny has put it on the path

    state = model.state_dict()
    optimizer, scheduler = training(model)

    def prefixed(prefix):
        return OrderedDict((prefix + k, v) for k, v in state.items())

    parallel = torch.nn.DataParallel(model).state_dict()
    # Its names and its count, with tensors that share their numbers as the others do.
    averaged = OrderedDict(
        (k, state.get(k.removeprefix("module."), v))
        for k, v in torch.optim.swa_utils.AveragedModel(model).state_dict().items()
    )
    features_only = OrderedDict((k.replace("features.", "features.module.", 1), v) for k, v in state.items())
    lightning = {
        "epoch": 3,
        "global_step": 100,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": OrderedDict(
            [*prefixed("net.").items(), ("criterion.weight", torch.ones(2)), ("train_acc.tp", torch.zeros(2))]
        ),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 4}}}},
        "callbacks": {
            "ModelCheckpoint{'monitor': 'val_loss'}": {
                "best_model_score": torch.tensor(0.25),
                "best_k_models": {"a.ckpt": torch.tensor(0.25)},
            }
        },
        "optimizer_states": [optimizer],
        "lr_schedulers": [scheduler],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.1, "dtype": torch.float32},
    }
    files = {
        "imagenet-example": {
            "epoch": 9,
            "arch": "vgg11",
            "state_dict": features_only,
            "best_acc1": torch.tensor(71.5),
            "optimizer": optimizer,
            "scheduler": scheduler,
        },
        "parallel": {"epoch": torch.tensor(4), "model": parallel, "rng": torch.get_rng_state()},
        "compiled": torch.compile(model).state_dict(),
        "parallel-compiled": torch.nn.DataParallel(torch.compile(model)).state_dict(),
        "averaged": averaged,
        "lightning": lightning,
        "objects": {**odd_objects(), "state_dict": state},
        "objects-inside": OrderedDict(
            [*state.items(), *((k, v) for k, v in odd_objects().items() if not isinstance(v, (torch.Tensor, dict)))]
        ),
        "ema-only": {"epoch": torch.tensor(3), "state_dict_ema": state, "optimizer": optimizer},
        "ema": {
            "model": state,
            "model_ema": averaged,
            "args": argparse.Namespace(lr=0.1, device=torch.device("cpu")),
            "epoch": 2,
        },
        "deep": {"checkpoint": {"step": 3, "model": prefixed("backbone.encoder.")}, "config": {"a": 1}},
        "own-key": {"my_weights": state, "best": torch.tensor(0.5)},
        "parameters": dict(model.named_parameters()) | dict(model.named_buffers()),
        "two-networks": {"net": state, "model": OrderedDict((k, v.clone()) for k, v in list(state.items())[:3])},
        "two-encoders": {
            "state_dict": OrderedDict(
                [
                    *prefixed("module.encoder_q.").items(),
                    *prefixed("module.encoder_k.").items(),
                    ("module.queue", torch.ones(2, 3)),
                ]
            )
        },
    }
    for name, value in files.items():
        torch.save(value, f"{folder}/{name}.pth")
        torch.load(
            f"{folder}/{name}.pth", weights_only=name != "ema"
        )  # PyTorch takes all of them; the Namespace is not its own
    legacy = {
        k: v for k, v in odd_objects().items() if k not in ("float8", "uint16")
    }  # PyTorch itself does not read these back
    torch.save({**legacy, "state_dict": state}, f"{folder}/objects-legacy.pth", _use_new_zipfile_serialization=False)
    torch.load(f"{folder}/objects-legacy.pth", weights_only=True)
    for protocol in (3, 4, 5):
        torch.save(
            {**odd_objects(), "frozen": frozenset([1]), "state_dict": state},
            f"{folder}/protocol-{protocol}.pth",
            pickle_protocol=protocol,
        )
    torch.save(
        {"state_dict": {"w": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)}}, f"{folder}/quantized.pth"
    )
    sharded(folder)
    with torch.no_grad():
        expected = torch.softmax(model(images(range(4), 32)), 1).double().tolist()
    with open(f"{folder}/expected.json", "w") as file:
        json.dump(
            {"torch": torch.__version__, "probabilities": expected, "shards": numbers(shard_tensors())}, file, indent=1
        )


def shard_tensors():
    return {
        "module.a": torch.arange(6.0).reshape(2, 3),
        "module.b": torch.arange(4).half(),
        "module.c": torch.tensor(5),
    }


def sharded(folder):
    """As Hugging Face's libraries split a large file: an index, and shards that it names."""
    from safetensors.torch import save_file

    tensors = shard_tensors()
    shards = {
        "model-00001-of-00002.safetensors": ["module.a", "module.b"],
        "model-00002-of-00002.safetensors": ["module.c"],
    }
    for file, names in shards.items():
        save_file({name: tensors[name] for name in names}, f"{folder}/{file}", metadata={"format": "pt"})
    index = {
        "metadata": {"total_size": 40},
        "weight_map": {name: file for file, names in shards.items() for name in names},
    }
    Path(f"{folder}/model.safetensors.index.json").write_text(json.dumps(index, indent=2))


def foreign(folder):
    """Files of other formats, by what writes them."""
    import numpy

    numpy.savez(f"{folder}/arrays.npz", a=numpy.ones(2))
    numpy.save(f"{folder}/array.npy", numpy.ones(2))
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.jit.script(model).save(f"{folder}/script.pt")
    torch.export.save(torch.export.export(model, (torch.ones(1, 2),)), f"{folder}/exported.pt2")


def full(folder):
    sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "scripts"))
    from measure_pytorch import load_torchvision

    models = load_torchvision(torch)
    from safetensors.torch import save_file

    torch.manual_seed(0)
    tensors = models.vgg19_bn().state_dict()
    torch.save(tensors, f"{folder}/zip.pth")
    torch.save(tensors, f"{folder}/legacy.pth", _use_new_zipfile_serialization=False)
    save_oldest(
        OrderedDict((k, v) for k, v in tensors.items() if not k.endswith("num_batches_tracked")), f"{folder}/oldest.pth"
    )
    save_file(tensors, f"{folder}/python.safetensors")


if __name__ == "__main__":
    {"fixtures": fixtures, "checkpoints": checkpoints, "foreign": foreign, "full": full}[sys.argv[1]](sys.argv[2])
