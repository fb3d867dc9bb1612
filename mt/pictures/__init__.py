"""Pictures of attention, of learning curves and of sweeps, for paper and screen."""

from mt.pictures._drawing import check_picture_path
from mt.pictures.attention import ATTENTION_KINDS, AttentionItem, attention_picture, attention_pictures
from mt.pictures.curves import CURVE_KINDS, learning_curves
from mt.pictures.sweep import SWEEP_KINDS, sweep_picture

__all__ = [
    "ATTENTION_KINDS",
    "CURVE_KINDS",
    "SWEEP_KINDS",
    "AttentionItem",
    "attention_picture",
    "attention_pictures",
    "check_picture_path",
    "learning_curves",
    "sweep_picture",
]
