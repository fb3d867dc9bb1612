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


def coverage_attention(query, values, coverage, w_query, w_key, b_key, v, w_coverage):
    """As additive_attention, where each source position knows how much it was attended to: coverage [S]."""
    energies = np.array(
        [
            v @ np.tanh(w_query @ query + w_key @ value + b_key + w_coverage * covered)
            for value, covered in zip(values, coverage, strict=True)
        ]
    )
    weights = softmax(energies)
    return weights @ values, weights


def dot_attention(query, values):
    """One query [C] over values [S, C]. Returns context [C] and weights [S]."""
    weights = softmax(np.array([query @ value for value in values]))
    return weights @ values, weights


def general_attention(query, values, w):
    """One query [H] over values [S, C] through w: [H, C]. Returns context [C] and weights [S]."""
    weights = softmax(np.array([query @ w @ value / np.sqrt(len(query)) for value in values]))
    return weights @ values, weights


def scaled_dot_attention(query, values, w_query, w_key):
    """One query [H] over values [S, C], compared in A dimensions. Returns context [C] and weights [S]."""
    energies = np.array([(w_query @ query) @ (w_key @ value) / np.sqrt(len(w_query)) for value in values])
    weights = softmax(energies)
    return weights @ values, weights


def multi_head_attention(query, values, heads, w_query, w_key, w_value, w_output):
    """One query [H] over values [S, C], head by head. Returns context [C] and the mean weights [S]."""
    outputs, distributions = [], []
    for rows in np.split(np.arange(len(w_query)), heads):
        _, weights = scaled_dot_attention(query, values, w_query[rows], w_key[rows])
        outputs.append(sum(weight * (w_value[rows] @ value) for weight, value in zip(weights, values, strict=True)))
        distributions.append(weights)
    return w_output @ np.concatenate(outputs), np.mean(distributions, axis=0)


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


def r_drop(logits, gold, label_smoothing, alpha):
    """Half of equation 4 of Wu et al. (2021) for logits [2, M, V], and the mean cross-entropy without smoothing."""
    (smoothed_p, plain_p), (smoothed_q, plain_q) = (cross_entropy(part, gold, label_smoothing) for part in logits)
    apart = 0.0
    for row_p, row_q in zip(*logits, strict=True):
        p, q = softmax(row_p), softmax(row_q)
        apart += p @ np.log(p / q) + q @ np.log(q / p)
    return (smoothed_p + smoothed_q + alpha / 2 * apart) / 2, (plain_p + plain_q) / 2


def layer_norm(x, gain, bias):
    return gain * (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean() + 1e-5) + bias


def output_gated_gru(x, h, w, u, b):
    """Run one row x: [T, D] from h: [H]; w, u, b by gate, in "rzon". Returns outputs [T, H] and the last state [H]."""
    outputs = []
    for x_t in x:
        r = sigmoid(w["r"] @ x_t + u["r"] @ h + b["r"])
        z = sigmoid(w["z"] @ x_t + u["z"] @ h + b["z"])
        o = sigmoid(w["o"] @ x_t + u["o"] @ h + b["o"])
        n = np.tanh(w["n"] @ x_t + u["n"] @ (r * h) + b["n"])
        h = (1 - z) * h + z * r * n
        outputs.append(o * h)
    return np.array(outputs), h


def minimal_gru(x, h, w, u, b):
    """As output_gated_gru, with the gates "fn": [W, U] of Zhou et al. side by side."""
    w_f, w_h = np.hstack([u["f"], w["f"]]), np.hstack([u["n"], w["n"]])
    outputs = []
    for x_t in x:
        f = sigmoid(w_f @ np.concatenate([h, x_t]) + b["f"])
        new = np.tanh(w_h @ np.concatenate([f * h, x_t]) + b["n"])
        h = (1 - f) * h + f * new
        outputs.append(h)
    return np.array(outputs), h


def layer_norm_gru(x, h, w_rz, w_n, u_rz, u_n, norm):
    """One row; norm holds (gain, bias) of "w_rz", "w_n", "u_rz" and "u_n"."""
    H = len(h)
    outputs = []
    for x_t in x:
        rz = sigmoid(layer_norm(w_rz @ x_t, *norm["w_rz"]) + layer_norm(u_rz @ h, *norm["u_rz"]))
        n = np.tanh(layer_norm(w_n @ x_t, *norm["w_n"]) + rz[:H] * layer_norm(u_n @ h, *norm["u_n"]))
        h = (1 - rz[H:]) * h + rz[H:] * n
        outputs.append(h)
    return np.array(outputs), h


def min_gru(x, h, w_z, w_n, b_z, b_n):
    """One row, sequentially."""
    outputs = []
    for x_t in x:
        z, a = sigmoid(w_z @ x_t + b_z), w_n @ x_t + b_n
        h = (1 - z) * h + z * np.array([v + 0.5 if v >= 0 else sigmoid(v) for v in a])
        outputs.append(h)
    return np.array(outputs), h


def deep_transition_gru(x, h, first, further):
    """A GRU over x, its arguments from w_x on in first, and after each position the transitions in further: (u, b, c)."""
    outputs = []
    for x_t in x:
        h = gru(x_t[None], h, *first)[0]
        for u, b, c in further:
            r, z, n = np.split(u @ h, 3)
            r, z = sigmoid(r + b[0]), sigmoid(z + b[1])
            h = (1 - z) * np.tanh(c + r * (n + b[2])) + z * h
        outputs.append(h)
    return np.array(outputs), h
