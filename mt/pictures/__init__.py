"""Pictures of attention and of learning curves, for paper and screen."""

from mt.pictures._drawing import check_picture_path
from mt.pictures.attention import ATTENTION_KINDS, AttentionItem, attention_picture, attention_pictures
from mt.pictures.curves import CURVE_KINDS, learning_curves

__all__ = [
    "ATTENTION_KINDS",
    "CURVE_KINDS",
    "AttentionItem",
    "attention_picture",
    "attention_pictures",
    "check_picture_path",
    "learning_curves",
]
