"""Batches by tokens: every row once, within budget, resumable, shared fairly among ranks."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from mt.data.batching import BatchPlan, EncodedPairs, ResumableLoader, SubwordSampling, TokenBatches
from mt.errors import DataError
from mt.text.symbols import BOS, EOS, PAD
from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers

lengths = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=8, max_size=150)


def sampler(pairs, **options):
    src, tgt = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    return TokenBatches(src_lengths=src, tgt_lengths=tgt, **{"tokens_per_batch": 100, **options})


@given(lengths, st.integers(0, 5), st.integers(1, 50))
@settings(deadline=None, max_examples=50)
def test_every_row_once_within_the_budget(pairs, epoch, bucket_width):
    batches = sampler(pairs, seed=3, bucket_width=bucket_width)
    batches.set_epoch(epoch)
    drawn = [plan.rows for plan in batches]
    assert sorted(row for batch in drawn for row in batch) == list(range(len(pairs)))
    assert len(drawn) == len(batches)
    for batch in drawn:
        for side in (0, 1):
            assert len(batch) * max(pairs[row][side] for row in batch) <= 100


@given(lengths, st.integers(2, 4), st.integers(1, 50))
@settings(deadline=None, max_examples=50)
def test_ranks_share_all_rows_in_equal_counts(pairs, world_size, bucket_width):
    options = {"seed": 1, "world_size": world_size, "bucket_width": bucket_width}
    ranks = [[plan.rows for plan in sampler(pairs, rank=rank, **options)] for rank in range(world_size)]
    assert len({len(rank) for rank in ranks}) == 1
    assert all(batch for rank in ranks for batch in rank)
    assert sorted(row for rank in ranks for batch in rank for row in batch) == list(range(len(pairs)))


@pytest.fixture
def pairs():
    random = np.random.default_rng(0)
    return [tuple(pair) for pair in random.integers(1, 30, size=(200, 2)).tolist()]


def test_order_depends_on_seed_and_epoch_alone(pairs):
    def order(seed, epoch):
        batches = sampler(pairs, seed=seed)
        batches.set_epoch(epoch)
        return list(batches)

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


def test_rows_change_company_from_epoch_to_epoch():
    batches = sampler([(5, 5)] * 100, seed=1)
    first = {frozenset(plan.rows) for plan in batches}
    batches.set_epoch(1)
    assert first != {frozenset(plan.rows) for plan in batches}


def test_rows_of_wide_buckets_seldom_meet_again(pairs):
    def meet_again(bucket_width):
        batches = sampler(pairs, bucket_width=bucket_width)
        met = []
        for epoch in (0, 1):
            batches.set_epoch(epoch)
            met.append({(a, b) for plan in batches for a in plan.rows for b in plan.rows if a < b})
        return len(met[0] & met[1]) / len(met[0])

    assert meet_again(10) < meet_again(1) / 2


def test_every_batch_draws_by_a_seed_of_its_own(pairs):
    plans = [plan for seed in (1, 2) for rank in (0, 1) for plan in sampler(pairs, seed=seed, rank=rank, world_size=2)]
    assert len({plan.seed for plan in plans}) == len(plans)


def test_little_is_wasted_on_padding(pairs):
    """Real rows of Multi30k-like lengths: at least 95% of what is computed on the target side is real."""
    random = np.random.default_rng(1)
    tgt = np.clip(random.normal(14, 5, 5000).astype(int), 3, 40)
    src = np.clip(tgt + random.normal(0, 3, 5000).astype(int), 3, 40)
    rows = list(zip(src.tolist(), tgt.tolist(), strict=True))
    drawn = [plan.rows for plan in sampler(rows, tokens_per_batch=2048)]
    padded = sum(len(batch) * max(rows[row][1] for row in batch) for batch in drawn)
    assert tgt.sum() / padded > 0.95


def test_without_shuffling_short_ones_come_first(pairs):
    batches = sampler(pairs, shuffle=False)
    longest = [max(pairs[row][1] for row in plan.rows) for plan in batches]
    assert longest == sorted(longest)


@pytest.fixture
def corpus():
    count = 60
    return Dataset.from_dict(
        {
            "src": [[4 + i % 7] * (1 + i % 9) for i in range(count)],
            "tgt": [[5] * (1 + i % 5) for i in range(count)],
            "source": [f"source {i}" for i in range(count)],
            "target": [f"target {i}" for i in range(count)],
            "line": list(range(1, count + 1)),
        }
    )


def loader(corpus, *, seed=5, **options):
    columns = corpus.to_dict()
    pairs = [(len(s) + 1, len(t) + 1) for s, t in zip(columns["src"], columns["tgt"], strict=True)]
    return ResumableLoader(corpus=corpus, batches=sampler(pairs, tokens_per_batch=40, seed=seed), **options)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_resumed_loader_goes_on_where_the_other_stopped(corpus, num_workers):
    whole = loader(corpus)
    whole.batches.set_epoch(2)
    uninterrupted = [batch.lines for batch in whole]
    stopped = loader(corpus, num_workers=num_workers)
    stopped.batches.set_epoch(2)
    batches = iter(stopped)
    seen = [next(batches).lines for _ in range(4)]
    resumed = loader(corpus, num_workers=num_workers)
    resumed.load_state_dict(stopped.state_dict())
    resumed.batches.set_epoch(2)  # as Lightning does once more
    assert seen + [batch.lines for batch in resumed] == uninterrupted
    resumed.batches.set_epoch(3)
    assert len(list(resumed)) == len(uninterrupted)


def test_loading_leaves_the_global_random_state_alone(corpus):
    before = torch.get_rng_state()
    list(loader(corpus))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_is_padded_and_shifted(corpus):
    batch = EncodedPairs(corpus)[BatchPlan([0, 2], seed=1)]
    assert batch.src.tolist() == [[4, 3, 0, 0], [6, 6, 6, 3]]
    assert batch.src_lengths.tolist() == [2, 4]
    assert batch.tgt_in.tolist() == [[2, 5, 0, 0], [2, 5, 5, 5]]
    assert batch.tgt_out.tolist() == [[5, 3, 0, 0], [5, 5, 5, 3]]
    assert batch.lines == [1, 3]
    assert batch.references == ["target 0", "target 2"]


# --- subword sampling -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[("bpe", 0.2), ("unigram", 0.2)], ids=lambda param: param[0])
def sampled(request):
    """A corpus, and what cuts its text at random."""
    model_type, strength = request.param
    random = np.random.default_rng(0)
    words = ["".join(random.choice(["ba", "do", "ki", "lem", "nur"], size=1 + i % 4)) for i in range(60)]
    source, target = ([" ".join(random.choice(words, size=1 + i % 4)) for i in range(60)] for _ in range(2))
    tokenizers = train_tokenizers(source, target, TokenizerSettings(model_type=model_type, vocab_size=40, joint=False))
    columns = {"source": source, "target": target, "line": list(range(60))}
    columns |= {"src": tokenizers.source.encode(source), "tgt": tokenizers.target.encode(target)}
    return Dataset.from_dict(columns), SubwordSampling(
        tokenizers=tokenizers, strength=strength, target=True, max_length=100
    )


def ids(batches):
    """The token ids of both sides by line, once it is certain that they make up the batches."""
    by_line = {}
    for batch in batches:
        src, tgt = ([[i for i in row if i != PAD] for row in side.tolist()] for side in (batch.src, batch.tgt_out))
        assert {row[-1] for row in src + tgt} == {EOS}
        assert [[i for i in row if i != PAD] for row in batch.tgt_in.tolist()] == [[BOS, *row[:-1]] for row in tgt]
        assert batch.src_lengths.tolist() == [len(row) for row in src]
        by_line |= {line: (s[:-1], t[:-1]) for line, s, t in zip(batch.lines, src, tgt, strict=True)}
    return by_line


def epoch(corpus, number, **options):
    batches = loader(corpus, **options)
    batches.batches.set_epoch(number)
    return ids(batches)


def test_every_epoch_cuts_the_same_text_in_other_ways(sampled):
    corpus, sampling = sampled
    best = {line: (s, t) for line, s, t in zip(corpus["line"], corpus["src"], corpus["tgt"], strict=True)}
    assert epoch(corpus, 2) == best
    first, second, other_seed = (
        epoch(corpus, number, seed=seed, sampling=sampling) for number, seed in ((2, 5), (3, 5), (2, 6))
    )
    for a, b in ((best, first), (first, second), (first, other_seed)):
        for side in (0, 1):
            assert sum(a[line][side] != b[line][side] for line in range(60)) > 5
    for side, column in ((sampling.tokenizers.source, "source"), (sampling.tokenizers.target, "target")):
        texts = [first[line][column == "target"] for line in range(60)]
        assert side.decode(texts) == list(corpus[column])


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # on a machine of one core
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_resumed_loader_cuts_as_the_uninterrupted_one(sampled, num_workers):
    corpus, sampling = sampled
    whole = epoch(corpus, 2, sampling=sampling)
    stopped = loader(corpus, sampling=sampling, num_workers=num_workers)
    stopped.batches.set_epoch(2)
    batches = iter(stopped)
    seen = ids([next(batches) for _ in range(4)])
    resumed = loader(corpus, sampling=sampling, num_workers=num_workers)
    resumed.load_state_dict(stopped.state_dict())
    assert seen.keys().isdisjoint(rest := ids(resumed))
    assert seen | rest == whole


def test_both_sides_draw_apart(sampled):
    corpus, sampling = sampled
    source = sampling.tokenizers.source
    text = list(corpus["source"])
    same = {"source": text, "target": text, "src": source.encode(text), "tgt": source.encode(text)}
    tokenizers = type(sampling.tokenizers)(source=source, target=source)
    drawn = replace(sampling, tokenizers=tokenizers)(same, seed=1)
    assert drawn["src"] != drawn["tgt"]


def test_the_target_side_may_keep_its_best_cuts(sampled):
    corpus, sampling = sampled
    plan = BatchPlan(list(range(60)), seed=1)
    both, source_only = (
        ids([EncodedPairs(corpus, replace(sampling, target=target))[plan]]) for target in (True, False)
    )
    assert source_only == {line: (both[line][0], corpus["tgt"][line]) for line in range(60)}


def test_what_is_cut_into_too_many_pieces_keeps_its_best_cut(sampled):
    corpus, sampling = sampled
    plan = BatchPlan(list(range(60)), seed=1)
    free = ids([EncodedPairs(corpus, sampling)[plan]])
    longest = max(len(side) for line in free.values() for side in line) - 3
    limited = EncodedPairs(corpus, replace(sampling, max_length=longest))
    for line, sides in ids([limited[plan]]).items():
        for drawn, side, column in zip(free[line], sides, ("src", "tgt"), strict=True):
            assert side == (drawn if len(drawn) <= longest else corpus[line][column])
    assert any(len(side) > longest for line in free.values() for side in line)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_a_sentence_over_the_budget_is_reported():
    with pytest.raises(DataError, match=r"a sentence of 120 tokens does not fit into data.tokens_per_batch=100"):
        sampler([(120, 3)])


def test_too_few_rows_for_the_processes_are_reported():
    with pytest.raises(DataError, match="3 sentence pairs cannot be shared by 4 processes"):
        sampler([(3, 3)] * 3, world_size=4)
