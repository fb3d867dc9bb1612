"""Scores: of translations, all computed by sacrebleu, and their spread over a sweep's runs; of word alignments."""
