"""One example a command, shown at the end of its help."""

from __future__ import annotations

EXAMPLES: dict[str, str] = {
    "implement": "paper.pdf --model NAME --max-rounds 5 --budget 5",
    "estimate": "paper.pdf --model NAME",
    "resume": "7e1f --budget 10",
    "batch": "papers.txt --workers 4 --budget 50 --max-rounds 5",
    "report": "7e1f --format md",
    "view": "7e1f",
    "reproduce": "7e1f --profile full --data auto --on slurm --time 12h",
    "evaluate": "./repository --paper paper.pdf --judge NAME",
    "audit": "./repository --out ./audit",
    "export": "7e1f --to notebook --out ./claims-notebook",
    "release": "7e1f --out ./release",
    "read": "paper.pdf --out ./paper",
    "demo": "--sandbox bwrap",
    "mcp": "~/papers --model NAME --budget 5",
    "doctor": "--model NAME --live",
    "claims list": "paper.pdf --contracts --model NAME",
    "claims rerun": "7e1f C3 --seeds 10",
    "jobs list": "7e1f",
    "jobs follow": "7e1f",
    "jobs cancel": "7e1f --job 2",
    "data fetch": "7e1f --set data_budget=20",
    "data list": "7e1f",
    "data verify": "7e1f --json",
    "data rm": "7e1f",
    "runs list": "--json",
    "runs show": "7e1f",
    "runs rm": "--status interrupted --older-than 30",
    "sandbox build": "",
    "sandbox check": "--json",
    "sandbox clean": "",
    "policy check": '--command "pip install numpy"',
    "policy explain": "",
    "policy test": "--policy rules.yaml",
    "config show": "--json",
    "config path": "",
    "config init": "",
}


def example(command: str) -> str:
    """Return the last line of a command's help; empty where there is none."""
    return f"example: agentsys {command} {EXAMPLES[command]}".rstrip() if command in EXAMPLES else ""
