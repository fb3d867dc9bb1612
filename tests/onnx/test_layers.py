"""Layers that can be exported, against those that they stand for."""

import pytest
import torch
from conftest import tiny_spec

from mt.model import build_model
from mt.nn.attention import AdditiveAttention
from mt.nn.cells import StandardGRU
from mt.onnx.layers import ByteRows, PlainAdditiveAttention, PlainGRU, Rows, exportable


def test_additive_attention_as_it_is_written():
    kernel = AdditiveAttention(query_size=5, value_size=4, attention_size=3).double()
    values, query = torch.randn(2, 6, 4).double(), torch.randn(2, 3, 5).double()
    memory = kernel.memory(values, torch.arange(6) < torch.tensor([[6], [2]]))
    plain = PlainAdditiveAttention(kernel)
    for ours, theirs in zip(plain(query, memory), kernel(query, memory), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(plain.memory(values, memory.mask).keys, memory.keys, rtol=0, atol=0)


def test_standard_gru_without_its_module():
    cell = StandardGRU(input_size=3, hidden_size=4).double()
    x, state = torch.randn(2, 3).double(), torch.randn(2, 4).double()
    with torch.no_grad():
        for ours, theirs in zip(PlainGRU(cell).step(x, state), cell.step(x, state), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_rows_in_bytes_are_within_half_a_step():
    weight = torch.randn(9, 50) * torch.logspace(-3, 3, 9).unsqueeze(1)
    weight[4] = 0
    ids = torch.tensor([[4, 0], [8, 4]])
    bytes_, exact = ByteRows(weight, factor=3.0)(ids), 3 * weight[ids]
    assert (bytes_[ids == 4] == 0).all()
    assert ((bytes_ - exact).abs() <= exact.abs().amax(2, keepdim=True) / 127 / 2 * 1.001).all()
    torch.testing.assert_close(Rows(weight)(ids[0]), weight[ids[0]], rtol=0, atol=0)


@pytest.mark.parametrize("int8", [False, True])
def test_the_model_itself_stays_as_it_is(int8):
    model = build_model(tiny_spec()).double().train()
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    copy = exportable(model, int8=int8)
    assert model.training
    assert not copy.training
    assert [*model.state_dict()] == [*before]
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, before[name], rtol=0, atol=0)
