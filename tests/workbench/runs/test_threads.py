"""Threads of the processes of a run."""

from afkit.workbench.runs.provenance import THREADS, thread_limits


def test_threads_that_the_user_has_set_stay(monkeypatch):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    assert {thread_limits(2)[name] for name in THREADS} == {"2"}
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    assert [thread_limits(2)[name] for name in THREADS] == ["7", "3", "7"]
