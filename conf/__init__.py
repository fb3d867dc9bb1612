"""The Hydra configuration of `mt-train`, shipped as package `mt.conf`."""
