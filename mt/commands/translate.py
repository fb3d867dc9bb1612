"""`mt-translate`: raw text in, raw text out, line by line, any amount of it."""

import sys
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mt.commands import _options as options
from mt.commands._answers import alignment, formatted
from mt.commands._bulk import resumable_output
from mt.commands._cli import STDIN, application, open_output, print_warning, read_lines, show_progress
from mt.commands._loading import Loading, devices_of, numbers_of
from mt.errors import ConfigError

if TYPE_CHECKING:
    from mt.paragraphs import StreamTranslator
    from mt.search import Hypothesis

__all__ = ["app", "main"]

PICTURED = 5  # sentences of an attention picture

CONTENT, OUTPUT, SPEED = ({"rich_help_panel": panel} for panel in ("What translations contain", "Output", "Speed"))


def translate(
    model: Annotated[
        list[str],
        typer.Option(
            metavar="FOLDER", help="Model folder, as mt-train leaves in runs/NAME/model; several: an ensemble."
        ),
    ],
    file: Annotated[str, typer.Argument(metavar="[FILE]", help="Text, one sentence per line.")] = STDIN,
    beam_size: options.BeamSize = None,
    length_penalty: options.LengthPenalty = None,
    length_normalisation: options.LengthNormalisation = None,
    coverage_penalty: options.CoveragePenalty = None,
    min_length: options.MinLength = None,
    max_length: options.MaxLength = None,
    max_length_ratio: options.MaxLengthRatio = None,
    beam_groups: options.BeamGroups = None,
    diversity: options.Diversity = None,
    weights: options.Weights = None,
    combination: options.Combination = "log_linear",
    sample: options.Sample = None,
    temperature: options.Temperature = None,
    top_k: options.TopK = None,
    top_p: options.TopP = None,
    seed: options.Seed = None,
    json_input: Annotated[
        bool,
        typer.Option(
            "--json-input",
            help='Lines are objects: {"text": "A dog.", "prefix": "Ein", "include": ["Hund"], "exclude": ["Katze"]}; '
            "all but the text may be left out.",
            **CONTENT,
        ),
    ] = False,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PHRASE", help="What no translation may contain.", **CONTENT)
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="What must stay as it is: url, email, number, placeholder.", **CONTENT),
    ] = None,
    no_repeat_ngram: Annotated[
        int | None,
        typer.Option(min=0, help="No so many tokens twice in a translation.", show_default=options.MODELS, **CONTENT),
    ] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option(min=1.0, help="Of tokens used before.", show_default=options.MODELS, **CONTENT)
    ] = None,
    suppress_unknown: Annotated[
        bool | None, typer.Option("--suppress-unknown", help="Make no unknown token.", show_default=False, **CONTENT)
    ] = None,
    replace_unk: Annotated[
        bool | None,
        typer.Option(
            "--replace-unk", help="Unknown tokens become what the source has there.", show_default=False, **CONTENT
        ),
    ] = None,
    lexicon: Annotated[
        str | None, typer.Option(metavar="FILE", help="Of words, for --replace-unk, see mt-lexicon.", **CONTENT)
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="LANGUAGE", help="Translate paragraphs sentence by sentence; en, de ...", **CONTENT),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to write.", show_default="standard output", **OUTPUT
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an output that was interrupted.", **OUTPUT)
    ] = False,
    n_best: Annotated[
        int,
        typer.Option(min=1, help="Translations per line; more than 1 gives LINE ||| TRANSLATION ||| SCORE.", **OUTPUT),
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line, with scores and pieces.", **OUTPUT)
    ] = False,
    alignments: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Where to write word alignments, 0-0 1-2 ..., a line each.", **OUTPUT),
    ] = None,
    attention: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help=f"Draw where the model looked, for the first {PICTURED} sentences: .png, .svg or .html.",
            **OUTPUT,
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, cuda:1, mps, or auto for the best there is.", **SPEED)
    ] = "cpu",
    devices: Annotated[
        int, typer.Option(min=1, metavar="N", help="Processes: one for each GPU, or that share the cores.", **SPEED)
    ] = 1,
    backend: Annotated[
        str | None,
        typer.Option(
            help="torch, or onnx: faster on a processor, and loaded faster.", show_default="by the folder", **SPEED
        ),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights of one byte, in ONNX Runtime: faster, nearly as good.", **SPEED)
    ] = False,
    precision: Annotated[str, typer.Option(help="32 or bf16, of the backend torch.", **SPEED)] = "32",
    shortlist: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Choose among likely tokens only, see mt-lexicon.", **SPEED),
    ] = None,
    batch_tokens: Annotated[
        int | None, typer.Option(min=1, help="Source tokens translated at once.", show_default=options.MODELS, **SPEED)
    ] = None,
    window: Annotated[
        int, typer.Option(min=1, help="Lines read ahead and sorted by length; 1 answers every line at once.", **SPEED)
    ] = 1000,
) -> None:
    """Translate text from a file or the standard input.

    An empty line gives an empty line, and the order is kept. Files may be plain or .gz, .xz or .zst.

    echo "The old dog sleeps." | mt-translate --model runs/quickstart/model

    mt-translate --model runs/mine/model news.en --output news.de
    """
    changes = {
        "beam_size": beam_size,
        "length_penalty": length_penalty,
        "length_normalisation": length_normalisation,
        "coverage_penalty": coverage_penalty,
        "min_length": min_length,
        "max_length": max_length,
        "max_length_ratio": max_length_ratio,
        "beam_groups": beam_groups,
        "diversity": diversity,
        "sample": sample,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "seed": seed,
        "no_repeat_ngram": no_repeat_ngram,
        "repetition_penalty": repetition_penalty,
        "suppress_unknown": suppress_unknown,
        "replace_unknown": replace_unk,
        "batch_tokens": batch_tokens,
    }
    loading = Loading(
        models=model,
        weights=numbers_of(weights, "--weights"),
        combination=combination,
        backend=backend,
        int8=int8,
        precision=precision,
        shortlist=shortlist,
        lexicon=lexicon,
        processes=devices,
    )
    if split is not None and (n_best > 1 or as_json or json_input or alignments or attention or exclude or keep):
        raise ConfigError("--split gives and takes plain text: leave out --n-best, --json, --alignments and the like.")
    if resume and alignments is not None:
        raise ConfigError("--alignments cannot be gone on with: leave out --resume, or translate without it.")
    lines = read_lines(file)
    if file == STDIN and sys.stdin.isatty():
        window = 1
        print("One sentence per line; Ctrl-D ends.", file=sys.stderr)
    if attention is not None:
        from mt.pictures import ATTENTION_KINDS, check_picture_path

        check_picture_path(attention, ATTENTION_KINDS)
    given = {name: value for name, value in changes.items() if value is not None}
    settings = {**given, **vars(loading), "n_best": n_best, "json": as_json, "split": split, "window": window}
    settings |= {"exclude": exclude, "keep": keep, "json_input": json_input, "file": file}
    del settings["processes"]
    from mt.commands._requests import read_requests

    pictured: list[Hypothesis] = []
    with (
        resumable_output(output, settings=settings, resume=resume) as answers,
        nullcontext() if alignments is None else open_output(alignments) as links,
    ):
        translator = _translator(loading, device, devices)
        requests = read_requests(
            islice(lines, answers.done, None),
            as_json=json_input,
            first=answers.done + 1,
            exclude=exclude or [],
            keep=keep or [],
        )
        first = answers.done + 1
        if split is not None:
            from mt.paragraphs import translate_paragraphs

            texts = (request.text for request in requests)
            found = translate_paragraphs(translator, texts, language=split, window=window, first=first, **given)
        else:
            found = translator.translate_n_best(requests, n_best=n_best, window=window, first=first, **given)
        for hypotheses in show_progress(found, doing="translated", shown=output is not None, done=answers.done):
            answers.write(formatted(answers.done + 1, hypotheses, as_json=as_json, n_best=n_best))
            if links is not None:
                links.write(alignment(hypotheses[0]) + "\n")
            if attention is not None and hypotheses[0].pieces and len(pictured) < PICTURED:
                pictured.append(hypotheses[0])
            if answers.done % window == 0:
                answers.keep()
    if attention is not None:
        _draw(pictured, attention)


def _translator(loading: Loading, device: str, processes: int) -> "StreamTranslator":
    if processes == 1:
        return loading(device)
    from mt.parallel import ParallelTranslator

    loading.prepare()
    return ParallelTranslator(loading, devices_of(device, processes))


def _draw(hypotheses: "list[Hypothesis]", path: Path) -> None:
    from mt.pictures import AttentionItem, attention_pictures

    if not hypotheses:
        print_warning(f"{path} was not drawn: there was no sentence.")
        return
    attention_pictures(
        [
            AttentionItem(
                weights=one.attention,
                source_pieces=[*one.source_pieces, "</s>"],
                target_pieces=[*one.pieces, "</s>"],
            )
            for one in hypotheses
        ],
        path,
    )


app = application(translate)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
