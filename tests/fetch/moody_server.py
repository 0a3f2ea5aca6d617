"""A real web server on loopback that serves files with ranges, and misbehaves when it is told to."""

import re
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

Mood = Callable[["Handler", bytes], None]


class MoodyServer(ThreadingHTTPServer):
    """`contents` by path. Each request for a path takes the next of its `moods`; then it serves well."""

    daemon_threads = True

    def __init__(self, contents: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.contents, self.moods = contents, defaultdict(list)
        self.asked: list[tuple[str, str | None]] = []  # target and Range of each request
        self.reached, self.closing = Event(), Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/data"

    def always(self, path: str, mood: Mood) -> None:
        self.moods[path] = [mood] * 100

    def handle_error(self, request, client_address):
        pass  # a client that was killed or hung up is no fault of the server


@contextmanager
def serving(contents: dict[str, bytes]):
    """A server in a thread, ended with the block."""
    with MoodyServer(contents) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join(5)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def do_GET(self):
        path = self.path.partition("?")[0].removeprefix("/data/")
        self.server.asked.append((self.path, self.headers["Range"]))
        moods = self.server.moods[path]
        (moods.pop(0) if moods else well)(self, self.server.contents.get(path, b""))

    def begin(self) -> int:
        told = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        return int(told[1]) if told else 0

    def reply(self, status: int, body: bytes = b"", length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        if length is not None and length != len(body):
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *arguments):
        pass


def well(handler: Handler, content: bytes) -> None:
    begin = handler.begin()
    if begin >= len(content):
        return handler.reply(416, Content_Range=f"bytes */{len(content)}")
    if begin == 0:
        return handler.reply(200, content)
    return handler.reply(206, content[begin:], Content_Range=_range(begin, content))


def without_ranges(handler: Handler, content: bytes) -> None:
    handler.reply(200, content)


def dropping_after(count: int) -> Mood:
    """Sends so many more bytes of what was asked for, then hangs up."""

    def drop(handler: Handler, content: bytes) -> None:
        begin = handler.begin()
        status, headers = (206, {"Content_Range": _range(begin, content)}) if begin else (200, {})
        handler.reply(status, content[begin : begin + count], length=len(content) - begin, **headers)

    return drop


def stalling_after(count: int) -> Mood:
    """Sends so many bytes, says so in `reached`, and then nothing more until the server closes."""

    def stall(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:count])
        handler.wfile.flush()
        handler.server.reached.set()
        handler.server.closing.wait(20)
        handler.close_connection = True

    return stall


def answering(status: int, body: bytes = b"", **headers: str) -> Mood:
    return lambda handler, content: handler.reply(status, body, **headers)


def unsized(body: bytes) -> Mood:
    """A body without Content-Length, which ends when the server hangs up."""

    def send(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return send


def claiming(length: int) -> Mood:
    return lambda handler, content: handler.reply(200, content, length=length)


def at_another_place(handler: Handler, content: bytes) -> None:
    """Answers with a part that is not the one that was asked for."""
    begin = handler.begin() + 1
    handler.reply(206, content[begin:], Content_Range=_range(begin, content))


def without_parts(handler: Handler, content: bytes) -> None:
    """Refuses every part, whatever is asked for."""
    if handler.begin():
        handler.reply(416)
    else:
        well(handler, content)


def as_if_packed(handler: Handler, content: bytes) -> None:
    """Calls a file that is packed itself packed for the transport, as some servers do with .gz."""
    begin = handler.begin()
    ranges = {"Content_Range": _range(begin, content)} if begin else {}
    handler.reply(206 if begin else 200, content[begin:], Content_Encoding="gzip", **ranges)


def hanging_up(handler: Handler, content: bytes) -> None:
    handler.close_connection = True


def _range(begin: int, content: bytes) -> str:
    return f"bytes {begin}-{len(content) - 1}/{len(content)}"
