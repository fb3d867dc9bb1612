import pickle
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
