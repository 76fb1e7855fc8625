"""A proxy on loopback, in front of moto: answers the faults of `faults.SERVICES`, passes the rest on."""

import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from recording.faults import SERVICES

REQUEST_ID = "3f1d2c4b-5a69-4788-9c0d-1e2f3a4b5c6d"
HOP_BY_HOP = {"connection", "content-length", "date", "host", "server", "transfer-encoding", "x-amzn-requestid", "x-amz-request-id"}


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, moto):
        super().__init__(("127.0.0.1", 0), Handler)
        self.moto = moto
        self.counts = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def begin(self):
        """Forgets how often each fault was met."""
        self.counts.clear()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = self.read_body()
        service = self.service()
        fault = self.fault(service, body)
        if fault:
            self.send(fault.status, *render(service, fault, self.operation()))
        else:
            self.forward(body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer

    def read_body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def service(self):
        """From the signature's scope: KEY/DATE/REGION/SERVICE/aws4_request."""
        scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request", self.headers.get("Authorization", ""))
        return scope[1] if scope else None

    def operation(self):
        return self.headers.get("X-Amz-Target", "").rpartition(".")[2]

    def named(self, service, body):
        """The resource that a request names."""
        if service == "lambda":
            return self.path.split("/functions/")[-1].split("/")[0]
        if service == "s3":
            return urllib.parse.urlparse(self.path).path.rpartition("/")[2]
        asked = json.loads(body or b"{}")
        if service == "sqs":
            return asked.get("QueueUrl", "").rpartition("/")[2]
        names = ("KeyId", "TableName", "SecretId", "Name")
        return next((asked[name] for name in names if name in asked), None)

    def fault(self, service, body):
        if service not in SERVICES:
            return None
        name = self.named(service, body)
        fault = SERVICES[service].get(name)
        if fault and fault.times is not None:
            met = self.server.counts[name] = self.server.counts.get(name, 0) + 1
            return fault if met <= fault.times else None
        return fault

    def forward(self, body):
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "transfer-encoding")}
        request = urllib.request.Request(self.server.moto + self.path, body or None, headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                self.send(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            self.send(error.code, dict(error.headers), error.read())

    def send(self, status, headers, body):
        self.send_response_only(status)
        kept = {name: value for name, value in headers.items() if name.lower() not in HOP_BY_HOP}
        kept |= {"x-amzn-RequestId": REQUEST_ID, "x-amz-request-id": "TX0123456789ABCD", "Content-Length": str(len(body)), "Connection": "close"}
        for name, value in kept.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def render(service, fault, operation):
    """Headers and body of a fault, in the service's protocol."""
    message = fault.message.format(operation=operation)
    if service == "s3":
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{fault.code}</Code><Message>{message}</Message>"
            "<RequestId>TX0123456789ABCD</RequestId><HostId>aG9zdC1pZC1vZi10aGUtYnVja2V0</HostId></Error>"
        )
        return {"Content-Type": "application/xml", "x-amz-id-2": "aG9zdC1pZC1vZi10aGUtYnVja2V0"}, body.encode()
    if service == "lambda":
        # Lambda spells it in either way.
        member = "message" if fault.code in ("TooManyRequestsException", "ResourceConflictException") else "Message"
        body = {"Type": "User", member: message} | ({"Reason": fault.reason} if fault.reason else {})
        return {"Content-Type": "application/json", "x-amzn-ErrorType": fault.code}, json.dumps(body).encode()
    # Only KMS's own shapes are without a namespace.
    namespaces = {"sqs": "com.amazonaws.sqs#", "dynamodb": "com.amazonaws.dynamodb.v20120810#"}
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    if fault.query_code:
        headers["x-amzn-query-error"] = f"{fault.query_code};Sender"
    body = {"__type": namespaces.get(service, "") + fault.code, "message": message}
    return headers, json.dumps(body).encode()
