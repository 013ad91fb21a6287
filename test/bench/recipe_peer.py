"""The peer's half of recipe.cjs: the recipe as a tutorial's reader writes it in PyTorch.

One process, images decoded in every epoch.
"""

import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import torch  # noqa: E402
from measure_pytorch import load_torchvision  # noqa: E402

load_torchvision(torch)
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from sklearn.metrics import roc_auc_score  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402
from torch.utils.tensorboard import SummaryWriter  # noqa: E402
from torchvision import models, transforms  # noqa: E402


class Slices(Dataset):
    def __init__(self, samples, transform):
        self.samples = samples
        self.transform = transform

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        sample = self.samples[index]
        return self.transform(Image.open(sample["source"]).convert("RGB")), sample["label"]


def validate(model, loader, loss_of, device):
    model.eval()
    total, scores, predicted, labels = 0.0, [], [], []
    with torch.no_grad():
        for images, targets in loader:
            images, targets = images.to(device), targets.to(device)
            output = model(images)
            total += loss_of(output, targets).item()
            scores += torch.softmax(output, 1)[:, 1].tolist()
            predicted += output.argmax(1).tolist()
            labels += targets.tolist()
    auc = roc_auc_score(labels, scores) if len(set(labels)) == 2 else float("nan")
    return {
        "validationLoss": total / len(loader),
        "validationAccuracy": sum(p == t for p, t in zip(predicted, labels)) / len(labels),
        "auc": auc,
    }


def train(model, loader, loss_of, optimizer, device, precision):
    model.train()
    total = 0.0
    for number, (images, targets) in enumerate(loader):
        images, targets = images.to(device), targets.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = loss_of(model(images), targets) / 8
        total += loss.item()
        loss.backward()
        if number % 8 == 0:
            optimizer.step()
            optimizer.zero_grad()
    return total * 8 / len(loader)


def main():
    with open(sys.argv[1]) as file:
        task = json.load(file)
    if task["threads"] > 0:
        torch.set_num_threads(task["threads"])
    wish = task["device"]
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if wish == "auto" else wish)
    if task["precision"] == "tf32":
        torch.backends.cuda.matmul.allow_tf32 = True
    else:
        torch.backends.cudnn.allow_tf32 = False
    side = task["imageSize"]
    augmented = transforms.Compose(
        [
            transforms.Resize(round(side * 256 / 224)),
            transforms.RandomResizedCrop(side, scale=(0.5, 1.0)),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0, 0, 0], [1, 1, 1]),
        ]
    )
    plain = transforms.Compose(
        [transforms.Resize((side, side)), transforms.ToTensor(), transforms.Normalize([0, 0, 0], [1, 1, 1])]
    )
    model = models.get_model(task["arch"], weights=None, num_classes=len(task["classes"]))
    model.load_state_dict(load_file(task["weights"]))
    model.to(device)
    began = time.perf_counter()
    torch.manual_seed(0)
    trainset = DataLoader(Slices(task["splits"]["train"], augmented), batch_size=8, shuffle=True)
    validation = DataLoader(Slices(task["splits"]["validation"], plain), batch_size=8)
    loss_of = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    writer = SummaryWriter(task["out"] + "-peer-logs")
    seconds, best, last = [], -1.0, {}
    for epoch in range(task["epochs"]):
        start = time.perf_counter()
        train_loss = train(model, trainset, loss_of, optimizer, device, task["precision"])
        figures = validate(model, validation, loss_of, device)
        last = {
            "trainLoss": train_loss,
            "validationLoss": figures["validationLoss"],
            "validationAccuracy": figures["validationAccuracy"],
        }
        if last["validationAccuracy"] > best:
            best = last["validationAccuracy"]
            torch.save(model.state_dict(), task["out"] + "-peer.pth")
        writer.add_scalars("Losses", {"train": train_loss, "validation": last["validationLoss"]}, epoch)
        seconds.append(time.perf_counter() - start)
    writer.close()
    print(json.dumps({"seconds": time.perf_counter() - began, "epochs": seconds, "device": str(device), "last": last}))


main()
