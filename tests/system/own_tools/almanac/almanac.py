#!/usr/bin/python3
"""Says which year is a leap year; the program that the archive holds."""

import calendar
import os
from http.server import BaseHTTPRequestHandler, HTTPServer

TOKEN = os.environ["DSVM_TOKEN"]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/ready":
            self.answer(200, "ready")
        elif query != f"token={TOKEN}":
            self.answer(403, "")
        else:
            year = path.strip("/") or "1900"
            leap = year.isdigit() and calendar.isleap(int(year))
            self.answer(200, f"{year} is {'a' if leap else 'no'} leap year")

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


HTTPServer(("127.0.0.1", int(os.environ["DSVM_PORT"])), Page).serve_forever()
