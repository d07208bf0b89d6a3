import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import threadpoolctl

from unweave.errors import InvalidInput
from unweave.threads import limit, n_threads, ordered, single_blas, spread

COUNTS = [1, 2, 5]


def blas_threads():
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


class Watch:
    """Counts the calls of some work, and how many of them run at this moment."""

    def __init__(self):
        self.lock = threading.Lock()
        self.calls, self.running, self.most = [], 0, 0

    def __enter__(self):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)

    def __exit__(self, *error):
        with self.lock:
            self.running -= 1


def wait_until(true, seconds=5):
    """Wait for another thread, which on a busy machine may take its time."""
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.001)


# -- how many


def test_the_limit_comes_before_the_environment_and_that_before_the_processors(monkeypatch):
    monkeypatch.delenv("UNWEAVE_THREADS", raising=False)
    processors = n_threads()
    assert 1 <= processors <= (os.cpu_count() or 1)
    monkeypatch.setenv("UNWEAVE_THREADS", " 3 ")
    assert n_threads() == 3
    with limit(7):
        assert n_threads() == 7
        with limit(2):
            assert n_threads() == 2
        assert n_threads() == 7
    with pytest.raises(ZeroDivisionError), limit(4):
        1 / 0
    assert n_threads() == 3
    monkeypatch.setenv("UNWEAVE_THREADS", "")
    assert n_threads() == processors


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "²"])
def test_an_environment_that_is_no_count_is_refused(monkeypatch, value):
    monkeypatch.setenv("UNWEAVE_THREADS", value)
    with pytest.raises(InvalidInput, match=f"UNWEAVE_THREADS='{value}' is not a whole number of at least 1"):
        n_threads()


def test_a_limit_below_one_is_refused():
    with pytest.raises(InvalidInput, match="count=0 threads: at least 1 is needed"), limit(0):
        pass


# -- spread


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("n_items", [0, 1, 2, 100])
def test_spread_calls_every_item_once(count, n_items):
    watch = Watch()
    with limit(count):
        spread(lambda item, worker: watch.calls.append((item, worker)), n_items)
    assert sorted(item for item, _ in watch.calls) == list(range(n_items))
    assert all(0 <= worker < count for _, worker in watch.calls)


def test_no_two_threads_have_the_same_number_at_a_time():
    busy = set()
    clashes = []

    def work(item, worker):
        clashes.extend([item] if worker in busy else [])
        busy.add(worker)
        time.sleep(0.001)
        busy.discard(worker)

    with limit(4):
        spread(work, 40)
    assert clashes == []


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("wrong", [0, 3, 19])
def test_an_error_in_an_item_reaches_the_caller_when_no_worker_runs_any_more(count, wrong):
    watch = Watch()

    def work(item, worker):
        with watch:
            time.sleep(0.002)
            watch.calls.append(item)
            if item == wrong:
                raise RuntimeError(f"item {item}")

    with limit(count):
        with pytest.raises(RuntimeError, match=f"item {wrong}"):
            spread(work, 1000)
        assert watch.running == 0
        seen = len(watch.calls)
        time.sleep(0.01)
        assert len(watch.calls) == seen < 1000
        spread(lambda item, worker: watch.calls.append(item), 3)  # the pool is still of use
    assert len(watch.calls) == seen + 3


def interrupt_main(watch, item, worker=None):
    """Work whose first call in another thread interrupts the main thread and then takes its time."""
    with watch:
        if threading.current_thread() is not threading.main_thread():
            if not watch.calls:
                watch.calls.append(item)
                time.sleep(0.03)
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # wakes it, as Ctrl-C does
            time.sleep(0.05)
        else:
            time.sleep(0.001)
            wait_until(lambda: watch.calls)  # the other thread has begun
    return item


needs_signals = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="this system has no signals for threads")


@needs_signals
@pytest.mark.parametrize("n_items", [2, 500])  # the caller waits for the other thread; the caller works itself
def test_an_interrupt_ends_spread_when_no_worker_runs_any_more(n_items):
    watch = Watch()
    with limit(2), pytest.raises(KeyboardInterrupt):
        spread(lambda item, worker: interrupt_main(watch, item), n_items)
    assert watch.calls
    assert watch.running == 0


# -- ordered


@pytest.mark.parametrize("count", COUNTS)
def test_ordered_keeps_the_order_whatever_each_item_takes(count):
    def work(item):
        time.sleep(0.001 * (item % 3))
        return item**2

    with limit(count):
        assert list(ordered(work, range(30))) == [item**2 for item in range(30)]
        assert list(ordered(work, [])) == []


@pytest.mark.parametrize("count", COUNTS)
def test_ordered_takes_no_more_items_than_it_needs(count):
    taken = []

    def items():
        for item in range(1000):
            taken.append(item)
            yield item

    with limit(count):
        results = ordered(str, items())
        assert taken == []
        assert [next(results) for _ in range(10)] == [str(item) for item in range(10)]
        assert len(taken) <= 10 + count + 1
        results.close()


def test_ordered_uses_as_many_threads_as_it_may():
    watch = Watch()

    def work(item):
        with watch:
            time.sleep(0.005)
            wait_until(lambda: watch.most >= 2)

    with limit(3):
        list(ordered(work, range(12)))
    assert 2 <= watch.most <= 4  # one more may be under way in a pool that served a higher limit


@pytest.mark.parametrize("count", [2, 5])
def test_an_abandoned_iterator_leaves_nothing_running(count):
    watch = Watch()

    def work(item):
        with watch:
            watch.calls.append(item)
            time.sleep(0.005)

    with limit(count):
        results = ordered(work, range(100))
        next(results)
        del results
        gc.collect()
        assert watch.running == 0
        seen = len(watch.calls)
        time.sleep(0.02)
        assert len(watch.calls) == seen <= count + 1


@pytest.mark.parametrize("count", COUNTS)
def test_an_error_of_ordered_comes_at_its_place(count):
    def work(item):
        if item == 3:
            raise RuntimeError("item 3")
        return item

    with limit(count):
        results = ordered(work, range(100))
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(RuntimeError, match="item 3"):
            next(results)
        assert list(results) == []


@needs_signals
def test_an_interrupt_ends_ordered_when_no_worker_runs_any_more():
    watch = Watch()
    with limit(2), pytest.raises(KeyboardInterrupt):
        list(ordered(lambda item: interrupt_main(watch, item), range(100)))
    assert watch.running == 0


@pytest.mark.parametrize("count", COUNTS)
def test_work_inside_of_work_does_not_wait_for_itself(count):
    def inner(item):
        cells = np.zeros(4)

        def mark(cell, worker):
            cells[cell] = item

        spread(mark, 4)
        return sum(ordered(float, cells))

    with limit(count):
        assert list(ordered(inner, range(20))) == [4.0 * item for item in range(20)]


def test_several_threads_may_share_the_pool():
    found = {}

    def caller(name):
        found[name] = list(ordered(lambda item: (name, item), range(50)))

    with limit(3):
        callers = [threading.Thread(target=caller, args=(name,)) for name in range(4)]
        for each in callers:
            each.start()
        for each in callers:
            each.join(20)
    assert found == {name: [(name, item) for item in range(50)] for name in range(4)}


# -- the matrix library


def test_the_matrix_library_has_one_thread_inside_and_what_it_had_outside():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        assert before
        with single_blas():
            assert set(blas_threads()) == {1}
            with single_blas():
                assert set(blas_threads()) == {1}
            assert set(blas_threads()) == {1}
        assert blas_threads() == before
        with pytest.raises(ZeroDivisionError), single_blas():
            1 / 0
        assert blas_threads() == before


def test_holders_in_two_threads_restore_what_was_before_both():
    first_is_in, second_is_in, first_is_out, over = (threading.Event() for _ in range(4))

    def first():
        with single_blas():
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()
        over.wait(10)  # threadpoolctl asks whether the thread that set a limit is still alive

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        other = threading.Thread(target=first)
        other.start()
        first_is_in.wait(10)
        with single_blas():  # entered second, left last
            second_is_in.set()
            first_is_out.wait(10)
            seen = blas_threads()
        after = blas_threads()
        over.set()
        other.join()
        assert set(seen) == {1}
        assert after == before


# -- processes

FORK = """
    import os, sys, warnings
    warnings.simplefilter("ignore")
    from unweave.threads import limit, ordered, single_blas, spread

    def work():
        cells = [0] * 8
        def mark(item, worker):
            cells[item] += 1
        with single_blas():
            spread(mark, 8)
        assert cells == [1] * 8
        assert list(ordered(abs, range(8))) == list(range(8))

    with limit(3), single_blas():
        work()
        child = os.fork()
        work()
        if child == 0:
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    print("both")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_makes_threads_of_its_own():
    # The matrix library is to have threads of its own, whatever the tests themselves are given.
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORK)],
        capture_output=True, text=True, timeout=30, check=False, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "both\n", "")
