"""Every layer: equal to its reference, stepwise equal to the whole sequence, blind to padding, true under dropout."""

import numpy as np
import pytest
import reference
import torch

from mt.nn.cells import CELLS, LayerNormGRU, MinGRU, OutputGatedGRU, StandardGRU, linear_scan
from mt.nn.rnn import Bidirectional, DeepTransition, TransitionGRU, orthogonal_, reverse_by_length

LENGTHS = torch.tensor([6, 2, 4])


def deep_transition(*, recurrent_dropout=0.0, **sizes):
    first = StandardGRU(**sizes, recurrent_dropout=recurrent_dropout)
    return DeepTransition(first=first, depth=3, recurrent_dropout=recurrent_dropout)


LAYERS = {**CELLS, "deep_transition": deep_transition}
WITH_RECURRENT_WEIGHTS = sorted(set(LAYERS) - {"min_gru"})


@pytest.fixture(params=sorted(LAYERS))
def make(request):
    return LAYERS[request.param]


@pytest.fixture
def cell(make):
    return make(input_size=3, hidden_size=4).double()


@pytest.fixture
def x():
    return torch.randn(3, 6, 3, dtype=torch.float64)


@pytest.fixture
def state():
    return torch.randn(3, 4, dtype=torch.float64)


class TestEveryCell:
    def test_repeated_step_equals_forward(self, cell, x, state):
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

    def test_without_a_state_it_starts_from_zeros(self, cell, x):
        for ours, zeros in zip(cell(x), cell(x, torch.zeros(3, 4, dtype=torch.float64)), strict=True):
            torch.testing.assert_close(ours, zeros, rtol=0, atol=0)

    def test_gradients(self, cell, x, state):
        inputs = (x.requires_grad_(), state.requires_grad_(), *cell.parameters())
        assert torch.autograd.gradcheck(lambda x, h, *_: tuple(cell(x, h, LENGTHS)), inputs)

    def test_state_dict_round_trip(self, make, cell, x):
        other = make(input_size=3, hidden_size=4).double()
        other.load_state_dict(cell.state_dict())
        torch.testing.assert_close(other(x).outputs, cell(x).outputs, rtol=0, atol=0)

    def test_emits_its_state_if_it_says_so(self, cell, x):
        outputs, last = cell(x)
        assert torch.equal(outputs[:, -1], last) == cell.emits_state

    def test_zero_dropout_draws_and_changes_nothing(self, make, cell, x):
        other = make(input_size=3, hidden_size=4, recurrent_dropout=0.0).double()
        other.load_state_dict(cell.state_dict())
        generator = torch.get_rng_state()
        torch.testing.assert_close(other.train()(x).outputs, cell.eval()(x).outputs, rtol=0, atol=0)
        assert torch.equal(torch.get_rng_state(), generator)

    def test_runs_in_both_directions(self, make, x):
        both = Bidirectional(
            left_to_right=make(input_size=3, hidden_size=4), right_to_left=make(input_size=3, hidden_size=4)
        ).double()
        outputs, summary = both(x, LENGTHS)
        for row, length in enumerate(LENGTHS):
            alone = x[row : row + 1, :length]
            ahead, back = both.left_to_right(alone), both.right_to_left(alone.flip(1))
            expected = torch.cat([ahead.outputs, back.outputs.flip(1)], dim=2)
            torch.testing.assert_close(outputs[row, :length], expected[0])
            torch.testing.assert_close(summary[row], torch.cat([ahead.state, back.state], dim=1)[0])


def by_gate(parameter, gates):
    return dict(zip(gates, np.split(array(parameter), len(gates)), strict=True))


def array(parameter):
    return parameter.detach().double().numpy()


def standard_reference(cell, x, h):
    outputs = reference.gru(x, h, *map(array, cell.gru.all_weights[0]))
    return outputs, outputs[-1]


def output_gated_reference(cell, x, h):
    w, u, b = (by_gate(part, "rzon") for part in (cell.input.weight, cell.weight_hh, cell.input.bias))
    return reference.output_gated_gru(x, h, w, u, b)


def minimal_reference(cell, x, h):
    w, u, b = (by_gate(part, "fn") for part in (cell.input.weight, cell.weight_hh, cell.input.bias))
    return reference.minimal_gru(x, h, w, u, b)


def layer_norm_reference(cell, x, h):
    weights = [part for matrix in (cell.input.weight, cell.weight_hh) for part in np.split(array(matrix), [8])]
    norms = {"w_rz": cell.norm_x_rz, "w_n": cell.norm_x_n, "u_rz": cell.norm_h_rz, "u_n": cell.norm_h_n}
    norm = {name: (array(layer.weight), array(layer.bias)) for name, layer in norms.items()}
    return reference.layer_norm_gru(x, h, *weights, norm)


def min_gru_reference(cell, x, h):
    return reference.min_gru(x, h, *np.split(array(cell.input.weight), 2), *np.split(array(cell.input.bias), 2))


def deep_transition_reference(cell, x, h):
    further = [(array(t.weight_hh), np.split(array(t.bias_hh), 3), array(t.bias_n)) for t in cell.further]
    return reference.deep_transition_gru(x, h, [*map(array, cell.first.gru.all_weights[0])], further)


@pytest.mark.parametrize("start", ["from_zeros", "from_a_state"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 1e-4)])
@pytest.mark.parametrize("name", sorted(LAYERS))
def test_equals_the_reference(name, dtype, tolerance, start, x, state):
    cell = LAYERS[name](input_size=3, hidden_size=4)
    for parameter in cell.parameters():
        torch.nn.init.normal_(parameter, std=0.7)  # gains and biases too
    cell = cell.to(dtype)
    x, state = x.to(dtype), state.to(dtype) if start == "from_a_state" else None
    outputs, last = cell(x, state)
    for row in range(3):
        h = np.zeros(4) if state is None else array(state[row])
        expected, expected_last = globals()[f"{name}_reference"](cell, array(x[row]), h)
        assert np.abs(array(outputs[row]) - expected).max() <= tolerance * np.abs(expected).max()
        assert np.abs(array(last[row]) - expected_last).max() <= tolerance * np.abs(expected_last).max()


@pytest.mark.parametrize("name", WITH_RECURRENT_WEIGHTS)
class TestRecurrentDropout:
    def test_forward_drops_what_its_stepper_drops(self, name, x, state):
        """With the same seed; the stepper therefore keeps its choice over the whole sequence."""
        cell = LAYERS[name](input_size=3, hidden_size=4, recurrent_dropout=0.5).double()
        torch.manual_seed(1)
        outputs, last = cell(x, state)
        torch.manual_seed(1)
        step = cell.stepper()
        for t in range(6):
            output, state = step(x[:, t], state)
            torch.testing.assert_close(output, outputs[:, t], rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(state, last, rtol=1e-12, atol=1e-12)

    def test_each_sequence_draws_anew(self, name, x):
        cell = LAYERS[name](input_size=3, hidden_size=4, recurrent_dropout=0.5).double()
        assert not torch.equal(cell(x).outputs, cell(x).outputs)

    def test_drops_weights_and_the_same_ones_at_all_positions(self, name):
        """A weight that is dropped at every position has no gradient at all; no other gradient is exactly zero."""
        cell = LAYERS[name](input_size=3, hidden_size=32, recurrent_dropout=0.3).double()
        cell(torch.randn(5, 7, 3, dtype=torch.float64)).outputs.square().sum().backward()
        for name_of, parameter in cell.named_parameters():
            dropped = (parameter.grad == 0).double().mean()
            expected = 0.3 if "weight_hh" in name_of else 0.0
            assert dropped == pytest.approx(expected, abs=0.05 if expected else 0), name_of

    def test_is_off_in_eval(self, name, x, state):
        cell = LAYERS[name](input_size=3, hidden_size=4, recurrent_dropout=0.5).double().eval()
        plain = LAYERS[name](input_size=3, hidden_size=4).double()
        plain.load_state_dict(cell.state_dict())
        torch.testing.assert_close(cell(x, state).outputs, plain(x, state).outputs, rtol=0, atol=0)
        torch.testing.assert_close(cell.step(x[:, 0], state), plain.step(x[:, 0], state), rtol=0, atol=0)

    def test_gradients(self, name, x, state):
        cell = LAYERS[name](input_size=3, hidden_size=4, recurrent_dropout=0.5).double()

        def run(x, h, *_):
            torch.manual_seed(1)
            return tuple(cell(x, h, LENGTHS))

        assert torch.autograd.gradcheck(run, (x.requires_grad_(), state.requires_grad_(), *cell.parameters()))


@pytest.mark.parametrize("name", sorted(set(WITH_RECURRENT_WEIGHTS) - {"layer_norm"}))  # which scaling leaves alone
def test_recurrent_dropout_keeps_the_expectation(name, x, state):
    """Outputs are linear in recurrent weights this small, so that their mean is the output without dropout."""
    cell = LAYERS[name](input_size=3, hidden_size=4, recurrent_dropout=0.5).double()
    with torch.no_grad():
        for parameter_name, parameter in cell.named_parameters():
            parameter.mul_(1e-4 if "weight_hh" in parameter_name else 1)
        mean = torch.stack([cell.step(x[:, 0], state).outputs for _ in range(4000)]).mean(0)
        expected = cell.eval().step(x[:, 0], state).outputs
        for parameter_name, parameter in cell.named_parameters():
            parameter.mul_(0 if "weight_hh" in parameter_name else 1)
        without = cell.step(x[:, 0], state).outputs
    effect, error = (expected - without).abs().max(), (mean - expected).abs().max()
    assert error < 0.1 * effect


class TestMinGRU:
    @pytest.fixture(params=[1.0, 20.0], ids=["open_gates", "saturated_gates"])
    def long(self, request):
        """A float32 layer, 500 positions, a state; the gates are all but 0 or 1 where their weights are large."""
        cell = MinGRU(input_size=3, hidden_size=16)
        with torch.no_grad():
            cell.input.weight[:16] *= request.param
        return cell, torch.randn(4, 500, 3) * 3, torch.randn(4, 16)

    def test_is_exact_over_500_positions_in_float32(self, long):
        cell, x, state = long
        outputs, last = cell(x, state)
        for row in range(4):
            expected, expected_last = min_gru_reference(cell, array(x[row]), array(state[row]))
            assert np.abs(array(outputs[row]) - expected).max() <= 1e-5 * np.abs(expected).max()
            assert np.abs(array(last[row]) - expected_last).max() <= 1e-5 * np.abs(expected_last).max()

    def test_gradients_are_those_of_the_sequence_in_float64(self, long):
        cell, x, state = long
        x, state = x.requires_grad_(), state.requires_grad_()
        ours = torch.autograd.grad(cell(x, state).outputs.square().sum(), (x, state, *cell.parameters()))
        cell = cell.double()
        after, outputs = state.double(), []
        for x_t in x.double().unbind(1):
            output, after = cell.step(x_t, after)
            outputs.append(output)
        total = torch.stack(outputs).square().sum()
        theirs = torch.autograd.grad(total, (x, state, *cell.parameters()))
        for our, their in zip(ours, theirs, strict=True):
            assert our.isfinite().all()
            assert (our - their).abs().max() <= 1e-4 * their.abs().max()

    @pytest.mark.parametrize("gate", [-1e4, 1e4])
    def test_gates_of_exactly_0_and_1_have_finite_gradients(self, gate):
        cell = MinGRU(input_size=3, hidden_size=4)
        with torch.no_grad():
            cell.input.bias[:4] = gate
        cell(torch.randn(2, 500, 3), torch.randn(2, 4)).outputs.sum().backward()
        assert all(parameter.grad.isfinite().all() for parameter in cell.parameters())

    @pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 9])
    def test_the_scan_equals_the_loop_at_every_length(self, length):
        keep, add = torch.rand(2, length, 3), torch.randn(2, length, 3)
        products, states = linear_scan(keep, add)
        state = torch.zeros(2, 3)
        for t in range(length):
            state = keep[:, t] * state + add[:, t]
            torch.testing.assert_close(states[:, t], state)
        torch.testing.assert_close(products, keep.cumprod(1))

    def test_has_no_recurrent_weights_to_drop(self):
        with pytest.raises(
            ValueError, match=r"min_gru has no .* weights to drop: recurrent_dropout must be 0, not 0\.1"
        ):
            MinGRU(input_size=3, hidden_size=4, recurrent_dropout=0.1)


class TestDeepTransition:
    def test_of_depth_1_is_its_first_layer(self, x):
        first = StandardGRU(input_size=3, hidden_size=4).double()
        torch.testing.assert_close(DeepTransition(first=first, depth=1)(x), first(x))

    @pytest.mark.parametrize("name", sorted(set(CELLS) - {"output_gated"}))
    def test_goes_deeper_from_the_state_of_any_cell(self, name, x, state):
        layer = DeepTransition(first=CELLS[name](input_size=3, hidden_size=4), depth=2).double()
        expected = layer.further[0].stepper()(layer.first.step(x[:, 0], state).state)
        torch.testing.assert_close(layer.step(x[:, 0], state), (expected, expected))

    def test_a_transition_is_a_gru_whose_input_is_zero(self, state):
        theirs = torch.nn.GRUCell(3, 4).double()
        ours = TransitionGRU(hidden_size=4).double()
        input_bias = theirs.bias_ih.detach()
        ours.load_state_dict(
            {
                "weight_hh": theirs.weight_hh,
                "bias_hh": theirs.bias_hh.detach() + torch.cat([input_bias[:8], torch.zeros(4)]),
                "bias_n": input_bias[8:],
            }
        )
        torch.testing.assert_close(ours.stepper()(state), theirs(torch.zeros(3, 3).double(), state))

    def test_needs_a_cell_that_emits_its_state(self):
        first = OutputGatedGRU(input_size=3, hidden_size=4)
        with pytest.raises(ValueError, match="emits its state, which OutputGatedGRU does not: choose another cell, or"):
            DeepTransition(first=first, depth=2)

    def test_needs_a_transition(self):
        with pytest.raises(ValueError, match="depth must be at least 1, not 0"):
            DeepTransition(first=StandardGRU(input_size=3, hidden_size=4), depth=0)


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_orthogonal_makes_every_gate_orthogonal_and_leaves_the_rest(name):
    layer = torch.nn.ModuleDict({"inner": LAYERS[name](input_size=3, hidden_size=4), "other": torch.nn.Linear(4, 4)})
    before = {name: parameter.clone() for name, parameter in layer.named_parameters()}
    orthogonal_(layer)
    gates = 0
    for parameter_name, parameter in layer.named_parameters():
        assert parameter.requires_grad
        if "weight_hh" not in parameter_name:
            assert torch.equal(parameter, before[parameter_name])
            continue
        for gate in parameter.view(-1, 4, 4):
            torch.testing.assert_close(gate @ gate.T, torch.eye(4))
            gates += 1
        assert not torch.equal(parameter[:4], parameter[4:8])
    assert (
        gates
        == {"standard": 3, "output_gated": 4, "layer_norm": 3, "minimal": 2, "min_gru": 0, "deep_transition": 9}[name]
    )


def test_layer_norm_does_not_mind_the_scale_of_its_weights(x):
    cell = LayerNormGRU(input_size=3, hidden_size=4).double()
    before = cell(x).outputs
    with torch.no_grad():
        cell.input.weight.mul_(10)
    torch.testing.assert_close(cell(x).outputs, before, rtol=1e-3, atol=1e-3)


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
