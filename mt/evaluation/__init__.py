"""Scores of translations against references, all computed by sacrebleu, and their spread over the runs of a sweep."""
