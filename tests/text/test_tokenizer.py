import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
import sentencepiece

from mt.errors import ModelFolderError, TokenizerError
from mt.text.symbols import BOS, EOS, PAD, UNK
from mt.text.tokenizer import Tokenizer, TokenizerPair
from mt.text.tokenizer_training import TokenizerSettings, train_tokenizers

ENGLISH = ["The old man sees a small dog.", "A small dog sees the old man.", "The children play in the garden."]
GERMAN = ["Der alte Mann sieht einen kleinen Hund.", "Ein kleiner Hund sieht ihn.", "Die Kinder spielen im Garten."]
CHARACTERS = TokenizerSettings(model_type="char")


@pytest.fixture(scope="module")
def joint() -> TokenizerPair:
    return train_tokenizers(ENGLISH, GERMAN, CHARACTERS)


@pytest.fixture(scope="module")
def separate() -> TokenizerPair:
    return train_tokenizers(ENGLISH, GERMAN, TokenizerSettings(model_type="char", joint=False))


@pytest.mark.parametrize(
    "settings",
    [
        TokenizerSettings(vocab_size=50),
        TokenizerSettings(vocab_size=50, model_type="bpe"),
        CHARACTERS,
    ],
    ids=lambda settings: settings.model_type,
)
def test_round_trip(settings):
    tokenizer = train_tokenizers(ENGLISH, GERMAN, settings).source
    texts = [*ENGLISH, *GERMAN, ""]
    ids = tokenizer.encode(texts)
    assert tokenizer.decode(ids) == texts
    assert ids[-1] == []
    assert min(min(row) for row in ids[:-1]) > EOS
    assert max(max(row) for row in ids[:-1]) < len(tokenizer)


def test_byte_fallback_spells_what_has_no_piece():
    settings = TokenizerSettings(vocab_size=300, byte_fallback=True)
    tokenizer = train_tokenizers(ENGLISH, GERMAN, settings).source
    ids = tokenizer.encode(["A 😀 dog sees 汉字."])
    assert UNK not in ids[0]
    assert tokenizer.pieces(ids[0]).count("<0xF0>") == 1
    assert tokenizer.decode(ids) == ["A 😀 dog sees 汉字."]


def test_pieces_and_back(joint):
    (ids,) = joint.source.encode(["Gar😀ten"])
    assert joint.source.ids(joint.source.pieces(ids)) == ids
    assert joint.source.ids([]) == []
    with pytest.raises(TokenizerError, match=r"'▁Hund' is no piece of this vocabulary of \d+ pieces"):
        joint.source.ids(["a", "▁Hund"])


def test_without_byte_fallback_unknown_characters_show_in_place(joint):
    ids = joint.source.encode(["Gar😀ten"])
    assert UNK in ids[0]
    assert joint.source.decode(ids) == ["Gar⁇ten"]


def test_reserved_ids_vanish_in_decoding(joint):
    ids = joint.source.encode(["The dog"])[0]
    assert joint.source.decode([[BOS, *ids, EOS, PAD, PAD], [EOS], []]) == ["The dog", "", ""]
    assert joint.source.decode([]) == []
    assert joint.source.pieces([PAD, UNK, BOS, EOS]) == ["<pad>", "<unk>", "<s>", "</s>"]


def test_user_defined_symbols_stay_whole():
    symbols = ["<de>", "a,b", 'say "x"']
    tokenizer = train_tokenizers(ENGLISH, GERMAN, TokenizerSettings(vocab_size=50, user_defined_symbols=symbols)).source
    for symbol in ("<de>", "a,b"):
        ids = tokenizer.encode([f"{symbol} the dog"])
        assert symbol in tokenizer.pieces(ids[0])
        assert tokenizer.decode(ids) == [f"{symbol} the dog"]


# --- sampling ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[("bpe", 0.3), ("unigram", 0.2)], ids=lambda param: param[0])
def sampling(request):
    """A tokenizer and a strength at which it cuts most sentences in another way than the best."""
    model_type, strength = request.param
    settings = TokenizerSettings(vocab_size=50, model_type=model_type, user_defined_symbols=["<de>"])
    return train_tokenizers(ENGLISH, GERMAN, settings).source, strength


def test_samples_are_other_cuts_of_the_same_text(sampling):
    tokenizer, strength = sampling
    texts = [*ENGLISH, *GERMAN, "", "<de> the 😀 dog"]
    best = tokenizer.encode(texts)
    for seed in (0, 1, 2**32 - 2):
        drawn = tokenizer.sample(texts, strength=strength, seed=seed)
        assert tokenizer.decode(drawn) == tokenizer.decode(best)
        assert sum(a != b for a, b in zip(drawn, best, strict=True)) >= 4
        assert drawn[6] == []
        assert "<de>" in tokenizer.pieces(drawn[7])
        assert UNK in drawn[7]
    assert tokenizer.sample([], strength=strength, seed=1) == []


def test_samples_depend_on_the_arguments_alone(sampling):
    tokenizer, strength = sampling
    texts = [*ENGLISH, *GERMAN] * 20

    def draw(seed, texts=texts):
        return tokenizer.sample(texts, strength=strength, seed=seed)

    expected = [draw(seed) for seed in range(8)]
    assert all(a != b for a, b in pairwise(expected))
    assert draw(3) == expected[3]
    assert draw(3, texts[:1]) == draw(3, texts[:1]) == expected[3][:1]  # before 0.2.3, one text makes no thread
    assert len({tuple(row) for row in draw(3, texts[:1] * 20)}) > 10
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(draw, [*range(8)] * 10)) == expected * 10


@pytest.mark.parametrize(("model_type", "strengths"), [("bpe", [0.05, 0.3, 1.0]), ("unigram", [1.0, 0.3, 0.05])])
def test_more_merges_left_out_and_lower_powers_are_wilder(model_type, strengths):
    tokenizer = train_tokenizers(ENGLISH, GERMAN, TokenizerSettings(vocab_size=50, model_type=model_type)).source
    cuts = [tokenizer.encode(ENGLISH * 100)]
    cuts += [tokenizer.sample(ENGLISH * 100, strength=strength, seed=1) for strength in strengths]
    lengths = [sum(map(len, rows)) for rows in cuts]
    assert lengths == sorted(set(lengths))
    if model_type == "bpe":  # all merges are left out at last
        assert lengths[-1] == 100 * sum(len(f" {text}") for text in ENGLISH)


# --- files and pairs --------------------------------------------------------------------------------------------------


def test_joint_and_separate_vocabularies(joint, separate):
    assert joint.joint
    assert not separate.joint
    assert joint.fingerprint != separate.fingerprint
    assert UNK in separate.source.encode(["Käse"])[0]
    assert len(joint.source) > max(len(separate.source), len(separate.target))


def test_pickling(joint, separate):
    copy = pickle.loads(pickle.dumps(joint))
    assert copy == joint
    assert copy.joint
    assert copy.source.encode(ENGLISH) == joint.source.encode(ENGLISH)
    assert pickle.loads(pickle.dumps(separate)).fingerprint == separate.fingerprint


def test_save_and_load(joint, separate, tmp_path: Path):
    for pair, names in ((joint, {"joint.spm"}), (separate, {"source.spm", "target.spm"})):
        folder = tmp_path / "model" / str(pair.joint)
        pair.save(folder)
        pair.save(folder)
        assert {file.name for file in folder.iterdir()} == names
        assert TokenizerPair.from_folder(folder) == pair


def test_a_failed_save_leaves_nothing(joint, tmp_path: Path):
    (tmp_path / "joint.spm").mkdir()
    with pytest.raises(OSError, match=r"joint\.spm"):
        joint.source.save(tmp_path / "joint.spm")
    assert [file.name for file in tmp_path.iterdir()] == ["joint.spm"]


def test_folder_errors(joint, separate, tmp_path: Path):
    with pytest.raises(ModelFolderError, match="nowhere is not a folder"):
        TokenizerPair.from_folder(tmp_path / "nowhere")
    expected = "expected either joint.spm alone, or source.spm and target.spm"
    with pytest.raises(ModelFolderError, match=f"{tmp_path} holds no tokenizer; {expected}"):
        TokenizerPair.from_folder(tmp_path)
    separate.source.save(tmp_path / "source.spm")
    with pytest.raises(ModelFolderError, match=f"holds source.spm; {expected}"):
        TokenizerPair.from_folder(tmp_path)
    joint.save(tmp_path)
    with pytest.raises(ModelFolderError, match=f"holds joint.spm and source.spm; {expected}"):
        TokenizerPair.from_folder(tmp_path)


def test_file_errors(joint, tmp_path: Path):
    path = tmp_path / "joint.spm"
    with pytest.raises(TokenizerError, match=r"the tokenizer .*joint.spm cannot be read: No such file"):
        Tokenizer.from_file(path)
    path.write_bytes(b"")
    with pytest.raises(TokenizerError, match=r"joint.spm is empty and not a SentencePiece model"):
        Tokenizer.from_file(path)
    joint.save(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TokenizerError, match=r"joint.spm is damaged or not a SentencePiece model"):
        Tokenizer.from_file(path)


def test_foreign_reserved_ids(tmp_path: Path):
    lines = tmp_path / "lines"
    lines.write_text("\n".join(ENGLISH))
    sentencepiece.SentencePieceTrainer.train(
        input=str(lines), model_prefix=str(tmp_path / "foreign"), vocab_size=28, minloglevel=2
    )
    with pytest.raises(TokenizerError) as caught:
        Tokenizer.from_file(tmp_path / "foreign.model")
    assert "foreign.model has other reserved ids than mt: pad, unk, bos, eos are (-1, 0, 1, 2)" in str(caught.value)
    assert "--pad_id=0 --unk_id=1 --bos_id=2 --eos_id=3" in str(caught.value)
