"""Every cell: equal to its reference, stepwise equal to the whole sequence, blind to padding."""

import numpy as np
import pytest
import torch
from reference import gru

from mt.nn.cells import CELLS, StandardGRU
from mt.nn.rnn import Bidirectional, reverse_by_length

LENGTHS = torch.tensor([6, 2, 4])


@pytest.fixture(params=sorted(CELLS))
def cell(request):
    return CELLS[request.param](input_size=3, hidden_size=4).double()


@pytest.fixture
def x():
    return torch.randn(3, 6, 3, dtype=torch.float64)


class TestEveryCell:
    def test_repeated_step_equals_forward(self, cell, x):
        state = torch.randn(3, 4, dtype=torch.float64)
        outputs, last = cell(x, state)
        for t in range(6):
            output, state = cell.step(x[:, t], state)
            torch.testing.assert_close(output, outputs[:, t], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(state, last, rtol=1e-12, atol=1e-12)

    def test_padding_changes_nothing(self, cell, x):
        outputs, last = cell(x, None, LENGTHS)
        disturbed = x.clone()
        for row, length in enumerate(LENGTHS):
            disturbed[row, length:] = 1e6
        outputs_disturbed, last_disturbed = cell(disturbed, None, LENGTHS)
        torch.testing.assert_close(last_disturbed, last)
        for row, length in enumerate(LENGTHS):
            torch.testing.assert_close(outputs_disturbed[row, :length], outputs[row, :length])

    def test_batch_equals_singles(self, cell, x):
        outputs, last = cell(x, None, LENGTHS)
        for row, length in enumerate(LENGTHS):
            alone, last_alone = cell(x[row : row + 1, :length], None, LENGTHS[row : row + 1])
            torch.testing.assert_close(alone[0], outputs[row, :length])
            torch.testing.assert_close(last_alone[0], last[row])

    def test_gradients(self, cell, x):
        x.requires_grad_()
        state = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
        parameters = list(cell.parameters())
        assert torch.autograd.gradcheck(lambda x, h, *_: tuple(cell(x, h, LENGTHS)), (x, state, *parameters))

    def test_state_dict_round_trip(self, cell, x):
        other = type(cell)(input_size=3, hidden_size=4).double()
        other.load_state_dict(cell.state_dict())
        torch.testing.assert_close(other(x).outputs, cell(x).outputs, rtol=0, atol=0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
def test_standard_gru_equals_the_reference(x, dtype, tolerance):
    cell = StandardGRU(input_size=3, hidden_size=4).to(dtype)
    w_x, w_h, b_x, b_h = (weight.detach().double().numpy() for weight in cell.gru.all_weights[0])
    outputs = cell(x.to(dtype)).outputs.detach().double().numpy()
    for row in range(3):
        expected = gru(x[row].numpy(), np.zeros(4), w_x, w_h, b_x, b_h)
        assert np.abs(outputs[row] - expected).max() <= tolerance * np.abs(expected).max()


def test_reverse_by_length_turns_only_the_real_part():
    x = torch.tensor([[1, 2, 3, 0], [4, 5, 0, 0]]).unsqueeze(2).float()
    lengths = torch.tensor([3, 2])
    turned = reverse_by_length(x, lengths)
    assert turned.squeeze(2).tolist() == [[3, 2, 1, 0], [5, 4, 0, 0]]
    assert torch.equal(reverse_by_length(turned, lengths), x)


def test_bidirectional_equals_torch_with_packing(x):
    """An independent implementation: torch's own bidirectional GRU over packed sequences."""
    theirs = torch.nn.GRU(3, 4, batch_first=True, bidirectional=True).double()
    ours = Bidirectional(
        left_to_right=StandardGRU(input_size=3, hidden_size=4), right_to_left=StandardGRU(input_size=3, hidden_size=4)
    ).double()
    ours.left_to_right.gru.load_state_dict({k: v for k, v in theirs.state_dict().items() if "reverse" not in k})
    back = {k.removesuffix("_reverse"): v for k, v in theirs.state_dict().items() if "reverse" in k}
    ours.right_to_left.gru.load_state_dict(back)
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
    expected, last = theirs(packed)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(expected, batch_first=True)
    outputs, summary = ours(x, LENGTHS)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(outputs[row, :length], expected[row, :length])
    torch.testing.assert_close(summary, torch.cat([last[0], last[1]], dim=1))
