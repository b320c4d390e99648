import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from freedive.core.errors import DataError, FreediveError, UsageError
from freedive.data.columns import REACH, CategoryColumn, NumberColumn, skewness, squeezed
from freedive.data.tables import OwnTable, TableData
from freedive.data.tabular import TableCodec, kinds_of, read_table

HOUSES = """\
Id,Area,Lot,Street,Quality,Price
1,100,1000,Pave,5,100000
2,150,,Grvl,6,150000
3,120,1500,,7,170000
4,90,2000,Pave,4,90000
5,200,2500,Pave,9,400000
6,170,,Grvl,8,260000
"""


def table_of(text, path):
    path.write_text(text)
    return read_table(path)


@pytest.fixture
def houses(tmp_path):
    return table_of(HOUSES, tmp_path / "houses.csv")


def learnt(table, target="Price", left_out=("Id",), **more):
    return TableCodec.learnt(table, target, kinds_of(table, (target, *left_out)), **more)


def feature(codec, table, name):
    return codec.encode(table)[:, codec.features.index(name)]


def frame(**columns):
    return pd.DataFrame(columns, dtype=object)


def test_the_codec_does_what_pandas_does_on_the_training_part(houses):
    codec = learnt(houses)
    numeric = houses[["Area", "Lot", "Quality"]].astype(float)
    assert not any(column.log for column in codec.columns if isinstance(column, NumberColumn))
    expected = ((numeric - numeric.mean()) / numeric.std(ddof=0)).fillna(0)
    expected.insert(2, "Lot=missing", houses["Lot"].isna().astype(float))
    dummies = pd.get_dummies(houses["Street"], prefix="Street", prefix_sep="=", dummy_na=True)
    dummies = dummies.rename(columns={"Street=nan": "Street=missing"}).astype(float)
    expected = pd.concat([expected, dummies], axis=1)
    assert set(codec.features) == set(expected.columns)
    assert torch.allclose(
        codec.encode(houses).double(), torch.tensor(expected[codec.features].to_numpy()), atol=1e-6
    )
    assert torch.allclose(
        codec.targets(houses)[:, 0].double(),
        torch.tensor(houses["Price"].astype(float).tolist()).double().log(),
    )
    assert codec.target_mean == pytest.approx(np.log(houses["Price"].astype(float)).mean())


def test_what_is_skewed_is_taken_as_its_logarithm():
    x = np.exp(np.random.default_rng(0).normal(8, 1, 400)).round()
    codec = learnt(frame(x=x, Price=x + 1.0), left_out=())
    assert skewness(x) == pytest.approx(pd.Series(x).skew(), rel=0.02)
    assert codec.columns[0].log
    z = np.log1p(x)
    assert np.allclose(codec.encode(frame(x=x))[:, 0], (z - z.mean()) / z.std(), atol=1e-5)
    assert skewness(np.ones(3)) == 0.0


def test_numbers_far_from_all_that_was_seen_stay_finite_and_bounded():
    x = np.exp(np.random.default_rng(0).normal(8, 1, 400))
    codec = learnt(frame(x=x, Price=x), left_out=())
    out = codec.encode(frame(x=[-5.0, -1.0, 0.0, 1e300, None]))[:, 0]
    assert out.isfinite().all()
    assert out.abs().max() == REACH
    assert out[-1] == 0
    assert squeezed(np.array([-3.0])) == pytest.approx(-math.log(4))


class Rows(TableData):
    target, id_column = "Price", "Id"

    def __init__(self, table, **more):
        super().__init__(**more)
        self.given = table

    def read(self):
        return self.given


def test_r30_validation_rows_teach_the_codec_nothing(houses):
    before = Rows(houses, num_val=2)
    train, val = before.rows
    changed = houses.copy()
    strange = {"Area": "9999999", "Lot": None, "Street": "Marble", "Quality": "-40", "Price": "7"}
    for row in val.tolist():
        changed.iloc[row] = {"Id": changed.iloc[row]["Id"], **strange}
    after = Rows(changed, num_val=2)
    assert torch.equal(after.rows[1], val)
    assert after.codec == before.codec
    assert torch.equal(after.splits[0][0], before.splits[0][0])
    assert torch.equal(after.splits[0][1], before.splits[0][1])
    assert not torch.equal(after.splits[1][0], before.splits[1][0])
    assert sorted([*train.tolist(), *val.tolist()]) == list(range(6))


def test_each_fold_learns_a_codec_of_its_own(houses):
    data = Rows(houses, num_val=2)
    data.codec, data.splits  # noqa: B018
    fold = data.with_rows(torch.tensor([0, 1, 2, 3]), torch.tensor([4, 5]))
    assert fold.codec == learnt(houses.iloc[:4])
    assert fold.codec != data.codec
    assert torch.equal(fold.splits[1][0], learnt(houses.iloc[:4]).encode(houses.iloc[4:]))
    assert data.with_rows(*data.rows).codec == data.codec


def test_what_the_training_part_has_not_seen_is_none_of_its_categories(houses):
    codec = learnt(houses.iloc[[0, 1, 3]])  # no gap in Street here
    assert "Street=missing" not in codec.features
    streets = [i for i, name in enumerate(codec.features) if name.startswith("Street=")]
    new = houses.iloc[[0, 0, 0]].assign(Street=["Marble", None, "Grvl"])
    assert codec.encode(new)[:, streets].tolist() == [[0, 0], [0, 0], [1, 0]]


def test_a_missing_value_is_a_category_where_the_training_part_has_one(houses):
    codec = learnt(houses)
    new = houses.iloc[[0, 0]].assign(Street=[None, "missing"], Lot=[None, "1000"])
    assert feature(codec, new, "Street=missing").tolist() == [1, 0]
    assert feature(codec, new, "Lot=missing").tolist() == [1, 0]
    assert feature(codec, new, "Lot").tolist()[0] == 0.0


def test_columns_that_say_nothing_in_the_training_part_are_left_out(houses):
    empty = houses.assign(Pool=[None] * 6, Same=["7"] * 6, Word=["x"] * 6)
    assert learnt(empty).features == learnt(houses).features
    late = houses.assign(Pool=[None] * 5 + ["3"])  # a value that only the last row has
    assert learnt(late.iloc[:5]).features == learnt(houses.iloc[:5]).features
    assert learnt(late.iloc[:5]).encode(late.iloc[5:]).isfinite().all()


def test_a_column_with_one_value_and_gaps_says_where_it_is_known():
    codec = learnt(frame(Alley=["Pave", None, "Pave"], Price=[1, 2, 3]), left_out=())
    assert codec.features == ["Alley=Pave", "Alley=missing"]


def test_the_codec_is_the_same_after_json(houses):
    codec = learnt(houses)
    again = TableCodec.from_json(json.loads(json.dumps(codec.to_json())))
    assert again == codec
    assert torch.equal(again.encode(houses), codec.encode(houses))


@pytest.mark.parametrize(
    "kept",
    [None, 3, {}, {"target": "a", "columns": 5}, {"columns": [{"kind": "colour"}]},
     {"columns": [{"kind": "number", "name": "a"}]}],
)  # fmt: skip
def test_a_damaged_codec_is_one_error(kept):
    with pytest.raises(FreediveError, match="is damaged"):
        TableCodec.from_json(kept)


def test_without_the_logarithm_targets_may_be_negative(houses):
    codec = learnt(houses.assign(Price=["-1", "0", "1", "2", "3", "4"]), log=False)
    y = torch.tensor([[1.5]])
    assert codec.target_mean == 1.5
    assert torch.equal(codec.decoded(y), y.double())
    assert learnt(houses).decoded(y).item() == pytest.approx(math.exp(1.5))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Price": ["1", "2", None, "4", "5", "6"]}, "'Price' wants .* row 3 has nothing"),
        ({"Price": ["1", "2", "3", "0", "5", "6"]}, "above 0, .* row 4 has 0:"),
        ({"Price": ["1", "-2", "3", "0", "5", "6"]}, "above 0, .* row 2 has -2:"),
        ({"Price": ["1", "2", "3", "4", "5", "dear"]}, "'Price' .* row 6 has 'dear'"),
        ({"Area": ["1", "2", "l0", "4", "5", "6"]}, "'Area' is one of numbers, and row 3 has 'l0'"),
        ({"Area": ["1", "2", "3", "inf", "5", "6"]}, "'Area' .* row 4 has 'inf'"),
    ],
)
def test_a_wrong_value_is_named_with_its_column_and_row(houses, change, said):
    with pytest.raises(DataError, match=said) as error:
        learnt(houses.assign(**change))
    assert "\n" not in str(error.value)


def test_words_in_a_new_table_are_refused_too(houses):
    codec = learnt(houses)
    with pytest.raises(DataError, match="'Lot' is one of numbers, and row 2 has 'wide'"):
        codec.encode(houses.assign(Lot=["1", "wide", "3", "4", "5", "6"]))
    with pytest.raises(DataError, match=r"lacks the column 'Area'.*did you mean 'area'"):
        codec.encode(houses.rename(columns={"Area": "area"}))


def test_a_table_that_teaches_nothing_is_refused(houses):
    with pytest.raises(DataError, match="no training rows"):
        learnt(houses.iloc[:0])
    with pytest.raises(DataError, match="none of the columns Area, Lot, Street, Quality holds"):
        learnt(houses.iloc[:1])
    with pytest.raises(DataError, match="none of the columns Area holds"):
        learnt(houses.assign(Area=None)[["Id", "Area", "Price"]])
    with pytest.raises(DataError, match=r"\(there are none\)"):
        learnt(houses[["Id", "Price"]])


def test_a_column_is_of_numbers_where_most_of_it_is(houses):
    kinds = kinds_of(houses.assign(Code=["1", "2", "3", "B", "C", "D"]), ("Price",))
    assert kinds["Code"] == "category"
    assert kinds["Area"] == kinds["Lot"] == "number"
    assert kinds_of(houses, ("Price",), ("Area",))["Area"] == "category"
    for wrong in ({"left_out": ("price",)}, {"categories": ("price",)}):
        with pytest.raises(UsageError, match="no column of the table is called 'price': did you"):
            kinds_of(houses, **wrong)


def test_numbers_as_categories_are_told_apart_by_what_stands_there():
    column = CategoryColumn.learnt(pd.Series(["20", "20", "60", None], name="Type", dtype=object))
    assert column.categories == ("20", "60")
    assert column.encode(pd.Series([20, 60, None], dtype=object)).tolist() == [
        [1, 0, 0], [0, 1, 0], [0, 0, 1]]  # fmt: skip


def test_fields_are_separated_by_what_the_header_has_most_of(tmp_path):
    semicolons = HOUSES.replace(",", ";")
    expected = table_of(HOUSES, tmp_path / "a.csv")
    pd.testing.assert_frame_equal(table_of(semicolons, tmp_path / "b.csv"), expected)
    pd.testing.assert_frame_equal(table_of(HOUSES.replace(",", "\t"), tmp_path / "c"), expected)
    windows = "\ufeff" + HOUSES.replace("\n", "\r\n") + "\r\n\r\n"
    pd.testing.assert_frame_equal(table_of(windows, tmp_path / "d.csv"), expected)


def test_quoted_fields_may_hold_separators_and_none_is_a_word(tmp_path):
    table = table_of('a,b\n"1, or 2",None\nNA,nan\n', tmp_path / "t.csv")
    assert table["a"].tolist() == ["1, or 2", None]
    assert table["b"].tolist() == ["None", None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 fields, the header 2"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 fields, the header 2"),
        ("a,b,a\n1,2,3\n", "two columns called 'a'"),
        ("a,b\n", "a header and no rows"),
        ("", "is empty"),
        ("  \n", "is empty"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path, text, said):
    with pytest.raises(DataError, match=said) as error:
        table_of(text, tmp_path / "t.csv")
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)
    (tmp_path / "latin.csv").write_bytes("a,b\nStraße,1\n".encode("latin1"))
    with pytest.raises(DataError, match="is not UTF-8"):
        read_table(tmp_path / "latin.csv")


def test_a_table_of_ones_own_takes_its_last_column_as_the_target(tmp_path):
    path = tmp_path / "houses.csv"
    path.write_text(HOUSES)
    data = OwnTable(path, id_column="Id", num_val=1)
    assert data.target == "Price"
    assert len(data.splits[0][0]) == 5
    assert data.hparams["file"] == str(path)
    assert OwnTable(path, target="Area").codec.target == "Area"
    assert OwnTable(path, num_val=1, categories=("Quality",)).kinds["Quality"] == "category"
    moved = tmp_path / "moved.csv"
    moved.write_text(HOUSES)
    assert OwnTable(moved, id_column="Id", num_val=1).fingerprint() == data.fingerprint()
    with pytest.raises(UsageError, match="cannot be both target and id"):
        OwnTable(path, id_column="Price")
    with pytest.raises(UsageError, match="called 'price': did you mean 'Price'"):
        OwnTable(path, target="price").codec  # noqa: B018
    with pytest.raises(DataError, match="6 rows, of which 6 are to judge by"):
        OwnTable(path, num_val=6).codec  # noqa: B018


def test_prices_are_said_in_their_own_unit(houses):
    data = Rows(houses, num_val=2)
    assert data.in_units(math.log(250_000)) == pytest.approx(250_000, rel=1e-6)
    assert data.read_test() is None
