"""Frames: whatever way they are cut, the same comes out of them."""

from __future__ import annotations

import pytest
import websocket
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_nodeport.kube import frames
from kubectl_nodeport.kube.frames import Control, NotWebsocketError, Piece, Reader
from tests.kube.server import frame

CHANNELS = st.integers(0, 3)
MESSAGES = st.lists(st.tuples(CHANNELS, st.binary(max_size=300)), max_size=8)


def read(data: bytes, sizes: list[int]) -> list[tuple[int, bytes]]:
    """The whole messages, read in steps of these sizes, the last again and again; pings as -9."""
    reader, found, begun = Reader(), [], bytearray()
    at = 0
    while at < len(data):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        for one in reader.read(memoryview(data)[at : at + size]):
            if isinstance(one, Control):
                found.append((-one.opcode, one.data))
                continue
            begun += one.data
            if one.is_last:
                found.append((one.channel, bytes(begun)))
                begun.clear()
        at += size
    return found


@settings(deadline=None)
@given(MESSAGES, st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_any_cut_gives_the_same_messages(
    messages: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    data = b"".join(frame(2, bytes([channel]) + text) for channel, text in messages)
    assert read(data, sizes) == messages


def test_fragments_with_a_ping_between() -> None:
    data = b"\x02\x03\x00ab" + b"\x89\x01!" + b"\x00\x01c" + b"\x80\x00" + frame(2, b"\x01x")
    for size in (1, 2, 100):
        assert read(data, [size]) == [(-9, b"!"), (0, b"abc"), (1, b"x")]


def test_a_frame_that_announces_much_is_passed_on_as_it_comes() -> None:
    reader = Reader()
    head = b"\x82\x7f" + (1 << 40).to_bytes(8, "big") + b"\x00"
    (piece,) = reader.read(memoryview(head + b"abc"))
    assert isinstance(piece, Piece)
    assert (piece.channel, bytes(piece.data), piece.is_last) == (0, b"abc", False)


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x00",  # goes on with no message
        b"\x02\x01a\x82\x01b",  # a message within a message
        b"\x82\x81aaaab",  # masked
        b"\xc2\x01a",  # compressed
        b"\x83\x01a",  # no such opcode
        b"\x89\x7e\x00\x80",  # a control frame that is too long
        b"\x09\x01a",  # and one that is not whole
        b"\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
)
def test_no_frames_of_a_server(data: bytes) -> None:
    with pytest.raises(NotWebsocketError):
        list(Reader().read(memoryview(data)))


@given(
    st.binary(max_size=300),
    st.binary(min_size=4, max_size=4) | st.binary(min_size=1, max_size=1).map(lambda b: b * 4),
)
def test_a_frame_is_the_librarys(data: bytes, key: bytes) -> None:
    theirs = websocket.ABNF.create_frame(data, websocket.ABNF.OPCODE_BINARY)
    theirs.get_mask_key = lambda _size: key
    assert frames.frame(frames.BINARY, data, key) == theirs.format()


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 70000])
def test_lengths(size: int) -> None:
    theirs = websocket.ABNF.create_frame(b"x" * size, websocket.ABNF.OPCODE_BINARY)
    theirs.get_mask_key = lambda _size: b"abcd"
    assert frames.frame(frames.BINARY, b"x" * size, b"abcd") == theirs.format()
