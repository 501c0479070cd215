"""Tells its version; stores an object in a local service that checks its signature, fetches it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import os
import re
import sys
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import dsvm_check

dsvm_check.lives_in("cli")
KEY, SECRET, REGION = "AKIACHECK", "made for this check", "eu-north-1"
REFUSED = b"<Error><Code>SignatureDoesNotMatch</Code><Message>refused</Message></Error>"
objects = {}


class ObjectService(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.signed(data):
            self.answer(403, REFUSED)
            return
        objects[self.path] = data
        self.answer(200, tag=data)

    def do_GET(self):
        if not self.signed(b""):
            self.answer(403, REFUSED)
            return
        self.answer(200, objects[self.path], tag=objects[self.path])

    def do_HEAD(self):
        self.do_GET()

    def signed(self, data):
        """Whether the request, its body too, is signed with the secret."""
        credential, names, signature = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=(\S+)",
            self.headers["Authorization"],
        ).groups()
        key, _, scope = credential.partition("/")
        digest = hashlib.sha256(data).hexdigest()
        place = urlsplit(self.path)
        request = [self.command, place.path, place.query]
        request += [f"{name}:{self.headers[name].strip()}" for name in names.split(";")]
        request += ["", names, digest]
        text = ["AWS4-HMAC-SHA256", self.headers["X-Amz-Date"], scope]
        text.append(hashlib.sha256("\n".join(request).encode()).hexdigest())
        secret = f"AWS4{SECRET}".encode()
        for part in [*scope.split("/"), "\n".join(text)]:
            secret = hmac.digest(secret, part.encode(), "sha256")
        whole = self.headers["X-Amz-Content-SHA256"] == digest
        return whole and key == KEY and hmac.compare_digest(secret.hex(), signature)

    def answer(self, status, data=b"", tag=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        if tag is not None:
            self.send_header("ETag", f'"{hashlib.md5(tag).hexdigest()}"')
            self.send_header("Last-Modified", "Wed, 25 Nov 2026 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *told):
        pass


def aws(*words):
    return dsvm_check.say([f"{sys.prefix}/bin/aws", *words], env=SETTING)


SETTING = {
    "AWS_ACCESS_KEY_ID": KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": str(Path.cwd() / "config"),
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
there = aws("--version").split()[0].removeprefix("aws-cli/")
assert there == version("awscli"), f"aws is {there}, the package {version('awscli')}"

sent = os.urandom(50_000)
Path("sent").write_bytes(sent)
with dsvm_check.answering(ObjectService) as address:
    for source, target in (("sent", "s3://data/random"), ("s3://data/random", "fetched")):
        aws("--endpoint-url", address, "s3", "cp", "--no-progress", source, target)
assert list(objects) == ["/data/random"], f"the service holds {list(objects)}"
assert Path("fetched").read_bytes() == sent, "the object came back with other bytes"
dsvm_check.passed(bytes=len(sent), versions={"aws-cli": there})
