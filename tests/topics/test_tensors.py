"""Broadcasting, tables and linear algebra against numpy, pandas and slow loops."""

import io
import math

import numpy as np
import pandas as pd
import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.report import Report
from freedive.topics.tensors import linear_algebra as la
from freedive.topics.tensors import operations as ops
from freedive.topics.tensors import preprocessing as pre
from freedive.topics.tensors.broadcasting import (
    axis_rules,
    broadcast_shape,
    is_stored,
    stretched,
)
from freedive.topics.tensors.broadcasting_lab import broadcasting
from freedive.topics.tensors.linear_algebra_lab import linear_algebra
from freedive.topics.tensors.preprocessing_lab import preprocessing, random_houses

# broadcasting

SHAPES = [(), (0,), (1,), (3,), (2, 1), (1, 3), (2, 3), (4, 2, 3), (4, 1, 1), (0, 3), (2, 0)]


def numpy_shape(a, b):
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


@pytest.mark.parametrize("a", SHAPES)
@pytest.mark.parametrize("b", SHAPES)
def test_shapes_meet_as_numpy_says_or_are_refused(a, b):
    expected = numpy_shape(a, b)
    if expected is None:
        with pytest.raises(UsageError, match="do not broadcast: axis"):
            broadcast_shape(a, b)
        return
    assert broadcast_shape(a, b) == expected
    X = torch.arange(float(math.prod(a))).reshape(a)
    ours = stretched(X, expected)
    assert np.array_equal(ours.numpy(), np.broadcast_to(X.numpy(), expected))
    stored = is_stored(X, expected)
    assert stored.shape == expected
    if math.prod(expected):
        assert int(stored.sum()) == X.numel()
        assert sorted(ours[stored].tolist()) == X.flatten().tolist()


def test_a_stretched_array_takes_no_memory_of_its_own():
    X = torch.arange(12.0).reshape(3, 4)[:, 1:2]  # not contiguous, not at the start
    ours = stretched(X, (5, 3, 7))
    assert ops.same_memory(X, ours)
    assert ours.stride() == X.expand(5, 3, 7).stride()
    X[2, 0] = 99
    assert (ours[:, 2] == 99).all()


def test_only_an_axis_of_size_1_becomes_longer():
    with pytest.raises(UsageError, match=r"\(3,\) and \(2,\) do not broadcast"):
        stretched(torch.zeros(3), (2,))
    with pytest.raises(UsageError, match=r"\(2, 3\) cannot be stretched to \(3,\)"):
        stretched(torch.zeros(2, 3), (3,))


def test_each_axis_is_explained():
    rules = axis_rules((2, 3, 4), (3, 1))
    assert [rule.axis for rule in rules] == [-1, -2, -3]
    assert [rule.reading for rule in rules] == [
        "b's single entry is used 4 times",
        "equal: entry meets entry",
        "b has no such axis: used 2 times",
    ]
    assert axis_rules((), ()) == []


def test_the_message_names_both_sizes_and_the_way_out():
    with pytest.raises(UsageError, match=r"axis -1 has sizes 4 and 3.*keepdim=True"):
        broadcast_shape((3, 4), (3,))


@pytest.mark.parametrize(
    ("line", "shares"),
    [("X[1:3]", "yes"), ("X.expand(2, 3, 4)", "yes"), ("X[[2, 0]]", "no, a copy"),
     ("torch.tensor(X.numpy())", "no, a copy"), ("X.numpy()", "yes")],
)  # fmt: skip
def test_whose_memory_a_result_lies_in(line, shares):
    (row,) = [row for row in ops.view_rows() if row["line"] == line]
    assert row["lies in X's memory"] == shares
    names = ops.named()  # and independently: what is written to X shows, or does not
    result = eval(line, names)
    before = float(result[-1].sum())
    names["X"] += 100
    assert (float(result[-1].sum()) != before) == (shares == "yes")


def test_assignments_say_whether_they_move():
    moves = {row["line"]: row["Z afterwards"] for row in ops.assignment_rows()}
    assert [line for line, where in moves.items() if where == "elsewhere"] == [
        "Z = Z + Y",
        "Z = X + Y",
    ]


@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide", "less", "greater"])
def test_the_broadcasting_lab_equals_torch(operation, tmp_path):
    report = broadcasting((2, 3, 1), (3, 4), operation)
    assert report.numbers["equal to torch's"] is True
    assert report.numbers["result's shape"] == "(2, 3, 4)"
    assert [path.name for path in report.save(tmp_path)] == ["report.json", "broadcast.svg"]


def test_the_default_is_the_books_column_and_row():
    report = broadcasting()
    assert report.numbers["entries stored"] == 5
    assert report.numbers["entries used"] == 12
    assert [row["a"] for row in report.tables["(3, 1) + (1, 2), axis by axis"]] == [1, 3]
    (row,) = [row for row in report.tables["conversion"] if row["line"] == "int(a)"]
    assert row["gives"] == "3"


@pytest.mark.parametrize(("a", "b"), [((), ()), ((1,), ()), ((6, 6, 6), (6,)), ((1, 1), (1,))])
def test_the_smallest_and_largest_arrays_are_drawn(a, b, tmp_path):
    assert broadcasting(a, b).save(tmp_path)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [((3, 4), (3,), "do not broadcast"), ((2, 2, 2, 2), (1,), "a wants up to 3 sizes"),
     ((1,), (9,), "b wants up to 3 sizes from 1 to 6"), ((0,), (1,), "a wants"),
     ((-1,), (1,), "a wants")],
)  # fmt: skip
def test_shapes_that_cannot_be_shown_are_refused(a, b, words):
    with pytest.raises(UsageError, match=words):
        broadcasting(a, b)


# linear algebra


@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (2, 3, 4), (5, 1, 2), (3, 4, 1)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32, torch.float16])
def test_products_are_numpys(m, k, n, dtype):
    chance = torch.Generator().manual_seed(m + k + n)
    A = torch.randint(-4, 5, (m, k), generator=chance).to(dtype)
    B = torch.randint(-4, 5, (k, n), generator=chance).to(dtype)
    assert la.mm(A, B).dtype == dtype
    assert np.array_equal(la.mm(A, B).numpy(), A.numpy() @ B.numpy())
    assert np.array_equal(la.mm(B.T, A.T).numpy(), (A.numpy() @ B.numpy()).T)  # not contiguous
    assert np.array_equal(la.mv(A, B[:, 0]).numpy(), A.numpy() @ B.numpy()[:, 0])
    assert np.array_equal(la.hadamard(A, A).numpy(), A.numpy() ** 2)
    assert float(la.dot(A[0], B[:, 0])) == float(A[0].double() @ B[:, 0].double())


def test_empty_sums_are_0():
    empty = torch.zeros(2, 0)
    assert la.mm(empty, torch.zeros(0, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert la.mm(torch.zeros(0, 2), torch.zeros(2, 3)).shape == (0, 3)
    assert la.mm(torch.zeros(2, 3), torch.zeros(3, 0)).shape == (2, 0)
    assert float(la.dot(torch.zeros(0), torch.zeros(0))) == 0
    assert la.hadamard(empty, empty).shape == (2, 0)
    assert la.norm(empty) == 0


@pytest.mark.parametrize(
    ("product", "words"),
    [
        (lambda: la.hadamard(torch.zeros(2, 3), torch.zeros(3, 2)), r"\(2, 3\) and \(3, 2\)"),
        (lambda: la.dot(torch.zeros(2), torch.zeros(3)), "got 2 and 3"),
        (lambda: la.dot(torch.zeros(2), torch.zeros(2).double()), r"pass x.to\(y.dtype\)"),
        (lambda: la.mv(torch.zeros(2, 3), torch.zeros(2)), "3 columns and 2 entries"),
        (lambda: la.mm(torch.zeros(2, 3), torch.zeros(2, 3)), r"\(2, 3\) times \(2, 3\)"),
        (lambda: la.norm(torch.ones(2), 0.5), "p of at least 1, got 0.5"),
        (lambda: la.norm(torch.ones(2), math.nan), "p of at least 1, got nan"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(product, words):
    with pytest.raises(UsageError, match=words) as error:
        product()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 40, math.inf])
@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3, 4)])
def test_norms_are_torchs(p, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    expected = torch.linalg.vector_norm(x.double(), p)
    assert la.norm(x, p) == pytest.approx(float(expected), rel=1e-12)


def test_a_norm_neither_overflows_nor_vanishes():
    assert la.norm(torch.tensor([3e30, -4e30]), 2) == pytest.approx(5e30)
    assert la.norm(torch.tensor([3e-30, 4e-30]), 2) == pytest.approx(5e-30)
    assert la.norm(torch.tensor([6e4, 6e4], dtype=torch.float16)) > 65504
    assert la.norm(torch.zeros(3), 7) == 0
    assert la.norm(torch.tensor([math.inf, 1.0])) == math.inf


def test_the_steps_have_brackets_where_a_sign_would_follow_a_sign():
    x, y = torch.tensor([1.0, -2.0]), torch.tensor([-3.0, 4.0])
    assert la.product_steps(x, y) == "1·(−3) + −2·4 = −11"
    assert la.sum_steps(y) == "−3 + 4 = 1"
    assert la.norm_steps(torch.tensor([3.0, -4.0]), math.inf) == "max(|3|, |−4|) = 4"


def test_the_lab_shows_the_books_numbers():
    report = linear_algebra()
    assert report.numbers["A ⊙ A"] == "[[0, 1, 4], [9, 16, 25]]"
    assert report.numbers["largest difference from torch"] == 0
    rows = report.tables["Av, a dot product a row"]
    assert [row["steps"] for row in rows] == ["0·0 + 1·1 + 2·2 = 5", "3·0 + 4·1 + 5·2 = 14"]
    assert report.tables["dot product of v and ones"][0]["steps"] == "0·1 + 1·1 + 2·1 = 3"


def test_random_numbers_come_from_the_seed():
    def tables(seed: int) -> object:
        return linear_algebra((3, 2), (2, 4), "random", seed=seed).tables

    assert tables(5) == tables(5)
    assert tables(5) != tables(6)


@pytest.mark.parametrize("shapes", [((1, 1), (1, 1)), ((8, 8), (8, 8)), ((1, 8), (8, 1))])
def test_the_smallest_and_largest_matrices_are_drawn(shapes, tmp_path):
    report = linear_algebra(*shapes, "random", x=(0.0, 0.0), p=1.0)
    assert report.numbers["largest difference from torch"] == 0
    assert len(report.save(tmp_path)) == 4


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"a": (2, 3), "b": (2, 3)}, "as many columns in A as rows in B"),
     ({"a": (0, 3)}, "a wants rows"), ({"b": (3, 9)}, "b wants rows and columns from 1 to 8"),
     ({"x": (math.nan, 1.0)}, "x wants two numbers"), ({"x": (1e9, 1.0)}, "x wants two numbers")],
)  # fmt: skip
def test_matrices_that_cannot_be_shown_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        linear_algebra(**settings)


# tables

TRICKY = """size,kind,"name, quoted",price
NA,b,x,1
 2.5,,"y, z",2
-1e2,a,NULL,3
,b,nan,4.5
"""


@pytest.mark.parametrize("text", [pre.HOUSE_TINY, TRICKY, "kind,x,y\na,1,2\n"])
@pytest.mark.parametrize("target", [None, "price"])
def test_tables_become_what_pandas_makes_of_them(text, target):
    table = pre.read_table(text)
    target = target if target in table else None
    ours, theirs = pre.prepared(table, target), pre.with_pandas(text, target)
    assert ours.names == theirs.names
    assert torch.equal(ours.X, theirs.X)
    assert torch.equal(ours.filled, theirs.filled)
    assert torch.equal(ours.y, theirs.y)
    assert not ours.X.isnan().any()


@pytest.mark.parametrize("seed", range(4))
def test_random_tables_lack_what_pandas_says(seed):
    text = random_houses(30, 0.5, seed)
    table, theirs = pre.read_table(text), pd.read_csv(io.StringIO(text))
    counts = theirs.isna().sum()
    assert pre.missing_counts(table) == counts.to_dict()
    assert pre.most_missing(table) == counts.idxmax()
    left = theirs.drop(columns=counts.idxmax())
    assert list(pre.without(table, pre.most_missing(table))) == list(left)
    assert len(pre.complete_rows(table)["Price"]) == len(theirs.dropna())


def test_of_equally_many_gaps_the_first_column_lacks_most():
    assert pre.most_missing(pre.read_table("a,b,c\n1,,\n2,,\n")) == "b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at least one row below, got 0 lines"),
        ("a,b\n", "at least one row below, got 1 lines"),
        ("a,b\n1\n", "row 1 has 1 cells, the header has 2"),
        ("a,a\n1,2\n", "a name of its own"),
        ("a,b\nNA,1\n", "column a has no value at all"),
        ("a,b\n1,NA\n2,3\n", "b has 1 gaps"),
        ("a,b\n1,x\n", "b has words"),
        ("b\n1\n", "b is the only column"),
    ],
)
def test_tables_that_cannot_be_prepared_are_refused(text, words):
    with pytest.raises(UsageError, match=words):
        pre.prepared(pre.read_table(text))


def test_a_target_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="no column 'Prize': it has NumRooms, Alley, Price"):
        preprocessing(target="Prize")


def test_the_lab_prepares_the_four_houses():
    report = preprocessing()
    assert report.numbers["largest difference from pandas"] == 0
    assert report.numbers["input column that lacks most"] == "Alley"
    rows = report.tables["as tensors"]
    assert [list(row.values())[:3] for row in rows] == [
        ["3", "1", "0"],
        ["2", "0", "1"],
        ["4", "0", "1"],
        ["3", "0", "1"],
    ]
    assert list(rows[0]) == ["NumRooms", "Alley_Pave", "Alley_nan", "Price (y)"]


def test_the_lab_drops_the_column_that_lacks_most():
    report = preprocessing(drop_most_missing=True)
    assert report.numbers["shape of X"] == "(4, 1)"
    assert report.numbers["largest difference from pandas"] == 0
    assert list(report.tables["as tensors"][0]) == ["NumRooms", "Price (y)"]


def test_the_lab_reads_a_file_of_ones_own(tmp_path):
    file = tmp_path / "my table.csv"
    columns = [f"column number {i}" for i in range(20)]
    rows = [",".join(str(i * j) for i in range(20)) for j in range(30)]
    file.write_text("\n".join([",".join(columns), *rows]), encoding="utf-8-sig")
    report = preprocessing(csv=str(file), target="column number 3", drop_most_missing=True)
    assert report.numbers["shape of X"] == "(30, 18)"
    assert report.numbers["largest difference from pandas"] == 0
    assert report.save(tmp_path / "out")


def test_a_file_that_is_no_table_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read as a table: No such file"):
        preprocessing(csv=str(tmp_path / "none.csv"))
    (tmp_path / "picture").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UsageError, match="no text in UTF-8"):
        preprocessing(csv=str(tmp_path / "picture"))
    with pytest.raises(UsageError, match="cannot be read as a table"):
        preprocessing(csv=str(tmp_path))


def test_random_houses_come_from_the_seed():
    def run(seed: int) -> Report:
        return preprocessing(rows=25, seed=seed)

    assert run(1).tables == run(1).tables
    assert run(1).tables != run(2).tables
    assert run(1).numbers["largest difference from pandas"] < 1e-12
