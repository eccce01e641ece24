from __future__ import annotations

import socket
import threading
import time

from kubectl_nodeport.address import knock as knocking
from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.resolution import Sought, Verdict
from tests.address.servers import free_port

ONE, TWO = Candidate("127.0.0.1", "one"), Candidate("127.0.0.2", "two")


def knock(candidates: list[Candidate], port: int, timeout_s: float) -> Candidate | None:
    found = knocking.knock(Sought(tuple(candidates), port, frozenset()), timeout_s)
    return found.answer.candidate if found.answer else None


def listening(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port))


def test_only_one_answers() -> None:
    port = free_port()
    with listening("127.0.0.2", port):
        assert knock([ONE, TWO], port, 3.0) == TWO


def test_nobody_answers_until_the_time_is_up() -> None:
    began = time.monotonic()
    assert knock([ONE, TWO], free_port(), 0.3) is None
    assert 0.25 < time.monotonic() - began < 2.0


def test_the_last_of_many_is_asked_too() -> None:
    port = free_port()
    silent = [Candidate(f"127.0.0.{number}", "x") for number in range(10, 16)]
    with listening("127.0.0.1", port):
        assert knock([*silent, ONE], port, 5.0) == ONE


def test_server_that_hangs_up_is_not_pestered() -> None:
    port, stop = free_port(), threading.Event()
    accepted: list[socket.socket] = []
    with listening("127.0.0.1", port) as server:
        server.settimeout(0.1)

        def hang_up() -> None:
            while not stop.is_set():
                try:
                    sock, _ = server.accept()
                except OSError:
                    continue
                sock.close()
                accepted.append(sock)

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        assert knock([ONE], port, 3.0) is None
        stop.set()
        thread.join(timeout=5)
    # As pace.py has it: a forwarder without a back end, so that no sshd is bothered.
    assert 2 <= len(accepted) <= 20


def test_nobody_to_ask() -> None:
    assert knock([], free_port(), 0.3) is None


def test_port_that_opens_late() -> None:
    port, opened = free_port(), []
    timer = threading.Timer(0.4, lambda: opened.append(listening("127.0.0.1", port)))
    timer.start()
    try:
        assert knock([ONE], port, 5.0) == ONE
    finally:
        timer.join()
        opened[0].close()


def test_name_that_is_not_known_does_not_stop_the_others() -> None:
    port = free_port()
    with listening("127.0.0.1", port):
        assert knock([Candidate("nowhere.invalid", "x"), ONE], port, 3.0) == ONE


def test_what_hangs_up_at_once_is_no_answer_until_it_does_not() -> None:
    """As Docker Desktop's forwarder does while kube-proxy has not opened the port yet."""
    port, reached = free_port(), threading.Event()
    with listening("127.0.0.1", port) as server:

        def forward() -> None:
            while True:
                try:
                    sock, _ = server.accept()
                except OSError:
                    return
                if not reached.is_set():
                    sock.close()
                kept.append(sock)

        kept: list[socket.socket] = []
        thread = threading.Thread(target=forward, daemon=True)
        thread.start()
        assert knock([ONE], port, 0.5) is None
        assert len(kept) > 1, "it is asked again"
        reached.set()
        assert knock([ONE], port, 3.0) == ONE
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def test_server_that_speaks_and_leaves() -> None:
    port = free_port()
    with listening("127.0.0.1", port) as server:

        def greet() -> None:
            sock, _ = server.accept()
            sock.sendall(b"hello\n")
            sock.close()

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        assert knock([ONE], port, 3.0) == ONE
    thread.join(timeout=5)


def test_how_each_fared() -> None:
    port = free_port()
    with listening("127.0.0.2", port) as server:
        greeter = threading.Thread(target=lambda: server.accept()[0].sendall(b"220 mail\r\n"))
        greeter.start()
        found = knocking.knock(Sought((ONE, TWO), port, frozenset()), 3.0)
        greeter.join(5)
    refused, answered = found.attempts
    assert (refused.candidate, refused.outcome.verdict) == (ONE, Verdict.REFUSED)
    assert (answered.candidate, answered.outcome.verdict) == (TWO, Verdict.ANSWERED)
    assert answered.outcome.text == "accepts connections, says: 220 mail"
    assert 0 < answered.took_s < 2


def test_more_are_asked_where_there_is_none() -> None:
    port = free_port()
    with listening("127.0.0.2", port):
        found = knocking.knock(Sought((), port, frozenset(), more=lambda: [TWO]), 3.0)
    assert found.answer is not None
    assert found.answer.candidate == TWO
