#!/usr/bin/env python3
"""Google's XML API in front of fake-gcs-server: gcsxml.py PORT UPSTREAM_PORT

The object_store crate writes to Google Cloud Storage through the XML API (PUT of an object, with
`x-goog-if-generation-match: 0` for "only if new"). fake-gcs-server reads, lists and deletes through it but refuses
to write. This proxy turns such a PUT into an upload of the JSON API, where the condition is honoured, and hands
everything else on as it came.

Not here, because the tests need neither: multipart uploads and copies. Loopback only, and no credentials are checked.
"""

import http.client
import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

HOP_BY_HOP = {"host", "connection", "transfer-encoding", "date", "content-length"}


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Header and body go out in two writes: without this each answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    upstream_port = 0

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        bucket, _, key = url.path.lstrip("/").partition("/")
        is_json_api = bucket in ("storage", "upload")
        if self.command == "PUT" and key and not is_json_api:
            self.put_object(bucket, unquote(key), body)
        else:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            status, headers, answer = self.ask(self.command, self.path, body or None, headers)
            self.answer(status, headers, answer)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def put_object(self, bucket: str, key: str, body: bytes) -> None:
        content_type = self.headers.get("Content-Type") or "application/octet-stream"
        boundary = uuid.uuid4().hex
        described = json.dumps({"name": key, "contentType": content_type})
        parts = (
            f"--{boundary}\r\nContent-Type: application/json\r\n\r\n{described}\r\n"
            f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n"
        ).encode()
        # Of the JSON API's upload types only `multipart` (and `resumable`) honour the condition here.
        target = f"/upload/storage/v1/b/{bucket}/o?uploadType=multipart"
        generation = self.headers.get("x-goog-if-generation-match")
        if generation is not None:
            target += f"&ifGenerationMatch={generation}"
        status, _, answer = self.ask(
            "POST",
            target,
            parts + body + f"\r\n--{boundary}--\r\n".encode(),
            {"Content-Type": f"multipart/related; boundary={boundary}"},
        )
        if status != 200:
            self.answer(status, {}, answer)
            return
        written = json.loads(answer)
        self.answer(200, {"ETag": f'"{written["etag"]}"', "x-goog-generation": written["generation"]}, b"")

    def ask(self, method: str, target: str, body, headers) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream_port)
        try:
            upstream.request(method, target, body, headers)
            answer = upstream.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            upstream.close()

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        # The answer to a HEAD has the length of a body that does not follow.
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
        for name, value in headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


def main() -> None:
    port, Proxy.upstream_port = (int(argument) for argument in sys.argv[1:])
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", port), Proxy).serve_forever()


if __name__ == "__main__":
    main()
