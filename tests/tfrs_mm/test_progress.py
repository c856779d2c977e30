import io

from tfrs_mm.progress import Progress, tracked


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_it_is_silent_where_nobody_watches():
    stream = io.StringIO()
    with Progress("work", total=2, stream=stream) as progress:
        progress.advance(2)
    assert stream.getvalue() == ""


def test_a_terminal_sees_rate_and_estimate():
    progress = Progress("embed", total=40, unit="items", stream=Terminal())
    progress.advance(10)
    # 10 in 5 s are 2 a second; the other 30 take 15 s
    assert progress.line(5.0) == "embed: 10/40 items, 2.0/s, 15 s left"


def test_without_a_total_there_is_a_rate_only():
    progress = Progress("read", stream=Terminal())
    progress.advance(6)
    assert progress.line(3.0, "now") == "read: 6, 2.0/s  now"


def test_the_last_line_is_always_shown():
    stream = Terminal()
    with Progress("work", total=3, stream=stream) as progress:
        for _ in range(3):
            progress.advance()
    assert "3/3" in stream.getvalue()


def test_tracked_passes_everything_through():
    assert list(tracked([1, 2, 3], "pass")) == [1, 2, 3]
