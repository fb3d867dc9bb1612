"""Float64 NumPy references, written from the papers' equations and sharing no code with mt.nn."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def gru(x, h, w_x, w_h, b_x, b_h):
    """Run one row x: [T, D] from h: [H]; weights stacked as reset, update, new. Returns outputs [T, H]."""
    H = len(h)
    outputs = []
    for x_t in x:
        a, u = w_x @ x_t + b_x, w_h @ h + b_h
        r = sigmoid(a[:H] + u[:H])
        z = sigmoid(a[H : 2 * H] + u[H : 2 * H])
        n = np.tanh(a[2 * H :] + r * u[2 * H :])
        h = (1 - z) * n + z * h
        outputs.append(h)
    return np.array(outputs)


def additive_attention(query, values, w_query, w_key, b_key, v):
    """One query [H] over values [S, C]. Returns context [C] and weights [S]."""
    energies = np.array([v @ np.tanh(w_query @ query + w_key @ value + b_key) for value in values])
    weights = softmax(energies)
    return weights @ values, weights


def cross_entropy(logits, gold, label_smoothing):
    """Sum over rows of the label-smoothed cross-entropy, and without smoothing."""
    smoothed = plain = 0.0
    for row, y in zip(logits, gold, strict=True):
        log_p = np.log(softmax(row))
        target = np.full(len(row), label_smoothing / len(row))
        target[y] += 1 - label_smoothing
        smoothed -= target @ log_p
        plain -= log_p[y]
    return smoothed, plain
