"""Devices: the house's own; without a GPU, `try_all_gpus` gives [cpu] as it always said (R16)."""

from freedive.core.device import cpu, gpu, num_gpus, try_all_gpus, try_gpu

__all__ = ["cpu", "gpu", "num_gpus", "try_all_gpus", "try_gpu"]
