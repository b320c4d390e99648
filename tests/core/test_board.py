"""Curves: any number of series, drawn seldom, shown or saved everywhere."""

import math
import os
import subprocess
import sys
import time

import pytest
import torch
from tiny import quiet, tiny_net

from freedive.core import board as boards
from freedive.core.board import ProgressBoard, Throttle


class Clock:
    """A clock that is turned by hand, in place of the module ``time``."""

    def __init__(self):
        self.now = 100.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(boards, "time", Clock())
    return boards.time


def test_a_throttle_lets_through_at_most_so_many_a_second(clock):
    throttle, times = Throttle(per_second=10), 0
    for _ in range(1000):
        clock.now += 0.001
        if throttle.ready():
            times += 1
            with throttle.measured():
                pass
    assert 9 <= times <= 11


def test_a_throttle_gives_at_most_its_share_of_the_time(clock):
    throttle, begun, spent = Throttle(per_second=10, share=0.01), clock.now, 0.0
    for _ in range(20000):
        clock.now += 0.005
        if throttle.ready():
            with throttle.measured():
                clock.now += 0.2
                spent += 0.2
    assert spent <= 0.011 * (clock.now - begun) + 0.2
    assert spent >= 0.008 * (clock.now - begun)


def test_a_throttle_counts_the_time_of_something_that_failed(clock):
    throttle = Throttle()

    def fail():
        clock.now += 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), throttle.measured():
        fail()
    assert not throttle.ready()


def test_points_are_kept_as_they_come():
    board = ProgressBoard()
    board.draw(1, 2.5, "a")
    board.draw(2, torch.tensor(3.5), "a")
    board.draw(1, 0, "b")
    assert board.series == {"a": [(1.0, 2.5), (2.0, 3.5)], "b": [(1.0, 0.0)]}


def test_every_n_points_become_their_mean():
    board = ProgressBoard()
    for i in range(7):
        board.draw(i, 10 * i, "a", every_n=3)
    assert board.series["a"] == [(1.0, 10.0), (4.0, 40.0)]


def test_R06_a_point_costs_the_same_however_many_there_are():
    board = ProgressBoard()

    def seconds(first, last):
        start = time.perf_counter()
        for i in range(first, last):
            board.draw(i, i, "a")
        return time.perf_counter() - start

    seconds(0, 100)
    early = min(seconds(0, 1000) for _ in range(3))
    seconds(0, 50_000)
    late = min(seconds(0, 1000) for _ in range(3))
    assert len(board.series["a"]) == 56_100
    assert late < 5 * early


def test_R06_in_a_notebook_drawing_takes_at_most_a_hundredth_of_the_time(clock, monkeypatch):
    shows = []

    def show(board):
        shows.append(clock.now)
        clock.now += 0.05  # what drawing costs

    monkeypatch.setattr(boards, "in_notebook", lambda: True)
    monkeypatch.setattr(ProgressBoard, "show", show)
    board, begun = ProgressBoard(), clock.now
    for i in range(100_000):
        clock.now += 0.001
        board.draw(i, i, "a")
    assert 0.05 * len(shows) <= 0.011 * (clock.now - begun) + 0.05
    assert len(shows) > 10  # it does live


def test_a_board_that_is_not_to_display_never_shows(monkeypatch):
    monkeypatch.setattr(boards, "in_notebook", lambda: True)
    monkeypatch.setattr(ProgressBoard, "show", lambda board: pytest.fail("shown"))
    ProgressBoard(display=False).draw(0, 0, "a")


def test_R07_twelve_series_are_twelve_lines_that_can_be_told_apart():
    board = ProgressBoard(xlabel="epoch")
    for i in range(12):
        for x in (0, 1):
            board.draw(x, i, f"series {i}")
    (axes,) = board.figure().axes
    assert [line.get_label() for line in axes.lines] == [f"series {i}" for i in range(12)]
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == 12
    assert [list(line.get_ydata()) for line in axes.lines] == [[i, i] for i in range(12)]


def test_R07_a_board_without_an_x_label_draws():
    board = ProgressBoard()
    board.draw(0, 1, "a")
    assert board.figure().axes[0].get_xlabel() == ""


def test_R07_a_single_point_is_visible(tmp_path):
    board = ProgressBoard()
    board.draw(0, 1, "a")
    assert board.figure().axes[0].lines[0].get_marker() == "o"


@pytest.mark.parametrize("num_train", [1, 8, 9, 24])
def test_R07_an_epoch_of_few_batches_has_its_curve(make_data, num_train):
    model = tiny_net()
    history = quiet(max_epochs=2).fit(model, make_data(num_train=num_train))
    xs = [x for x, _ in history.curves["train_loss"]]
    num_batches = -(-num_train // 8)
    assert xs == pytest.approx([(i + 1) / num_batches for i in range(2 * num_batches)])
    assert all(math.isfinite(y) for _, y in history.curves["train_loss"])


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_board_is_saved_in_the_format_of_the_name(tmp_path, ending):
    board = ProgressBoard(xlabel="epoch", yscale="log")
    board.draw(0, 1, "a")
    board.save(tmp_path / "folder" / f"curve.{ending}")
    start = (tmp_path / "folder" / f"curve.{ending}").read_bytes()[:5]
    assert start == {"svg": b"<?xml", "png": b"\x89PNG\r", "pdf": b"%PDF-"}[ending]


def test_equal_curves_give_equal_files(tmp_path):
    for name in ("one.svg", "two.svg"):
        board = ProgressBoard()
        board.draw(0, 1, "a")
        board.draw(1, 0, "a")
        board.save(tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, 1.0, math.nan, 2.0], [1.0]])
def test_whatever_was_drawn_can_be_saved_and_said(tmp_path, values):
    board = ProgressBoard(xlabel="epoch")
    for x, y in enumerate(values):
        board.draw(x, y, "a")
    board.save(tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").stat().st_size > 500
    assert isinstance(board.text(40, 8), str)


def test_the_text_shows_the_series_in_plain_characters():
    board = ProgressBoard(xlabel="epoch")
    for x in range(10):
        board.draw(x, x * x, "squares")
    text = board.text(60, 12)
    assert "squares" in text
    assert "epoch" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 60


def test_clear_begins_anew_and_leaves_the_old_curves_to_who_has_them():
    board = ProgressBoard()
    board.draw(0, 1, "a")
    kept = board.series
    board.clear()
    board.draw(0, 2, "a")
    assert kept == {"a": [(0.0, 1.0)]}
    assert board.series == {"a": [(0.0, 2.0)]}


SCRIPT = """
import sys
from freedive.core.board import ProgressBoard

board = ProgressBoard(xlabel="epoch")
for x in range(5):
    board.draw(x, x * x, "squares")
board.save(sys.argv[1])
assert "IPython" not in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""


def test_R05_a_plain_script_without_a_display_saves_and_prints_nothing(tmp_path):
    unset = ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "curve.svg")],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert b"<svg" in (tmp_path / "curve.svg").read_bytes()
