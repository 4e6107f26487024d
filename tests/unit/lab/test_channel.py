# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames of the virtio-serial port."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.channel import (
    MAX_PAYLOAD_BYTES,
    Command,
    Complaint,
    Decoder,
    Frame,
    Kind,
    ProtocolError,
    as_json,
    command_from_json,
    complaint_from_json,
    encode,
)

frames = st.lists(st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=300)))


@given(frames, st.integers(min_value=1, max_value=64))
def test_frames_arrive_whole_in_whatever_pieces_the_port_delivers_them(sent: list[Frame], piece: int) -> None:
    stream = b"".join(encode(frame.kind, frame.payload) for frame in sent)
    decoder = Decoder()
    received: list[Frame] = []
    for start in range(0, len(stream), piece):
        received += decoder.feed(stream[start : start + piece])
    assert received == sent


def test_incomplete_frame_is_kept_back() -> None:
    assert Decoder().feed(encode(Kind.STDOUT, b"text")[:-1]) == []


@pytest.mark.parametrize("stream", [b"\xee\0\0\0\0", encode(Kind.STDOUT)[:1] + b"\xff\xff\xff\xff"])
def test_what_is_no_frame_is_refused(stream: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder().feed(stream)


def test_largest_payload_is_below_what_the_header_can_say() -> None:
    assert encode(Kind.STDOUT, bytes(MAX_PAYLOAD_BYTES))[1:5] == MAX_PAYLOAD_BYTES.to_bytes(4, "big")


def test_command_survives_the_port() -> None:
    command = Command(("sh", "-c", "echo 'ä'"), "/work", {"NAME": "value"})
    assert command_from_json(as_json(command)) == command


def test_complaint_survives_the_port() -> None:
    complaint = Complaint(17, "WARNING: mm/memcontrol.c:1\nCall Trace:")
    assert complaint_from_json(as_json(complaint)) == complaint
    assert complaint.title == "WARNING: mm/memcontrol.c:1"
