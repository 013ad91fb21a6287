"""Writes the weight files of the tests with the real PyTorch.

    python make_files.py fixtures DIR     small files, and expected.json with every tensor's numbers
    python make_files.py full DIR         a whole VGG19-BN as zip, legacy, oldest legacy and safetensors

Needs torch, numpy and safetensors; `full` needs torchvision.
"""
import json
import pickle
import struct
import sys
from collections import OrderedDict
from pathlib import Path

import torch


def rebuild_tensor_v1(tensor):
    """What PyTorch before 0.4 wrote for a tensor: no gradients, no hooks."""
    return torch._utils._rebuild_tensor, (tensor.storage(), tensor.storage_offset(), tuple(tensor.size()), tensor.stride())


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
        pickle.dump({"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, file, protocol=2)
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
        plain=base, transposed=base.t(), part=base[1:, 1:3], every_second=torch.arange(10.0)[1::2], half=base.half(), bfloat=base.bfloat16(),
        double=base.double(), long=torch.tensor([1, -2, 2**40]), int=torch.tensor([7], dtype=torch.int32), short=torch.tensor([-3], dtype=torch.int16),
        byte=torch.tensor([255], dtype=torch.uint8), bool=torch.tensor([True, False]), scalar=torch.tensor(5.5), empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(torch.ones(2)), expanded=torch.tensor([3.0]).expand(2, 2))


def numbers(tensors):
    return {name: {"shape": list(t.shape), "values": t.detach().double().flatten().tolist()} for name, t in tensors.items()}


class Attack:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        import os
        return os.system, (f"touch {self.marker}",)


def tiny(folder):
    """A trained-looking tiny network in half precision, wrapped, with a transposed weight; and what PyTorch says with it."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "network"))
    from reference import build, images
    model = build("tiny").eval()
    state = OrderedDict((k, v.half() if v.is_floating_point() else v) for k, v in model.state_dict().items())
    model.load_state_dict(state)
    state["classifier.3.weight"] = state["classifier.3.weight"].t().contiguous().t()
    torch.save({"epoch": 1, "state_dict": OrderedDict(("module." + k, v) for k, v in state.items())}, f"{folder}/tiny-half.pth")
    with torch.no_grad():
        return torch.softmax(model(images(range(4), 32)), 1).double().tolist()


def fixtures(folder):
    from safetensors.torch import save_file
    tensors = various()
    torch.save(tensors, f"{folder}/zip.pth")
    torch.save(tensors, f"{folder}/legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(dict(tensors), f"{folder}/dict.pth")
    torch.save({"epoch": 3, "best": 0.5, "optimizer": {"state": {0: torch.ones(3)}},
                "state_dict": OrderedDict(("module." + k, v) for k, v in tensors.items())}, f"{folder}/nested.pth")
    torch.save({"model": tensors, "args": None}, f"{folder}/model-legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"model": tensors, "state_dict": tensors}, f"{folder}/two.pth")
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    torch.save(model, f"{folder}/whole.pth")
    torch.jit.script(model).save(f"{folder}/script.pth")
    torch.save({"weights": tensors["plain"], "x": Attack("MARKER")}, f"{folder}/attack.pth")
    torch.save(Attack("MARKER"), f"{folder}/attack-legacy.pth", _use_new_zipfile_serialization=False)
    plain = OrderedDict((k, v) for k, v in tensors.items() if v.dtype in (torch.float32, torch.int64) and k != "parameter")
    save_oldest(plain, f"{folder}/oldest.pth")
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, f"{folder}/python.safetensors", metadata={"made": "in Python"})
    torch.save(torch.tensor([1.0]), f"{folder}/single.pth")
    with open(f"{folder}/expected.json", "w") as file:
        json.dump({"torch": torch.__version__, "tensors": numbers(tensors), "tiny": tiny(folder)}, file, indent=1)


def full(folder):
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
    from safetensors.torch import save_file
    torch.manual_seed(0)
    tensors = torchvision.models.vgg19_bn().state_dict()
    torch.save(tensors, f"{folder}/zip.pth")
    torch.save(tensors, f"{folder}/legacy.pth", _use_new_zipfile_serialization=False)
    save_oldest(OrderedDict((k, v) for k, v in tensors.items() if not k.endswith("num_batches_tracked")), f"{folder}/oldest.pth")
    save_file(tensors, f"{folder}/python.safetensors")


if __name__ == "__main__":
    {"fixtures": fixtures, "full": full}[sys.argv[1]](sys.argv[2])
