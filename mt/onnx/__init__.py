"""Models that run without torch: export to ONNX (`export.py`, with torch), and ONNX Runtime for search (the rest).

ONNX MODEL FOLDER/
├── model.yaml, training.json, *.spm    as in every model folder, see `mt.folder`
├── start.onnx                          reads the source
├── step.onnx                           predicts one token of the whole vocabulary
├── shortlist_step.onnx                 predicts one token of those that `start` was told
└── weights.bin                         what the three graphs compute with, each matrix once
"""

from mt.onnx.cached import exported_folder, load_or_export
from mt.onnx.folder import LoadedOnnxModel, load_onnx_model, require_packages
from mt.onnx.model import OnnxModel

__all__ = ["LoadedOnnxModel", "OnnxModel", "exported_folder", "load_onnx_model", "load_or_export", "require_packages"]
