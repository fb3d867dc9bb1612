"""The benchmarks behind `scripts/bench/training`, `scripts/bench/scaling` and `scripts/bench/decoding`.

A contender is a process that trains or translates: `mt` itself, a peer's own command, or a model on made-up tokens. The
processes live through the whole run and work in turns, one at a time, so that all of them see the same drift of the
machine's speed. `turns` (training) and `translating` are the end of the line within a contender, `contender` the end
that gives the orders.
"""
