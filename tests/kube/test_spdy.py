"""SPDY: what opens a connection, and frames that are cut in any way."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.kube import spdy
from kubectl_nodeport.kube.spdy import Broken, NotSpdyError, Part, Ping, Reader


def control(kind: int, body: bytes) -> bytes:
    return b"\x80\x03" + kind.to_bytes(2, "big") + len(body).to_bytes(4, "big") + body


def data(stream: int, text: bytes, *, is_last: bool = False) -> bytes:
    size = len(text).to_bytes(3, "big")
    return stream.to_bytes(4, "big") + bytes([is_last]) + size + text


def test_both_streams_are_opened_with_the_headers_that_kubelets_read() -> None:
    rest, unpack, seen = spdy.opening(2222), zlib.decompressobj(), []
    while rest:
        assert rest[:4] == b"\x80\x03\x00\x01"
        size = int.from_bytes(rest[5:8], "big")
        body, rest = rest[8 : 8 + size], rest[8 + size :]
        plain = unpack.decompress(body[10:])
        texts = []
        at = 4
        while at < len(plain):
            end = at + 4 + int.from_bytes(plain[at : at + 4], "big")
            texts.append(plain[at + 4 : end].decode())
            at = end
        assert int.from_bytes(plain[:4], "big") == len(texts) / 2
        headers = dict(zip(texts[::2], texts[1::2], strict=True))
        seen.append((int.from_bytes(body[:4], "big"), headers))
    same = {"port": "2222", "requestid": "0"}
    assert seen == [(1, {"streamtype": "error", **same}), (3, {"streamtype": "data", **same})]


def test_data_is_framed() -> None:
    assert spdy.data_frame(b"abc") == data(3, b"abc")


PIECES = st.lists(st.tuples(st.sampled_from([1, 3, 5]), st.binary(max_size=100)), max_size=8)


@settings(deadline=None)
@given(PIECES, st.integers(1, 50))
def test_any_cut_gives_the_same(pieces: list[tuple[int, bytes]], step: int) -> None:
    answer = control(2, b"\0\0\0\1" + b"x" * 9)
    sent = answer + b"".join(data(stream, text) for stream, text in pieces) + answer
    sent += data(3, b"", is_last=True)
    reader, found = Reader(), {1: bytearray(), 3: bytearray()}
    ended = []
    for at in range(0, len(sent), step):
        for one in reader.read(memoryview(sent)[at : at + step]):
            assert isinstance(one, Part)
            found[1 if one.is_error else 3] += one.data
            ended += [one.is_error] if one.is_last else []
    for stream, all_of_it in found.items():
        assert all_of_it == b"".join(text for number, text in pieces if number == stream)
    assert ended == [False]


def test_pings_and_ends() -> None:
    ping = control(6, b"\0\0\0\2")
    sent = (
        ping + control(3, b"\0\0\0\1\0\0\0\5") + control(3, b"\0\0\0\3\0\0\0\5") + control(7, b"")
    )
    assert list(Reader().read(memoryview(sent))) == [Ping(ping), Broken(), Broken()]


@pytest.mark.parametrize(
    "sent", [b"\x80\x02\x00\x02\x00\x00\x00\x00", b"\x80\x03\x00\x02\x00\xff\xff\xff"]
)
def test_no_frames(sent: bytes) -> None:
    with pytest.raises(NotSpdyError):
        list(Reader().read(memoryview(sent + b"x")))
