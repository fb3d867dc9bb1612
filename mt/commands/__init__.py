"""The commands, one short file each: the only place that knows Hydra, Typer and Rich."""
