"""The training benchmarks behind `scripts/bench/training` and `scripts/bench/scaling`.

A contender is a process that trains: `mt-train` itself, a peer's own command, or a model on made-up tokens. The
processes live through the whole run and train in turns, one at a time, so that all of them see the same drift of the
machine's speed. `turns` is the end of the line within a contender, `contender` the end that gives the orders.
"""
