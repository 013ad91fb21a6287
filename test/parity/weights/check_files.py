"""What PyTorch says of the weight files that we wrote.

    python check_files.py halves DIR
        half.pth and bfloat.safetensors from DIR/zip.pth
    python check_files.py compare THEIRS OURS
        THEIRS by torch or safetensors, OURS by safetensors; prints counts as JSON

A file in half precision is compared as it is where ours is too, and widened to float32 where ours is that.
"""

import json
import sys

import torch
from safetensors.torch import load_file, save_file


def read(path):
    return load_file(path) if path.endswith(".safetensors") else torch.load(path, weights_only=True)


def halves(folder):
    tensors = read(f"{folder}/zip.pth")
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in tensors.items()}, f"{folder}/half.pth")
    save_file(
        {k: v.bfloat16() if v.is_floating_point() else v for k, v in tensors.items()}, f"{folder}/bfloat.safetensors"
    )


def compare(theirs, ours):
    theirs, ours = read(theirs), read(ours)
    equal = sum(
        name in ours
        and torch.equal(tensor.to(ours[name].dtype) if ours[name].dtype == torch.float32 else tensor, ours[name])
        and (ours[name].dtype in (tensor.dtype, torch.float32))
        for name, tensor in theirs.items()
    )
    extra = [name for name in ours if name not in theirs]
    strange = [name for name in extra if not name.endswith("num_batches_tracked")]
    print(json.dumps({"tensors": len(theirs) + len(strange), "equal": equal, "absent": len(extra) - len(strange)}))


if __name__ == "__main__":
    {"halves": halves, "compare": compare}[sys.argv[1]](*sys.argv[2:])
