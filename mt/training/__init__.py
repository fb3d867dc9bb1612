"""Training with PyTorch Lightning: the module, the data, schedules, and what happens around the steps."""
