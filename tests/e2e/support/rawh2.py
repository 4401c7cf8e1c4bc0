"""HTTP/2 frames on a socket, without any rule of HTTP/2 enforced: for misbehaving on purpose.

Sends what it is told to send; of what comes back it knows frame headers only (no HPACK).
"""

import select
import socket
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name, value):
    """A literal header field without indexing (RFC 7541 6.2.2), no Huffman code."""
    def text(data):
        if len(data) < 127:
            return bytes([len(data)]) + data
        rest, out = len(data) - 127, bytearray([127])
        while rest >= 128:
            out.append(rest % 128 + 128)
            rest //= 128
        return bytes(out) + bytes([rest]) + data
    return b"\0" + text(name) + text(value)


def request_block(path, *more):
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
              (b":authority", b"localhost"), (b"content-type", b"application/grpc"),
              (b"te", b"trailers"), *more]
    return b"".join(header(n, v) for n, v in fields)


def message(data):
    """A gRPC message, not compressed."""
    return struct.pack(">BI", 0, len(data)) + data


class Peer:
    """One connection to the server."""

    def __init__(self, server, preface=True, settings=b"", wrap=None):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if wrap:
            self.socket = wrap(self.socket)
        self.received = b""
        self.ended = False
        self.stuck = False
        if preface:
            self.send(PREFACE + frame(SETTINGS, payload=settings))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """False when the server has closed the connection, or takes nothing for long."""
        try:
            self.socket.sendall(data)
            return True
        except socket.timeout:
            self.stuck = True
        except (BrokenPipeError, ConnectionResetError):
            self.ended = True
        return False

    def open(self, stream, path, *more, end=False):
        return self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream,
                               request_block(path, *more)))

    def call(self, stream, path, data):
        """A whole unary request."""
        return self.open(stream, path) and self.send(
            frame(DATA, END_STREAM, stream, message(data)))

    def read(self, seconds=0.0):
        """Takes what has arrived; waits for the first byte at most so long."""
        wait = seconds
        while not self.ended and select.select([self.socket], [], [], wait)[0]:
            wait = 0
            try:
                data = self.socket.recv(1 << 20)
            except (ConnectionResetError, socket.timeout):
                data = b""
            self.ended = not data
            self.received += data
        return self.received

    def frames(self):
        """(type, flags, stream, payload) of all that has arrived whole."""
        data, at = self.received, 0
        while at + 9 <= len(data):
            size = int.from_bytes(data[at:at + 3], "big")
            if at + 9 + size > len(data):
                return
            kind, flags, stream = struct.unpack(">BBI", data[at + 3:at + 9])
            yield kind, flags, stream & 0x7FFFFFFF, data[at + 9:at + 9 + size]
            at += 9 + size

    def wait_for(self, seconds, condition):
        """Until condition(frame) holds for a frame received; the frame, or None."""
        end = time.monotonic() + seconds
        while True:
            for f in self.frames():
                if condition(*f):
                    return f
            left = end - time.monotonic()
            if self.ended or left <= 0:
                return None
            self.read(left)

    def goaway(self, seconds):
        """The error code of the GOAWAY, or None."""
        found = self.wait_for(seconds, lambda kind, *_: kind == GOAWAY)
        return int.from_bytes(found[3][4:8], "big") if found else None

    def closed(self, seconds):
        """Whether the server ends the connection within so many seconds."""
        end = time.monotonic() + seconds
        while not self.ended and time.monotonic() < end:
            self.read(max(0.0, end - time.monotonic()))
        return self.ended

    def stream_end(self, stream, seconds):
        """Whether the server finished this stream (END_STREAM or RST_STREAM)."""
        return self.wait_for(seconds, lambda kind, flags, s, _: s == stream and (
            kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM))) is not None
