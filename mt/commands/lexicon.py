"""`mt-lexicon`: what a model says that words, or pieces, of a parallel corpus are translated by."""

from collections import Counter
from itertools import tee
from typing import TYPE_CHECKING, Annotated

import typer

from mt.commands._aligned import read_pairs
from mt.commands._cli import application, output_file, show_progress
from mt.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mt.data.lexicon import LinkCounts
    from mt.search.shortlist import Shortlist
    from mt.text.tokenizer import TokenizerPair

__all__ = ["app", "main"]


def lexicon(
    model: Annotated[str, typer.Option(metavar="FOLDER", help="Model folder, as mt-train leaves in runs/NAME/model.")],
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Sentences of the training corpus, one per line.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Their translations, line by line.")],
    lexicon: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write words, their translations and probabilities; .gz packs.")
    ] = None,
    shortlist: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write which target pieces each source piece may need; .npz.")
    ] = None,
    min_count: Annotated[int, typer.Option(min=1, help="Links that occur less often are left out.")] = 1,
    per_source: Annotated[int, typer.Option(min=1, help="Target pieces for each source piece of a shortlist.")] = 15,
    frequent: Annotated[int, typer.Option(min=0, help="Target pieces that every sentence may need.")] = 100,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Tokens of either side read at once.", show_default="the model's")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto for the best there is.")] = "cpu",
) -> None:
    """Read a parallel corpus with a model, and count which source words it looks at for which target words.

    A lexicon is for mt-translate --replace-unk --lexicon FILE, a shortlist for mt-translate --shortlist FILE, which
    is faster: one pass over the corpus makes both. Files are plain or .gz, .xz or .zst.

    mt-lexicon --model FOLDER train.en train.de --lexicon words.tsv --shortlist shortlist.npz
    """
    if lexicon is None and shortlist is None:
        raise ConfigError("Nothing to write: give --lexicon FILE, --shortlist FILE, or both.")
    for path in filter(None, (lexicon, shortlist)):
        output_file(path)
    pairs = read_pairs(source, target)
    from mt.data.lexicon import AttendedPair, LinkCounts
    from mt.scoring import Scorer  # loads torch

    scorer = Scorer.from_folder(model, device=device)
    tokenizers = scorer.tokenizers
    words, pieces, used = LinkCounts(), LinkCounts(), Counter[int]()
    pairs, again = tee(pairs)
    scores = scorer.score_stream(pairs, batch_tokens=batch_tokens, with_attention=True)
    for (text, translation), score in show_progress(zip(again, scores, strict=True), doing="read", shown=True):
        if score.attention is None or not score.pieces or not score.source_pieces:
            continue
        pair = AttendedPair(
            source_words=tokenizers.source.words(text),
            target_words=tokenizers.target.words(translation),
            source_pieces=score.source_pieces,
            target_pieces=score.pieces,
            attention=score.attention,
        )
        words.add(*pair.linked_words())
        pieces.add(*pair.linked_pieces())
        used.update(score.ids)
    if not used:
        raise DataError(f"There is nothing to count: {source} and {target} hold no sentence.")
    if lexicon is not None:
        found = words.lexicon(min_count=min_count)
        found.save(lexicon)
        print(f"{len(found):,} words with their translations are in {lexicon}")
    if shortlist is not None:
        likely = [token for token, _ in used.most_common(frequent)]
        made = _shortlist(pieces, tokenizers, min_count=min_count, per_source=per_source, frequent=likely)
        made.save(shortlist)
        print(
            f"the shortlist is in {shortlist}: {per_source} target pieces for each source piece, beside {len(likely)}"
        )


def _shortlist(
    pieces: "LinkCounts", tokenizers: "TokenizerPair", *, min_count: int, per_source: int, frequent: list[int]
) -> "Shortlist":
    import numpy as np

    from mt.search.shortlist import Shortlist

    source, target = tokenizers.source, tokenizers.target
    return Shortlist.from_lexicon(
        pieces.lexicon(min_count=min_count, top=per_source),
        source_pieces=source.pieces(range(len(source))),
        target_pieces=target.pieces(range(len(target))),
        frequent=np.array(frequent, dtype=np.int64),
        per_source=per_source,
        fingerprint=tokenizers.fingerprint,
    )


app = application(lexicon)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
