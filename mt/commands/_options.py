"""Options of a search, as typer reads them; what is not given is the model's own."""

from typing import Annotated

import typer

MODELS = "the model's"
SEARCH, SAMPLING = ({"rich_help_panel": panel} for panel in ("Search", "Sampling"))

BeamSize = Annotated[
    int | None,
    typer.Option(min=1, help="Hypotheses followed at a time; 1 is greedy.", show_default=MODELS, **SEARCH),
]

LengthPenalty = Annotated[
    float | None, typer.Option(min=0.0, help="Strength of the normalisation.", show_default=MODELS, **SEARCH)
]

LengthNormalisation = Annotated[
    str | None, typer.Option(help="none, average, gnmt or reward.", show_default=MODELS, **SEARCH)
]

CoveragePenalty = Annotated[
    float | None, typer.Option(min=0.0, help="Cost of source words not looked at.", show_default=MODELS, **SEARCH)
]

MinLength = Annotated[int | None, typer.Option(min=0, help="Fewest tokens.", show_default=MODELS, **SEARCH)]

MaxLength = Annotated[
    int | None, typer.Option(min=0, help="Most tokens; 0: by the source.", show_default=MODELS, **SEARCH)
]

MaxLengthRatio = Annotated[
    float | None,
    typer.Option(min=0.0, help="Most tokens per source token, beside 20.", show_default=MODELS, **SEARCH),
]

BeamGroups = Annotated[int | None, typer.Option(min=1, help="Groups of a diverse beam.", show_default=MODELS, **SEARCH)]

Diversity = Annotated[
    float | None, typer.Option(min=0.0, help="How much groups avoid each other.", show_default=MODELS, **SEARCH)
]

Weights = Annotated[
    str | None, typer.Option(help="Of an ensemble's models, such as 2,1.", show_default="equal", **SEARCH)
]

Combination = Annotated[str, typer.Option(help="Of an ensemble: log_linear or arithmetic.", **SEARCH)]

Sample = Annotated[
    bool | None, typer.Option("--sample", help="Draw translations at random.", show_default=False, **SAMPLING)
]

Temperature = Annotated[float | None, typer.Option(help="Lower is more predictable.", show_default=MODELS, **SAMPLING)]

TopK = Annotated[
    int | None, typer.Option(min=0, help="Among so many likeliest tokens.", show_default=MODELS, **SAMPLING)
]

TopP = Annotated[
    float | None, typer.Option(help="Among the likeliest with this probability.", show_default=MODELS, **SAMPLING)
]

Seed = Annotated[int | None, typer.Option(min=0, help="Of the draws.", show_default=MODELS, **SAMPLING)]
