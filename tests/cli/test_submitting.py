import csv
import json
import math
import shutil

import pytest
import torch
from tests.cli.conftest import SMALL

from freedive.core.errors import FreediveError
from freedive.data.houses import Houses
from freedive.data.submission import check_submission, submission_text

HOUSES = ("--data", "houses", "--num-train", 200, "--num-val", 50, "--num-test", 40,
          "--max-epochs", 3, "--quiet")  # fmt: skip
DATA = Houses(num_train=200, num_val=50, num_test=40)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def run(call, tmp_path):
    assert call("train", "house-prices", "--name", "a", *HOUSES).code == 0
    return tmp_path / "runs" / "house-prices" / "a"


def test_r30_a_submission_holds_prices_whose_score_is_the_one_it_tells(call, run, tmp_path):
    done = call("submit", "a", "--json")
    assert done.code == 0
    told = json.loads(done.out)
    header, *rows = rows_of(tmp_path / "submission.csv")
    assert header == ["Id", "SalePrice"]
    assert [row[0] for row in rows] == DATA.read_test()["Id"].astype(str).tolist()
    true = DATA.answers()["SalePrice"].tolist()
    errors = [math.log(float(row[1])) - math.log(y) for row, y in zip(rows, true, strict=True)]
    score = math.sqrt(sum(e * e for e in errors) / len(errors))
    assert told["log_rmse"] == pytest.approx(score, abs=1e-4)
    assert told["rows"] == 40
    assert told["data"] == "houses (synthetic)"
    history = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert score == pytest.approx(history[-1]["val_log_rmse"], rel=0.5)  # and no exp too many


def test_people_are_told_what_was_checked(call, run):
    done = call("submit", "a", "--out", "mine/prices.csv")
    assert done.code == 0
    assert "mine/prices.csv: 40 rows Id,SalePrice, checked" in done.out
    assert "synthetic" in done.out
    assert "these houses were drawn, so their prices are known: log-RMSE 0." in done.out


def test_a_run_predicts_other_tables_with_its_own_codec(call, run, tmp_path):
    """One row, and values that training has not seen."""
    call("submit", "a")
    test = DATA.read_test()
    test.iloc[:1].assign(Surplus="x").to_csv(tmp_path / "one.csv", index=False)
    assert call("submit", "a", "--table", "one.csv", "--out", "one_out.csv").code == 0
    assert rows_of(tmp_path / "one_out.csv")[1] == rows_of(tmp_path / "submission.csv")[1]
    test.assign(District="Moon").to_csv(tmp_path / "moon.csv", index=False)
    assert call("submit", "a", "--table", "moon.csv").code == 0
    test.drop(columns="Quality").to_csv(tmp_path / "less.csv", index=False)
    assert "lacks the column 'Quality'" in call("submit", "a", "--table", "less.csv").error
    test.assign(Quality="good").to_csv(tmp_path / "words.csv", index=False)
    assert "row 1 has 'good'" in call("submit", "a", "--table", "words.csv").error
    assert "does not exist" in call("submit", "a", "--table", "none.csv").error


def test_evaluate_and_predict_speak_of_prices(call, run, tmp_path):
    assert "val_log_rmse" in call("evaluate", "a").out
    told = json.loads(call("predict", "a", "--examples", 2, "--json").out)["predictions"]
    assert [row["truth"] for row in told] == pytest.approx(DATA.raw["SalePrice"][200:202].tolist())
    assert all(10_000 < row["prediction"] < 2_000_000 for row in told)


def test_a_table_of_ones_own_is_learnt_from_judged_and_predicted(call, tmp_path):
    DATA.raw.to_csv(tmp_path / "mine.csv", index=False)
    DATA.read_test().to_csv(tmp_path / "new.csv", index=False)
    done = call("train", "house-prices", "--table", "mine.csv", "--target", "SalePrice",
                "--id-column", "Id", "--categories", "HouseType", "--name", "own",
                "--max-epochs", 2, "--quiet")  # fmt: skip
    assert done.code == 0, done.err
    assert "has no rows to predict: pass --table FILE" in call("submit", "own").error
    assert call("submit", "own", "--table", "new.csv").code == 0
    assert len(rows_of(tmp_path / "submission.csv")) == 41
    assert call("evaluate", "own", "--data", "table:mine.csv").code == 0
    assert call("data", "check", "table:mine.csv").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--table", "mine.csv", "--target", "Price"), "did you mean 'SalePrice'"),
        (("--table", "mine.csv", "--data", "houses"), "one set of data, got --data and --table"),
        (("--data", "garments"), "house-prices learns from table, garments is"),
        (("--data", "mine.csv"), "say what it holds, .*table:mine.csv"),
    ],
)
def test_wrong_tables_are_refused_before_there_is_a_run(call, tmp_path, words, said):
    DATA.raw.to_csv(tmp_path / "mine.csv", index=False)
    done = call("train", "house-prices", *words)
    assert done.code == 2
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(done.error)
    assert not (tmp_path / "runs").exists()


def test_a_run_on_pictures_has_nothing_to_submit(call):
    assert call("train", "softmax-regression", *SMALL, "--max-epochs", 1, "--quiet").code == 0
    done = call("submit", "softmax-regression")
    assert done.code == 2
    assert "submit wants a run on a table" in done.error


def test_a_codec_that_is_not_the_weights_own_is_refused(call, run):
    path = run / "table.json"
    path.write_text(path.read_text().replace('"log": true', '"log": false', 1))
    assert "table.json is not what the run began with" in call("submit", "a").error
    path.unlink()
    assert "cannot be read" in call("submit", "a").error


def test_where_a_price_is_not_finite_nothing_is_written(call, run, tmp_path, monkeypatch):
    (tmp_path / "submission.csv").write_text("what was there")
    nan = torch.full((40, 1), math.nan)
    monkeypatch.setattr("freedive.topics.mlp.house_prices.HousePriceMLP.forward",
                        lambda self, X: nan)  # fmt: skip
    assert "row 1 of a submission (id 251) wants a finite number" in call("submit", "a").error
    assert (tmp_path / "submission.csv").read_text() == "what was there"


def test_a_folder_that_cannot_be_written_is_one_line(call, run, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot write file/out.csv" in call("submit", "a", "--out", "file/out.csv").error


def test_a_moved_run_still_submits(call, run, tmp_path):
    shutil.move(run, tmp_path / "elsewhere")
    assert call("submit", "elsewhere").code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Id,Price\n1,2\n2,3\n", "wants the header Id,SalePrice, got Id,Price"),
        ("", "wants the header"),
        ("Id,SalePrice\n1,2\n", "wants 2 rows, got 1"),
        ("Id,SalePrice\n1,2\n2,3\n3,4\n", "wants 2 rows, got 3"),
        ("Id,SalePrice\n2,2\n1,3\n", "row 1 .* wants the id '1', got '2,2'"),
        ("Id,SalePrice\n1,2\n2,0\n", "row 2 .* finite number above 0, got '0'"),
        ("Id,SalePrice\n1,2\n2,-1\n", "above 0, got '-1'"),
        ("Id,SalePrice\n1,inf\n2,1\n", "got 'inf'"),
        ("Id,SalePrice\n1,nan\n2,1\n", "got 'nan'"),
        ("Id,SalePrice\n1,dear\n2,1\n", "got 'dear'"),
        ("Id,SalePrice\n1,2,3\n2,1\n", "row 1 "),
    ],
)
def test_a_submission_that_would_be_refused_is_refused_here(text, said):
    with pytest.raises(FreediveError, match=said):
        check_submission(text, "Id", "SalePrice", ["1", "2"])


def test_small_and_large_numbers_keep_eight_digits():
    values = [1.2345678e-6, 169_277.0525, 1.5e12]
    text = submission_text("Id", "y", ["a", "b, c", "d"], values)
    assert [float(row[1]) for row in list(csv.reader(text.splitlines()))[1:]] == pytest.approx(
        values, rel=1e-7
    )
    with pytest.raises(FreediveError, match="finite number above 0"):
        submission_text("Id", "y", ["a"], [math.nan])
