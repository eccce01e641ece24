from __future__ import annotations

import socket
import threading
import time

from kubectl_nodeport.address.candidates import Candidate
from kubectl_nodeport.address.knock import knock
from tests.address.servers import free_port

ONE, TWO = Candidate("127.0.0.1", "one"), Candidate("127.0.0.2", "two")


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
