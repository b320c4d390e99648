"""What the book says about a kernel that is learnt, as checks (sections 7.2.4 and 7.2.5)."""

import torch
from torch import Tensor

from freedive.catalog import claim, erratum
from freedive.topics.convolution.dense_claims import Evidence, normal
from freedive.topics.convolution.kernels import (
    EDGE,
    first_kernel,
    learn_kernel,
    step_limit,
    stripes,
)
from freedive.topics.convolution.scratch import convolve2d, corr2d

BEST = EDGE.double()
STARTS = 50  # seeds of the first kernel


@erratum(
    "7.2.4",
    "what the kernel is fitted to are the edges Y = corr2d(X, K), computed first",
    printed="Y is used and never computed",
    source="000 E13",
)
def target_of_learning() -> Evidence:
    """The learnt kernel gives the edges that the made one gives."""
    Y = corr2d(stripes(), EDGE)
    yield list(Y.shape), [6, 7]
    learnt = learn_kernel(0.03, 50, first_kernel(0)).kernels[-1]
    yield corr2d(stripes().double(), learnt), Y, 1e-3


@claim(
    "7.2.4",
    "ten steps at lr 0.03 bring the kernel near to (1, −1), most often within 0.04",
    ("002b C4", "000 C43", "001_003_004 C59"),
)
def kernel_learning() -> Evidence:
    """From starts within torch's default ±1/√2: errors, last losses, and that they only fall."""
    runs = [learn_kernel(0.03, 10, first_kernel(seed)) for seed in range(STARTS)]
    errors = [float((run.kernels[-1] - BEST).abs().max()) for run in runs]
    yield max(errors), (0.0, 0.1)
    yield sorted(errors)[STARTS // 2], (0.0, 0.04)
    yield max(run.losses[-1] for run in runs), (0.0, 0.5)
    yield all(run.losses == sorted(run.losses, reverse=True) for run in runs), True


@claim(
    "7.2.4",
    "at lr 0.03 the loss is A·0.64^t + B·0.4096^t from any start, as the printed losses are",
    ("000 C43", "002b C4"),
)
def law_of_losses() -> Evidence:
    """Measured losses, and those printed after 2, 4, …, 10 steps, to the last printed digit."""
    t = torch.arange(11.0, dtype=torch.float64)
    for seed in range(5):
        run = learn_kernel(0.03, 10, first_kernel(seed))
        A, B = (learn_kernel(0.03, 0, part).losses[0] for part in along_axes(run.kernels[0]))
        yield run.losses, A * 0.64**t + B * 0.4096**t, 1e-9
    for printed in ((6.422, 1.225, 0.266, 0.070, 0.022), (16.481, 5.069, 1.794, 0.688, 0.274)):
        yield follows_the_law(torch.tensor(printed, dtype=torch.float64)), True


def along_axes(kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Kernels as far from the best one as this one is, along (1, 1) and along (1, −1) alone."""
    a, b = (kernel - BEST)[0]
    return BEST + (a + b) / 2, BEST + (a - b) / 2 * EDGE.double()


def follows_the_law(printed: Tensor) -> bool:
    """Whether some A and B give losses, two steps apart, that round to the printed digits."""
    A = torch.linspace(0, float(printed[0]), 40_001, dtype=torch.float64)[:, None]
    B = printed[0] - A + torch.linspace(-0.0005, 0.0005, 11, dtype=torch.float64)
    t = 2.0 * torch.arange(len(printed), dtype=torch.float64)
    law = A[..., None] * 0.64**t + B[..., None] * 0.4096**t
    return bool(((law - printed).abs() <= 0.0005).all(dim=-1).any())


@claim("7.2.4", "the printed kernel has the loss that follows the last printed one", "002b C4")
def printed_kernel() -> Evidence:
    """(1.0398, −0.9328) after the tenth step, whose loss was printed before it: 0.64 of 0.274."""
    K = torch.tensor([[1.0398, -0.9328]], dtype=torch.float64)
    loss = learn_kernel(0.03, 0, K).losses[0]
    yield loss, 0.64 * 0.274, 0.002


@claim("7.2.4", "gradient descent on the kernel is stable exactly when lr < 1/30", "002b C5")
def kernel_step_limit() -> Evidence:
    """2/λ for the largest eigenvalue of the loss's Hessian; just below it falls, above it grows."""
    yield step_limit(), 1 / 30, 1e-12
    start = BEST + 0.1  # off along (1, 1), where the loss is steepest
    for lr, grows in ((0.033, False), (0.0334, True), (0.04, True)):
        losses = learn_kernel(lr, 50, start).losses
        yield losses[-1] > losses[0], grows


@claim("7.2.5", "a strict convolution learns the flipped kernel, with the same outputs", "002b C7")
def learnt_flip() -> Evidence:
    """Both from mirrored starts."""
    start = torch.tensor([[0.2, 0.5]], dtype=torch.float64)
    plain = learn_kernel(0.03, 50, start)
    strict = learn_kernel(0.03, 50, start.flip(1), convolve2d)
    yield strict.kernels, plain.kernels.flip(2), 1e-12
    yield strict.losses, plain.losses, 1e-12
    yield strict.kernels[-1], [[-1.0, 1.0]], 1e-3
    X = normal(4, 5)
    yield convolve2d(X, strict.kernels[-1]), corr2d(X, plain.kernels[-1]), 1e-12
