"""Tells its version; stores a blob in a local service that checks its signature, and fetches it.

https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
"""

import base64
import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import dsvm_check

dsvm_check.lives_in("azure-cli")
ACCOUNT, KEY = "ada", base64.b64encode(b"a key made for this check").decode()
SIGNED = (
    *("Content-Encoding", "Content-Language", "Content-Length", "Content-MD5", "Content-Type"),
    *("Date", "If-Modified-Since", "If-Match", "If-None-Match", "If-Unmodified-Since", "Range"),
)
REFUSED = b"<Error><Code>AuthenticationFailed</Code><Message>refused</Message></Error>"
blobs = {}


class BlobService(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.signed():
            blobs[self.path] = data
            self.answer(201)

    def do_GET(self):
        if self.signed():
            self.answer(206, blobs[self.path])

    def do_HEAD(self):
        self.do_GET()

    def signed(self):
        """Whether the request is signed with the key; one that is not is refused."""
        told = {**self.headers, "Content-Length": self.headers.get("Content-Length", "")}
        mine = sorted(name.lower() for name in self.headers if name.lower().startswith("x-ms-"))
        place = urlsplit(self.path)
        lines = [
            *(self.command, *(told.get(name, "") for name in SIGNED)),
            *(f"{name}:{self.headers[name]}" for name in mine),
            f"/{ACCOUNT}{place.path}",
            *(f"{name}:{value}" for name, value in sorted(parse_qsl(place.query))),
        ]
        digest = hmac.digest(base64.b64decode(KEY), "\n".join(lines).encode(), "sha256")
        wanted = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        if hmac.compare_digest(self.headers["Authorization"], wanted):
            return True
        self.answer(403, REFUSED)
        return False

    def answer(self, status, data=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", "application/xml" if status == 403 else "text/plain")
        if status == 206:
            self.send_header("Content-Range", f"bytes 0-{len(data) - 1}/{len(data)}")
        if status != 403:
            self.send_header("ETag", f'"{hashlib.md5(data).hexdigest()}"')
            self.send_header("Last-Modified", "Wed, 25 Nov 2026 00:00:00 GMT")
            self.send_header("x-ms-blob-type", "BlockBlob")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *told):
        pass


def az(*words):
    return dsvm_check.say([f"{sys.prefix}/bin/az", *words, "--output", "json"], env=SETTING)


SETTING = {
    "AZURE_CONFIG_DIR": str(Path.cwd() / "azure"),
    "AZURE_CORE_COLLECT_TELEMETRY": "false",
    "NO_PROXY": "127.0.0.1",
}
there = json.loads(az("version"))["azure-cli"]
assert there == version("azure-cli"), f"az is {there}, the package {version('azure-cli')}"

sent = os.urandom(50_000)
Path("sent").write_bytes(sent)
with dsvm_check.answering(BlobService) as address:
    account = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY}"
    at = ["--connection-string", f"{account};BlobEndpoint={address}/{ACCOUNT}"]
    at += ["--container-name", "data", "--name", "random", "--no-progress"]
    az("storage", "blob", "upload", *at, "--file", "sent")
    az("storage", "blob", "download", *at, "--file", "fetched")
assert list(blobs) == [f"/{ACCOUNT}/data/random"], f"the service holds {list(blobs)}"
assert Path("fetched").read_bytes() == sent, "the blob came back with other bytes"
dsvm_check.passed(bytes=len(sent), versions={"azure-cli": there})
