"""An SMTP server that costs next to nothing, so that what is measured is who sends.

One process, raw asyncio, 127.0.0.1 only. It takes every message and writes down, in a file, whom it was for: a line
each, once the message is complete.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import BinaryIO

ANSWERS = {b"EHLO": b"250 here", b"MAIL": b"250 OK", b"RSET": b"250 OK", b"NOOP": b"250 OK", b"QUIT": b"221 Bye"}


async def serve(kept: BinaryIO, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    recipients: list[bytes] = []
    writer.write(b"220 here\r\n")
    try:
        while line := await reader.readline():
            match line[:4].upper():
                case b"RCPT":
                    recipients.append(line.partition(b"<")[2].partition(b">")[0])
                    answer = b"250 OK"
                case b"DATA":
                    writer.write(b"354 Go on\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    kept.write(b"".join(recipient + b"\n" for recipient in recipients))
                    recipients, answer = [], b"250 OK"
                case command:
                    answer = ANSWERS.get(command, b"502 Unknown")
            writer.write(answer + b"\r\n")
            if line[:4].upper() == b"QUIT":
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: int, path: str) -> None:
    with open(path, "wb", buffering=0) as kept:
        server = await asyncio.start_server(functools.partial(serve, kept), "127.0.0.1", port)
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
