"""Muon beside the singular value decomposition, torch's own, and AdamW."""

import pytest
import torch
from torch import nn

from freedive.core.muon import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (8, 8), (16, 6), (6, 16)])
def test_all_singular_values_come_near_one_and_the_vectors_stay(shape):
    G = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    U, _, Vh = torch.linalg.svd(G, full_matrices=False)
    ours = orthogonalized(G)
    within = U.T @ ours @ Vh.T  # diagonal, if the singular vectors are the same
    assert (within.diagonal() > 0.3).all()
    assert (within.diagonal() < 1.3).all()
    torch.testing.assert_close(within, within.diagonal().diag(), atol=1e-3, rtol=0)


def test_a_gradient_of_zero_moves_nothing():
    assert orthogonalized(torch.zeros(3, 4)).abs().max() == 0


def step(optimizer, *parameters):
    for seed, parameter in enumerate(parameters):
        chance = torch.Generator().manual_seed(seed)
        parameter.grad = torch.randn(parameter.shape, generator=chance)
    optimizer.step()


@pytest.mark.parametrize("shape", [(8, 8), (12, 4), (4, 12)])
def test_matrices_move_as_torchs_muon_moves_them(shape):
    ours, theirs = (nn.Parameter(torch.ones(shape)) for _ in range(2))
    how = {"lr": 0.02, "weight_decay": 0.1, "momentum": 0.95}
    mine = Muon([ours], [], **how)
    torchs = torch.optim.Muon([theirs], **how, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        step(mine, ours)
        step(torchs, theirs)
    # torch's rounds to bfloat16 inside, and keeps a mean where we keep a sum: directions agree
    moved, expected = (1 - ours).flatten(), (1 - theirs).flatten()
    assert torch.cosine_similarity(moved, expected, dim=0) > 0.99
    assert float(moved.norm() / expected.norm()) == pytest.approx(1, abs=0.05)


def test_what_is_no_matrix_moves_as_adamw_moves_it():
    ours, theirs = (nn.Parameter(torch.ones(5)) for _ in range(2))
    mine = Muon([nn.Parameter(torch.ones(3, 3))], [ours], lr=0.1, weight_decay=0.2)
    adamw = torch.optim.AdamW([theirs], lr=0.1, weight_decay=0.2)
    for _ in range(3):
        step(mine, ours)
        step(adamw, theirs)
    assert torch.equal(ours, theirs)


def test_its_state_is_saved_and_a_parameter_without_gradient_stays():
    W, b, idle = nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(3)), nn.Parameter(W0())
    first = Muon([W, idle], [b], lr=0.1)
    step(first, W, b)
    assert torch.equal(idle, W0())
    again = Muon([W, idle], [b], lr=0.5)
    again.load_state_dict(first.state_dict())
    assert [g["lr"] for g in again.param_groups] == [0.1, 0.1]
    assert torch.equal(again.state[W]["momentum_buffer"], first.state[W]["momentum_buffer"])


def W0():
    return torch.full((2, 2), 0.5)
