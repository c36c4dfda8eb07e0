"""Training, evaluation, results (Sections 3 to 5)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
import yaml

from smoothed.model import Network, rings, smoothed_loss


def train(
    model: Network, x: torch.Tensor, labels: torch.Tensor, *, smoothing: float, steps: int, rate: float, momentum: float
) -> list[float]:
    """Gradient descent with momentum on all points; returns the loss before each step and after the last."""
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    losses: list[float] = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = smoothed_loss(model(x), labels, smoothing)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        losses.append(float(smoothed_loss(model(x), labels, smoothing)))
    return losses


def evaluate(model: Network, x: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
    """Accuracy, and the mean of the larger probability."""
    with torch.no_grad():
        probabilities = torch.softmax(model(x), dim=1)
    accuracy = (probabilities.argmax(dim=1) == labels).to(torch.float64).mean()
    return float(accuracy), float(probabilities.max(dim=1).values.mean())


def results_of(config: dict[str, Any]) -> dict[str, Any]:
    """Train with hard and with smoothed labels from the same start and measure Table 1."""
    generator = torch.Generator().manual_seed(int(config["seed"]))
    x, labels = rings(int(config["train_points"]), float(config["noise"]), generator)
    test_x, test_labels = rings(int(config["test_points"]), float(config["noise"]), generator)
    results: dict[str, Any] = {"profile": str(config["profile"]), "scale": str(config["scale"]), "not_attempted": {}}
    health: list[dict[str, Any]] = []
    for name, smoothing in (("hard", 0.0), ("smoothed", float(config["smoothing"]))):
        model = Network(int(config["hidden"]), torch.Generator().manual_seed(int(config["seed"]) + 1))
        losses = train(
            model, x, labels, smoothing=smoothing, steps=int(config["steps"]), rate=float(config["learning_rate"]),
            momentum=float(config["momentum"]),
        )
        accuracy, confidence = evaluate(model, test_x, test_labels)
        results[f"{name}_accuracy"], results[f"{name}_confidence"] = accuracy, confidence
        health += [
            {"experiment": "rings", "quantity": f"loss, {name}", "start": losses[0], "end": losses[-1], "better": "lower"},
            {"experiment": "rings", "quantity": f"test accuracy, {name}", "value": accuracy, "above": 0.6, "note": "chance 0.5"},
        ]
    return {**results, "health": health}


def main() -> None:
    """Read a profile, run, write results.json."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results = results_of(yaml.safe_load(arguments.config.read_text(encoding="utf-8")))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
