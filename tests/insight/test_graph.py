"""Graphs of tensors, models and functions, and their drawings."""

import copy
import functools
import importlib.util
import itertools
import re
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import torch
from torch import nn

from freedive.insight.features import InsightError
from freedive.insight.graph import Graph, Node
from freedive.insight.graph_layout import Layers, box_size, layout
from freedive.insight.trace import graph

SVG = "{http://www.w3.org/2000/svg}"


def flow(drawing: Graph) -> set[tuple[str, str]]:
    """The edges by label."""
    labels = {node.id: node.label.split("\n")[0] for node in drawing.nodes}
    return {(labels[a], labels[b]) for a, b in drawing.edges}


def node(drawing: Graph, label: str) -> Node:
    (found,) = [node for node in drawing.nodes if node.label.split("\n")[0] == label]
    return found


def perceptron() -> dict[str, torch.Tensor]:
    x, y = torch.randn(4), torch.randn(2)
    W1, W2 = torch.randn(3, 4, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    z = W1 @ x
    h = z.relu()
    o = W2 @ h
    L, s = ((o - y) ** 2).sum(), W1.norm() + W2.norm()
    return {"x": x, "y": y, "W1": W1, "W2": W2, "z": z, "h": h, "o": o, "L": L, "s": s,
            "J": L + s}  # fmt: skip


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.b1 = nn.Conv2d(3, 2, 1)
        self.b2 = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(inplace=True), nn.Conv2d(2, 4, 3, 1, 1))
        self.b3 = nn.MaxPool2d(3, 1, 1)

    def forward(self, x):
        return torch.cat([torch.relu(self.b1(x)), self.b2(x), self.b3(x)], 1)


class Plain(nn.Module):
    """A model whose forward is given."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.call = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.call(self, x)


def chain(steps: int) -> torch.Tensor:
    w = torch.ones((), requires_grad=True)
    u = w
    for _ in range(steps):
        u = u * w
    return u


# a graph built by hand


def test_a_graph_without_nodes_has_all_three_forms():
    empty = Graph([], [])
    assert str(empty) == "(empty graph)"
    assert empty.mermaid() == "flowchart LR\n"
    assert float(ET.fromstring(empty.svg()).get("width")) > 0


def test_one_node_of_either_kind_is_drawn():
    for kind in ("variable", "operation"):
        root = ET.fromstring(Graph([Node("a", "", kind, ())], []).svg("up"))
        assert len(root.findall(f".//{SVG}g/{SVG}g/{SVG}rect")) == 1


def test_text_lists_inputs_first_whatever_the_given_order():
    nodes = [Node("b", "exp", "operation", (2,)), Node("a", "x", "variable", (2,))]
    assert str(Graph(nodes, [("a", "b")])) == "[x]    2\n(exp)  2  ← x"


def test_equal_labels_are_numbered_and_values_follow():
    nodes = [
        Node("a", "x", "variable", (4,), torch.arange(4.0), torch.zeros(4)),
        Node("b", "exp", "operation"),
        Node("c", "exp", "operation", (), 2.5),
    ]
    assert Graph(nodes, [("a", "b"), ("b", "c")]).text().splitlines() == [
        "[x]      4  = [0, 1, 2, …]  ∇ [0, 0, 0, …]",
        "(exp·1)  ← x",
        "(exp·2)  ← exp·1  = 2.5",
    ]


@pytest.mark.parametrize(
    ("ids", "edges", "message"),
    [
        ("aa", [], "two nodes have the id 'a'"),
        ("a", [("a", "b")], "no node has the id 'b'"),
        ("abc", [("a", "b"), ("b", "c"), ("c", "a")], "no circle, got"),
        ("a", [("a", "a")], "no circle, got"),
    ],
)
def test_what_is_no_graph_is_refused_in_one_line(ids, edges, message):
    with pytest.raises(InsightError, match=message) as error:
        Graph([Node(name, name, "variable") for name in ids], edges)
    assert "\n" not in str(error.value)


def test_an_unknown_kind_or_direction_or_level_is_refused():
    with pytest.raises(InsightError, match="kind='box'"):
        Node("a", "a", "box")
    for form in (Graph([], []).svg, Graph([], []).mermaid):
        with pytest.raises(InsightError, match="direction='down'"):
            form("down")
    with pytest.raises(InsightError, match="level='layer'"):
        graph(nn.Linear(1, 1), (1, 1), level="layer")


@pytest.mark.parametrize("label", ["<eos>", "a&b", 'say "hi"', "\x00\x1b", "'", "日本語", "#1 `x`"])
def test_any_label_is_safe_in_xml_and_mermaid(label):
    drawing = Graph([Node(label, label, "variable", (1,))], [], title=label)
    texts = [text.text for text in ET.fromstring(drawing.svg()).iter(f"{SVG}text")]
    assert texts == [re.sub("[\x00-\x1f]", "\ufffd", label), "1"]
    shown = re.fullmatch(r'flowchart LR\n    n0\["(.*)<br/>1"\]\n', drawing.mermaid())
    assert shown
    assert not set('<>"`') & set(shown[1])


def test_a_long_line_is_cut_in_the_drawing_and_whole_in_the_title():
    root = ET.fromstring(Graph([Node("a", "x" * 100, "operation")], []).svg())
    assert root.find(f".//{SVG}text").text == "x" * 40 + "…"
    assert root.find(f".//{SVG}g/{SVG}title").text == "x" * 100


def test_mermaid_has_a_line_for_each_node_and_edge_and_no_id_of_ours():
    nodes = [Node("end", "x", "variable"), Node("class", "exp", "operation"),
             Node("graph", "a long operation", "operation", shaded=True)]  # fmt: skip
    lines = Graph(nodes, [("end", "class"), ("end", "graph"), ("end", "graph")]).mermaid("up")
    assert lines.splitlines() == [
        "flowchart BT", '    n0["x"]', '    n1(("exp"))', '    n2(["a long operation"])',
        "    n0 --> n1", "    n0 --> n2",
    ]  # fmt: skip


# the drawing


def drawings():
    names = perceptron()
    yield graph(names["J"], names=names)
    yield graph(Inception(), (1, 3, 8, 8))
    yield graph(Inception(), (1, 3, 8, 8), level="operation")
    ids = [f"n{i}" for i in range(60)]
    torch.manual_seed(3)
    pairs = [(a, b) for a, b in itertools.combinations(ids, 2) if torch.rand(()) < 0.06]
    yield Graph([Node(i, i * (1 + k % 3), "variable") for k, i in enumerate(ids)], pairs)


def placed(drawing: Graph, up: bool):
    sizes = {n.id: box_size([n.label], n.kind == "operation") for n in drawing.nodes}
    order = {n.id: sizes[n.id] for n in drawing._ordered()}
    return layout(order, list(dict.fromkeys(drawing.edges)), up)


@pytest.mark.parametrize("up", [False, True])
def test_no_boxes_overlap_no_arrow_crosses_a_box_and_all_is_on_the_page(up):
    for drawing in drawings():
        drawn = placed(drawing, up)
        boxes = list(drawn.boxes.values())
        for a, b in itertools.combinations(boxes, 2):
            apart = (a.x + a.width < b.x, b.x + b.width < a.x, a.y + a.height < b.y,
                     b.y + b.height < a.y)  # fmt: skip
            assert any(apart)
        for box in boxes:
            assert box.x > 0
            assert box.y > 0
            assert box.x + box.width < drawn.width
            assert box.y + box.height < drawn.height
        for path in drawn.paths:
            straight = [path.points[0], path.points[1], path.points[4], path.points[5]]
            halves = [tuple((p + q) / 2 for p, q in zip(a, b, strict=True))
                      for a, b in (straight[:2], straight[2:])]  # fmt: skip
            for x, y in (*halves, *path.points[1:5]):  # the ends lie on boxes, the rest is free
                assert not any(
                    b.x + 0.2 < x < b.x + b.width - 0.2 and b.y + 0.2 < y < b.y + b.height - 0.2
                    for b in boxes
                )


@pytest.mark.parametrize("up", [False, True])
def test_arrows_start_and_end_at_the_edge_of_their_boxes_and_go_forward(up):
    drawing = graph(Inception(), (1, 3, 8, 8))
    drawn = placed(drawing, up)
    ends = [path.points[-1] for path in drawn.paths if path.ends]
    assert len(ends) == len(drawing.edges)
    for _, target in drawing.edges:
        b = drawn.boxes[target]
        meets = (b.x + b.width / 2, b.y + b.height) if up else (b.x, b.y + b.height / 2)
        assert any(abs(x - meets[0]) < 0.3 and abs(y - meets[1]) < 0.3 for x, y in ends)
    for path in drawn.paths:
        along = [-y if up else x for x, y in path.points]
        assert along == sorted(along)


def test_a_chain_is_straight_and_the_result_is_to_the_upper_right():
    names = perceptron()
    drawing = graph(names["J"], names=names)
    boxes = placed(drawing, up=False).boxes
    middle = {n.label: boxes[n.id].y + boxes[n.id].height / 2 for n in drawing.nodes}
    assert middle["z"] == pytest.approx(middle["relu"], abs=0.2)
    assert middle["h"] == pytest.approx(middle["relu"], abs=0.2)
    assert middle["J"] < middle["x"]
    assert boxes[node(drawing, "J").id].x == max(box.x for box in boxes.values())


def test_the_steps_of_a_loop_stand_by_their_time():
    def steps(x1, x2, w):
        h = torch.tanh(x1 * w)
        return torch.tanh(h + x2 * w)

    drawing = graph(steps, {"x1": (1,), "x2": (1,), "w": (1,)})
    boxes = placed(drawing, up=False).boxes
    left = {n.label: boxes[n.id].x for n in drawing.nodes}
    assert left["x1"] == left["w"] < left["x2"] < left["add"]


def test_the_figures_of_the_documentation_are_those_that_its_script_draws(monkeypatch, tmp_path):
    docs = Path(__file__).parents[2] / "docs"
    spec = importlib.util.spec_from_file_location("make_figures", docs / "make_figures.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    script.main()
    for name in ("backprop", "inception", "rnn"):
        drawn = (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert drawn == (docs / "figures" / f"{name}.svg").read_text(encoding="utf-8")


def test_beyond_its_budget_a_long_arrow_runs_behind_the_boxes(monkeypatch):
    monkeypatch.setattr("freedive.insight.graph_layout.MOST_CROSSINGS", 1)
    nodes = [Node(name, name, "variable") for name in "abcde"]
    drawing = Graph(nodes, [*itertools.pairwise("abcde"), ("a", "d"), ("c", "e")])
    drawn = placed(drawing, up=False)
    assert len(drawn.paths) == len(drawing.edges) + 1  # one crossing for the short one
    assert sum(path.ends for path in drawn.paths) == len(drawing.edges)


def test_crossings_that_can_be_avoided_are():
    edges = [("a", "z"), ("b", "y"), ("c", "x")]
    layers = Layers(["a", "b", "c", "x", "y", "z"], edges)
    assert layers.crossings() == 3
    layers.untangle()
    assert layers.crossings() == 0


def test_the_svg_is_the_same_bytes_every_time_and_has_titles():
    names = perceptron()
    first, second = (graph(names["J"], names=names).svg() for _ in range(2))
    assert first == second
    root = ET.fromstring(first)
    assert root.find(f"{SVG}title").text == "computational graph"
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert "W1 3×4" in titles
    assert graph(names["J"])._repr_svg_().startswith("<svg")


# tensors


def test_the_perceptron_of_section_5_3():
    names = perceptron()
    drawing = graph(names["J"], names=names)
    assert flow(drawing) >= {
        ("x", "mv"), ("W1", "mv"), ("mv", "z"), ("z", "relu"), ("relu", "h"), ("h", "mv"),
        ("W2", "mv"), ("mv", "o"), ("o", "sub"), ("L", "add"), ("s", "add"), ("add", "J"),
    }  # fmt: skip
    assert {n.label for n in drawing.nodes if n.kind == "variable"} == {*names} - {"y"}
    assert node(drawing, "z").shape == (3,)
    assert node(drawing, "relu").shape == (3,)


def test_values_and_the_gradients_that_backward_left():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    y = (w * w).sum()
    y.backward()
    drawing = graph(y, names={"w": w}, values=True)
    assert node(drawing, "w").value.tolist() == [1, 2]
    assert node(drawing, "w").gradient.tolist() == [2, 4]
    assert node(drawing, "result").value.item() == 5
    assert node(graph(y, names={"w": w}), "w").value is None


def test_a_shared_tensor_is_one_square_and_a_parameter_is_shaded():
    w = nn.Parameter(torch.ones(()))
    drawing = graph(w * w + w)
    assert node(drawing, "parameter").shaded
    assert drawing.text().splitlines()[1:] == [
        "(mul)        ← parameter, parameter",
        "(add)        ← mul, parameter",
        "[result]     ← add",
    ]  # fmt: skip


def test_views_and_writes_in_place():
    w = torch.ones(2, 3, requires_grad=True)
    u = w * 1
    u[0].mul_(2)
    assert flow(graph(u, names={"w": w})) == {("w", "mul"), ("mul", "copy_slices"),
                                               ("copy_slices", "result")}  # fmt: skip


def test_a_function_with_its_own_backward_keeps_its_name():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.variable = x
            return 2 * x

        @staticmethod
        def backward(ctx, gradient):
            return 2 * gradient

    w = torch.ones(3, requires_grad=True)
    assert flow(graph(Double.apply(w))) == {("leaf", "Double"), ("Double", "result")}


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        (torch.ones(2), "made of what needs no gradient"),
        (torch.ones(2, requires_grad=True), "it is a leaf"),
        ((torch.ones(2, requires_grad=True) * 2).detach(), "detached"),
        ([1, 2], "got list"),
    ],
)
def test_what_has_no_graph_says_why(thing, why):
    with pytest.raises(InsightError, match=why):
        graph(thing)


def test_thousands_of_nodes_take_seconds():
    start = time.perf_counter()
    drawing = graph(chain(3000))
    assert len(drawing.nodes) == 3002
    assert len(drawing.text().splitlines()) == 3002
    assert drawing.mermaid().count("-->") == 3000 + 1 + 2999
    ET.fromstring(drawing.svg())
    assert time.perf_counter() - start < 8


# models and functions


def test_the_modules_of_a_block_with_branches():
    drawing = graph(Inception(), (1, 3, 8, 8))
    assert flow(drawing) == {
        ("x", "1×1 Conv2d"), ("1×1 Conv2d", "relu"), ("relu", "cat"), ("1×1 Conv2d", "ReLU"),
        ("ReLU", "3×3 Conv2d"), ("3×3 Conv2d", "cat"), ("x", "3×3 MaxPool2d"),
        ("3×3 MaxPool2d", "cat"), ("cat", "output"),
    }  # fmt: skip
    assert node(drawing, "3×3 Conv2d").label == "3×3 Conv2d\nb2.2"
    assert node(drawing, "3×3 Conv2d").shape == (1, 4, 8, 8)
    assert drawing.title == "Inception"


def test_the_operations_of_a_model_show_its_parameters():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    assert str(graph(model, (5, 3), level="operation")) == "\n".join([
        "[input]     5×3",
        "[0.weight]  2×3",
        "[0.bias]    2",
        "(linear)    5×2  ← input, 0.weight, 0.bias",
        "(relu)      5×2  ← linear",
        "[output]    5×2  ← relu",
    ])  # fmt: skip


def test_a_function_shows_constants_names_and_what_it_returns():
    b = torch.ones(2)

    def line(x, w):
        p, q = x @ w + b
        return {"p": p, "rest": [1 - q]}

    drawing = graph(line, {"x": (3,), "w": torch.ones(3, 2)}, names={"b": b}, values=True)
    assert flow(drawing) == {("x", "matmul"), ("w", "matmul"), ("matmul", "add"), ("b", "add"),
                             ("add", "unbind"), ("unbind", "p"), ("unbind", "sub"),
                             ("sub", "rest[0]")}  # fmt: skip
    assert node(drawing, "p").value.item() == 1
    assert node(drawing, "add").value.tolist() == [1, 1]


def test_a_write_through_a_view_reaches_what_shares_its_memory():
    def write(x):
        y = x + 1
        y[0].mul_(2)
        return y * 3

    lines = str(graph(write, (2, 2))).splitlines()
    assert lines[3] == "(mul_)     2×2  ← getitem, add"
    assert lines[4] == "(mul)      2×2  ← mul_"


def test_an_identity_does_not_stand_between_others():
    model = Plain(lambda m, x: m.skip(x) + m.layer(x), skip=nn.Identity(), layer=nn.Linear(2, 2))
    assert flow(graph(model, (1, 2))) == {("x", "Identity"), ("x", "Linear"), ("Identity", "add"),
                                          ("Linear", "add"), ("add", "output")}  # fmt: skip


def test_a_cell_that_is_called_three_times_is_three_circles():
    def steps(model, x):
        h, outputs = None, []
        for row in x:
            h = model.cell(row, h)
            outputs.append(h)
        return tuple(outputs)

    drawing = graph(Plain(steps, cell=nn.RNNCell(2, 3)), (3, 1, 2))
    assert [n.label for n in drawing.nodes] == [
        "x", "unbind", "RNNCell\ncell", "output[0]", "RNNCell\ncell", "output[1]",
        "RNNCell\ncell", "output[2]",
    ]  # fmt: skip


def test_control_flow_on_data_follows_the_way_taken():
    model = Plain(lambda m, x: m.a(x) if x.sum() > 0 else m.b(x), a=nn.Linear(1, 1), b=nn.ReLU())
    assert ("x", "Linear") in flow(graph(model, torch.ones(1, 1)))
    assert ("x", "ReLU") in flow(graph(model, -torch.ones(1, 1)))


def test_functions_of_torch_and_partial_ones_are_followed_too():
    assert flow(graph(torch.relu, (2,))) == {("x[0]", "relu"), ("relu", "output")}
    added = graph(functools.partial(torch.add, torch.ones(2)), (2,))
    assert flow(added) == {("x[0]", "add"), ("constant", "add"), ("add", "output")}


def test_a_layer_that_is_still_lazy_says_what_to_do():
    with pytest.raises(InsightError, match="call the model once on a batch first"):
        graph(nn.Sequential(nn.LazyLinear(2)), (1, 2), values=True)


def test_a_model_without_parameters_and_one_that_gives_back_its_input():
    assert flow(graph(nn.Sequential(nn.Tanh()), (2,))) == {("input", "Tanh"), ("Tanh", "output")}
    assert str(graph(nn.Identity(), (2,))) == "[input]  2"


@pytest.mark.parametrize(
    ("forward", "inputs", "message"),
    [
        (lambda m, x: m.layer(x), (1, 3), "Plain raised RuntimeError in layer"),
        (lambda m, x: 1 / 0, (1, 2), "raised ZeroDivisionError in forward: division by zero"),
        (lambda m, x: "done", (1, 2), "returned no tensor, but str"),
        (lambda m, x: x, None, r"wants inputs for \(x\): pass a shape"),
        (lambda m, x: x, "1x2", "an input wants to be a shape"),
        (lambda m, x: x if x.sum() > 0 else -x, (10**14,), "cannot be copied"),
    ],
)
def test_a_model_that_fails_is_one_clear_line(forward, inputs, message):
    with pytest.raises(InsightError, match=message) as error:
        graph(Plain(forward, layer=nn.Linear(2, 2)), inputs)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("values", [False, True])
def test_the_model_the_inputs_and_chance_are_left_as_they_were(values):
    def forward(model, x):
        with torch.no_grad():
            model.layer.weight.add_(1)
        return x.add_(1) @ model.layer.weight + torch.rand(1)

    norm, layer = nn.BatchNorm1d(2), nn.Linear(2, 2)
    model = nn.Sequential(norm, nn.Dropout(), Plain(forward, layer=layer))
    model(torch.randn(4, 2)).sum().backward()
    state, x = copy.deepcopy(model.state_dict()), torch.randn(4, 2)
    gradient, before, chance = norm.weight.grad.clone(), x.clone(), torch.get_rng_state()
    graph(model, x, values=values)
    assert all(torch.equal(a, b) for a, b in zip(state.values(), model.state_dict().values(),
                                                 strict=True))  # fmt: skip
    assert torch.equal(norm.weight.grad, gradient)
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), chance)
    assert model.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
