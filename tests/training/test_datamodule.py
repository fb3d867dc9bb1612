"""What the training and the validation are served."""

import pytest
from datasets import Dataset

from mt.text.tokenizer_training import TokenizerSettings
from mt.training.datamodule import TranslationDataModule

WORDS = ["ba", "doki", "lemnur", "satba", "kilem", "dosat"]
CORPUS = {
    "source": [" ".join(WORDS[: 1 + i % 6]) for i in range(40)],
    "target": [" ".join(WORDS[-1 - i % 5 :]) for i in range(40)],
    "line": list(range(1, 41)),
}


@pytest.fixture
def serve(tmp_path):
    """The batches of training and validation, and the corpus in its best cut by line."""

    def load(sampling, bucket_width=1, sample_target=True):
        data = TranslationDataModule(
            train=lambda: Dataset.from_dict(CORPUS),
            validation=lambda: Dataset.from_dict(CORPUS),
            tokenizer=TokenizerSettings(
                model_type="bpe", vocab_size=30, sampling=sampling, sample_target=sample_target
            ),
            max_length=40,
            tokens_per_batch=60,
            bucket_width=bucket_width,
            cache=str(tmp_path),
        )
        best = data.load().source.encode(CORPUS["source"])
        return list(data.train_dataloader()), list(data.val_dataloader()), best

    return load


def cut(batches):
    return {
        line: row[: length - 1]
        for batch in batches
        for line, row, length in zip(batch.lines, batch.src.tolist(), batch.src_lengths.tolist(), strict=True)
    }


def test_only_training_mixes_lengths_and_only_on_demand(serve):
    (train, validation, _), (mixed, unmixed, _) = serve(0.0), serve(0.0, bucket_width=9)
    assert [batch.lines for batch in unmixed] == [batch.lines for batch in validation]
    assert {frozenset(batch.lines) for batch in mixed} != {frozenset(batch.lines) for batch in train}


def test_only_training_samples_its_cuts_and_only_on_demand(serve):
    train, validation, best = serve(0.0)
    sampled, validated, again = serve(0.3)
    best_cut = dict(zip(CORPUS["line"], best, strict=True))
    assert again == best
    assert cut(train) == cut(validation) == cut(validated) == best_cut
    assert sum(ids != best_cut[line] for line, ids in cut(sampled).items()) > 20
    assert [batch.lines for batch in sampled] == [batch.lines for batch in train]


def test_the_target_side_is_sampled_too_unless_forbidden(serve):
    (train, *_), (both, *_), (source, *_) = serve(0.0), serve(0.3), serve(0.3, sample_target=False)
    assert [batch.src.tolist() for batch in source] == [batch.src.tolist() for batch in both]
    targets = [[batch.tgt_out.tolist() for batch in batches] for batches in (train, both, source)]
    assert targets[2] == targets[0] != targets[1]
