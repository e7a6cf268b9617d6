"""Train a small network on a dataset: python examples/train_voltages.py FOLDER [--epochs N].

It learns the voltages of AC power flows from demands and from what is out of service.
FOLDER is a dataset in arrays (export.py --to numpy). PyTorch is needed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from gat_batch.datasets.array_dataset import ArrayDataset

NAMES = ("demand", "live", "running", "voltage")


def main() -> None:
    """Parse the arguments, train, and print the errors of voltages that weren't trained on."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    loaders = {
        split: DataLoader(
            ArrayDataset(arguments.folder, split, names=NAMES),
            batch_size=64,
            shuffle=split == "train",
            num_workers=arguments.workers,
        )
        for split in ("train", "validation")
    }
    center, spread = scale(loaders["train"])
    inputs, targets = (len(values) for values in (center[0], center[1]))
    model = nn.Sequential(nn.Linear(inputs, 256), nn.ReLU(), nn.Linear(256, targets))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(arguments.epochs):
        for batch in loaders["train"]:
            x, y = (
                (part - middle) / width
                for part, middle, width in zip(parts(batch), center, spread, strict=True)
            )
            loss = nn.functional.mse_loss(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        print(f"epoch {epoch + 1}: {errors(model, loaders['validation'], center, spread)}")


def parts(batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return inputs and targets of a batch, each of shape (samples, numbers)."""
    x = [batch[name].flatten(1).float() for name in ("demand", "live", "running")]
    return torch.cat(x, 1), batch["voltage"].flatten(1)


def scale(loader: DataLoader) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return mean and spread of inputs and targets, 1 where they don't vary."""
    every = [torch.cat(one) for one in zip(*(parts(batch) for batch in loader), strict=True)]
    spread = [values.std(0) for values in every]
    return [values.mean(0) for values in every], [
        torch.where(one > 1e-6, one, torch.ones_like(one)) for one in spread
    ]


@torch.no_grad()
def errors(model: nn.Module, loader: DataLoader, center: list, spread: list) -> str:
    """Return the mean errors of magnitudes and angles."""
    total, count = torch.zeros(2), 0
    for batch in loader:
        x, _ = parts(batch)
        found = model((x - center[0]) / spread[0]) * spread[1] + center[1]
        difference = (found.reshape(batch["voltage"].shape) - batch["voltage"]).abs()
        total += difference.mean(1).sum(0)
        count += len(x)
    magnitude, angle = (total / max(1, count)).tolist()
    return f"{magnitude:.2e} p.u., {angle:.2e} degrees"


if __name__ == "__main__":
    main()
