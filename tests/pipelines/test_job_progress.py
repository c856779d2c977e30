import pickle
import sys
import threading

from pipelines import job_progress


class Terminal:
    """A stream that calls itself a terminal and keeps what is written."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_pickled_copies_count_on_the_same_line(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with job_progress.shown("embed media", 400, "media") as progress:
        copies = [pickle.loads(pickle.dumps(progress)) for _ in range(4)]
        threads = [threading.Thread(target=advance_often, args=[copy]) for copy in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "embed media: 400/400 media" in terminal.text


def advance_often(progress: job_progress.JobProgress) -> None:
    for _ in range(100):
        progress.advance()


def test_where_nothing_is_shown_nothing_happens():
    with job_progress.shown("embed media", 1, "media") as progress:
        pass
    progress.advance()
