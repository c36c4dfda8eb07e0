#!/usr/bin/env bash
# requests 2.34.2 with urllib3 2.8.0: of a transfer that breaks, `iter_content(N)` never hands over the last piece of less than
# N bytes, though it has arrived.
#
# Seen: a server announces 3,000,000 bytes and closes the connection after 1,500,000. `iter_content` of 1 KiB hands over
# 1,499,136 bytes before it raises ChunkedEncodingError, of 1 MiB 1,048,576, of 10 MiB none at all;
# `raw.read1` hands over all 1,500,000 and raises then.
# Why it matters here: who fetches data sets takes large pieces for speed and takes broken transfers up again by Range. What was
# received and not handed over is asked for again, and where connections break before a piece is full the transfer
# never gets anywhere, however often it is tried.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install -q 'requests==2.34.2' 'urllib3==2.8.0'

venv/bin/python - <<'PY'
import http.server, threading
import requests
import urllib3

names: list[str] = []


class Cut(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "3000000")
        self.end_headers()
        self.wfile.write(b"x" * 1_500_000)

    def log_message(self, *_: object) -> None:
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cut)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}/data.bin"


def by_iter(chunk: int) -> int:
    got = 0
    try:
        for piece in requests.get(address, stream=True, timeout=10).iter_content(chunk):
            got += len(piece)
    except requests.RequestException as error:
        names.append(type(error).__name__)
    return got


def by_read1() -> int:
    got = 0
    with requests.get(address, stream=True, timeout=10) as answer:
        try:
            while piece := answer.raw.read1(1 << 20):
                got += len(piece)
        except urllib3.exceptions.HTTPError as error:
            names.append(type(error).__name__)
    return got


found = {chunk: by_iter(chunk) for chunk in (1 << 10, 1 << 20, 10 << 20)} | {"read1": by_read1()}
print(f"requests {requests.__version__}, urllib3 {urllib3.__version__}: bytes handed over {found}; raised {names}")
assert found == {1 << 10: 1_499_136, 1 << 20: 1 << 20, 10 << 20: 0, "read1": 1_500_000}
assert names == ["ChunkedEncodingError"] * 3 + ["ProtocolError"]
PY
