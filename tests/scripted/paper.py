"""The paper of the scripted runs."""

PAPER = """# Corrected Running Means

## Abstract

We describe a running mean whose early values are not biased towards zero, and show that it recovers a constant exactly.

## 1 Introduction

Exponential averages start at zero. Their first values are therefore too small. We remove this bias.

## 2 Method

Starting from m_0 = 0, the average of a stream x_1, x_2, ... is m_t = b m_{t-1} + (1 - b) x_t. (1)

The corrected average is c_t = m_t / (1 - b^t), where t counts from one. (2)

For a constant stream, c_t equals the constant for every t.

## 3 Experiment

With b = 0.9 and the stream 1, 2, ..., 100 the last corrected value is 91.0 (to one decimal place).
"""
