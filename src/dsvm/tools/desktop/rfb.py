"""A viewer of a display: RFC 6143 without security and in raw pixels; standard library, numpy."""

import socket
import struct

import numpy as np

RAW = 0
KEYS = {"\n": 0xFF0D, "alt": 0xFFE9, "f2": 0xFFBF}


class Viewer:
    """Sees all of the display at `place`, a socket's path, and types into it."""

    def __init__(self, place, timeout_s=30):
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(timeout_s)
        self.line.connect(place)
        version = self.read(12)
        assert version.startswith(b"RFB 003."), f"the display begins {version!r}"
        self.line.sendall(b"RFB 003.008\n")
        kinds = self.read(self.read(1)[0])
        assert b"\x01" in kinds, f"the display asks for another sign-in: {kinds!r}"
        self.line.sendall(b"\x01")
        assert self.read(4) == bytes(4), "the display refuses"
        self.line.sendall(b"\x01")
        self.wide, self.high = struct.unpack("!HH", self.read(4))
        self.read(16)
        self.name = self.read(*struct.unpack("!I", self.read(4))).decode()
        # Four bytes a pixel: blue, green, red, nothing.
        shape = struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
        self.line.sendall(b"\x00\x00\x00\x00" + shape + struct.pack("!BxHi", 2, 1, RAW))

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.line.recv(count - len(data))
            assert part, "the display went away"
            data += part
        return data

    def picture(self):
        """The pixels as they are now: rows, columns, red-green-blue."""
        asked = struct.pack("!BBHHHH", 3, 0, 0, 0, self.wide, self.high)
        self.line.sendall(asked)
        while True:
            kind = self.read(1)[0]
            if kind == 0:
                return self.rectangles()
            if kind == 1:  # colours of a palette
                self.read(3)
                self.read(6 * struct.unpack("!H", self.read(2))[0])
            elif kind == 3:  # what was cut
                self.read(3)
                self.read(*struct.unpack("!I", self.read(4)))

    def rectangles(self):
        pixels = np.zeros((self.high, self.wide, 3), np.uint8)
        self.read(1)
        (count,) = struct.unpack("!H", self.read(2))
        for _ in range(count):
            left, top, wide, high, encoding = struct.unpack("!HHHHi", self.read(12))
            assert encoding == RAW, f"the display sends the encoding {encoding}"
            block = np.frombuffer(self.read(wide * high * 4), np.uint8).reshape(high, wide, 4)
            pixels[top : top + high, left : left + wide] = block[:, :, 2::-1]
        return pixels

    def press(self, *keys):
        """Keys down together and up again, by name or as one character."""
        codes = [KEYS.get(key) or ord(key) for key in keys]
        for down, ordered in ((1, codes), (0, codes[::-1])):
            for code in ordered:
                self.line.sendall(struct.pack("!BBxxI", 4, down, code))

    def type(self, text):
        for letter in text:
            self.press(letter)
