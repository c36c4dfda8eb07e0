"""Two short papers of our own; each contradicts itself in one place, and says the rest once."""

from __future__ import annotations

from pathlib import Path

from agentsys.paper import Paper, read_paper

MARKDOWN = """# Averaged Gradients for Small Batches

## Abstract

We present averaged gradients, a method for training with small batches. On 11 data sets it reaches a mean accuracy of
69.86 %, against 66.20 % for plain descent. The error falls like $O(1/n)$ in the number of steps.

## 1 Introduction

Training with small batches is noisy. We average the last gradients and show that this is enough.

## 2 Method

We assume that the loss $f$ is convex and smooth. The average runs over the last k = 5 gradients in all experiments.

Theorem 1 Let f be convex. Then the error after n steps of averaged gradients is at most 4 L / n for every n at least 1.

## 3 Experiments

We compare on 11 data sets of the collection. Averaged gradients reach a mean accuracy of 69.86 % over 20 seeds, the
best of all methods. Table 1 holds the numbers.

Table 1: Mean accuracy in per cent over all data sets.

| Method | Accuracy | Std |
| --- | --- | --- |
| Plain descent | 66.20 | 0.41 |
| Momentum | 68.10 | 0.37 |
| Averaged gradients | 69.86 | 0.35 |

The learning rate was 0.01 for all methods.

## 4 Conclusion

Averaged gradients are simple and reach the best accuracy of all methods.

## Appendix A Details

The average runs over the last k = 10 gradients in all experiments, as smaller windows were too noisy.

Batches hold 32 examples.
"""

LATEX = r"""\documentclass{article}
\title{A Fixed Point of Halving}
\begin{document}
\maketitle
\begin{abstract}
We study the halving iteration and show that its error falls with the exponent 1.5.
\end{abstract}
\section{Setting}
The iteration is run on the unit interval with a step of 0.25 for at least 400 iterations.
\begin{equation}
x_{n+1} = \frac{x_n}{2} + \frac{1}{4}
\end{equation}
\section{Results}
\begin{table}
\caption{Measured exponent for each start.}
\begin{tabular}{lrr}
Start & Exponent & Spread \\
low & 1.49 & 0.02 \\
high & 1.52 & 0.03 \\
\end{tabular}
\end{table}
The measured exponent of the error is 1.49 for the low start.
A fit over all starts gives an exponent of 1.3 of the error.
\end{document}
"""


def written(folder: Path, text: str, name: str = "paper.md") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def markdown_paper(folder: Path) -> Paper:
    return read_paper(written(folder, MARKDOWN))


def latex_paper(folder: Path) -> Paper:
    return read_paper(written(folder, LATEX, "paper.tex"))
