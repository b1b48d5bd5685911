# SPDX-License-Identifier: GPL-2.0-or-later
"""What compare and scale share: a system whose init measures itself, and its numbers."""
import math
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

TIME_LIMIT = 90         # seconds for one run of one system


def newc(files):
    """An initramfs: (name, mode, device, contents) as a cpio archive."""
    out = bytearray()
    for i, (name, mode, dev, data) in enumerate(files + [("TRAILER!!!", 0, (0, 0), b"")]):
        raw = name.encode() + b"\0"
        out += b"070701" + b"".join(
            b"%08x" % n for n in (i, mode, 0, 0, 1, 0, len(data), 0, 0, *dev, len(raw), 0)) + raw
        out += b"\0" * (-len(out) % 4) + data
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def compile_init(tmp, source, bits):
    """A static program of a source beside this file, and an initramfs with it as init."""
    here = os.path.dirname(os.path.abspath(__file__))
    subprocess.run(["cc", "-O2", "-static", "-m" + bits, "-o", f"{tmp}/init{bits}",
                    f"{here}/{source}"], check=True)
    initramfs(f"{tmp}/initramfs{bits}", f"{tmp}/init{bits}")


def initramfs(path, init):
    with open(init, "rb") as f:
        program = f.read()
    with open(path, "wb") as f:
        f.write(newc([("dev", 0o40755, (0, 0), b""), ("dev/console", 0o20600, (5, 1), b""),
                      ("proc", 0o40755, (0, 0), b""),
                      ("init", 0o100755, (0, 0), program)]))


def end(p):
    """Not every kernel can switch its machine off, or ends all its processes."""
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def run(command):
    """Runs a system whose init prints "INIT", then "name microseconds", then "END".

    Returns {name: microseconds}, and what kept it from its end, or None.
    """
    start = time.monotonic()
    result = {}
    trouble = "ended before it was done"
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, errors="replace",
                          start_new_session=True) as p:
        limit = threading.Timer(TIME_LIMIT, end, [p])
        limit.start()
        for line in p.stdout:
            words = line.split()
            if words == ["END"]:
                trouble = None
                break
            if words == ["INIT"]:
                result["boot"] = (time.monotonic() - start) * 1e6
            elif len(words) == 2 and words[1].lstrip("-").replace(".", "", 1).isdigit():
                result[words[0]] = float(words[1])
        limit.cancel()
        end(p)
    if trouble and time.monotonic() - start >= TIME_LIMIT:
        trouble = f"was not done within {TIME_LIMIT} s"
    return result, trouble


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else math.nan


def cell(value, digits, width=15):
    return f"{'-':>{width}}" if math.isnan(value) else f"{value:{width}.{digits}f}"


def usage(text):
    if sys.argv[1:] in (["--help"], ["-h"]):
        print(text)
        sys.exit(0)
    print(text, file=sys.stderr)
    sys.exit(2)
