"""Scores of translations against references, all computed by sacrebleu."""
