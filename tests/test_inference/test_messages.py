"""Messages between job and worker: whole or not at all, and the job's end never waits."""

import os
import socket
import threading

import numpy as np
import pytest

from batch_infer.inference.workers.messages import Channel, pack, pack_chunk, receive, send, unpack_chunk
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.chunks import ArrayChunk, FileChunk

BIG = 3 << 20  # bytes, more than a socket holds


@pytest.fixture
def ends():
    """The job's end and the descriptor of the worker's."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours.detach())
    yield channel, theirs.fileno()
    channel.close()
    theirs.close()


def test_what_is_sent_arrives_in_order(ends):
    channel, worker = ends
    for number in range(3):
        send(worker, pack(("done", number), b"bulk" * number))
    assert channel.receive() == [(("done", 0), b""), (("done", 1), b"bulk"), (("done", 2), b"bulkbulk")]
    assert not channel.ended


def test_posting_to_a_worker_that_does_not_read_returns_at_once(ends):
    channel, worker = ends
    content = os.urandom(BIG)
    channel.post(pack("first", content))
    channel.post(pack("second"))
    assert channel.has_unsent
    received = []
    reader = threading.Thread(target=lambda: received.extend([receive(worker), receive(worker)]))
    reader.start()
    while channel.has_unsent:
        channel.flush()
    reader.join(timeout=20)
    assert received == [("first", content), ("second", b"")]


def test_a_message_in_pieces_is_given_when_it_is_whole(ends):
    channel, worker = ends
    message = b"".join(bytes(buffer) for buffer in pack({"a": 1}, b"12345"))
    for byte in message[:-1]:
        os.write(worker, bytes([byte]))
        assert channel.receive() == []
    os.write(worker, message[-1:])
    assert channel.receive() == [({"a": 1}, b"12345")]


def test_what_breaks_off_is_dropped_and_what_came_before_is_not(ends):
    channel, worker = ends
    send(worker, pack("whole"))
    os.write(worker, b"".join(map(bytes, pack("half")))[:-1])
    socket.socket(fileno=os.dup(worker)).shutdown(socket.SHUT_RDWR)
    assert channel.receive() == [("whole", b"")]
    assert channel.ended
    channel.post(pack("too late"))
    assert not channel.has_unsent


def test_a_worker_whose_job_is_gone_hears_of_it(ends):
    channel, worker = ends
    channel.close()
    with pytest.raises(EOFError):
        receive(worker)


@pytest.mark.parametrize("images", [None, np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)])
def test_chunks_of_an_idx_file_arrive_as_they_were(ends, images):
    channel, worker = ends
    source = IdxImages.__new__(IdxImages)
    chunk = ArrayChunk(source, 8, np.array([1, -1], np.int8), images, errors={1: ("unreadable", "x")})
    channel.post(pack_chunk(chunk))
    found = unpack_chunk(*receive(worker))
    assert (found.start, found.errors) == (8, chunk.errors)
    np.testing.assert_array_equal(found.labels, chunk.labels)
    np.testing.assert_array_equal(found.images, images)


def test_chunks_of_files_arrive_as_they_were_but_for_their_keys(ends):
    channel, worker = ends
    keys = ((b"/a", -1, "token"), None)
    channel.post(pack_chunk(FileChunk(["a", "\udcff"], np.array([5, 6], np.int8), keys=keys)))
    found = unpack_chunk(*receive(worker))
    assert (found.paths, found.labels.tolist(), found.keys) == (["a", "\udcff"], [5, 6], ())
