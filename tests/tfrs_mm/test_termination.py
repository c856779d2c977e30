import signal

import pytest

from tfrs_mm.termination import Terminated, exit_code_of, termination_raised


def test_a_request_to_end_unwinds_the_block():
    cleared = []
    with pytest.raises(Terminated) as raised, termination_raised():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            cleared.append(True)
    assert cleared == [True]
    assert exit_code_of(raised.value) == 143
    assert exit_code_of(KeyboardInterrupt()) == 130
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_that_is_there_already_stays(monkeypatch):
    met = []
    former = signal.signal(signal.SIGTERM, lambda *_: met.append("ours"))
    try:
        with termination_raised():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, former)
    assert met == ["ours"]
