# SPDX-License-Identifier: GPL-2.0-or-later
"""A debugger that breaks every rule: a raw peer for the socket of --gdb.

    gdb.py SOCKET CASE

Each case ends with the guest running on, or says on stdout what went wrong and
exits 1.
"""
import random
import socket
import sys
import time

path, case = sys.argv[1:]


def connect():
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(path)
    peer.settimeout(20)
    return peer


def framed(data):
    return b"$%s#%02x" % (data, sum(data) & 255)


def packet(peer):
    """The data of the next packet; None: the stub hung up."""
    byte = peer.recv(1)
    while byte not in (b"$", b""):
        byte = peer.recv(1)
    data = b""
    while byte not in (b"#", b""):
        byte = peer.recv(1)
        data += byte
    peer.recv(2)
    return data[:-1] if byte else None


def ask(peer, data):
    peer.sendall(framed(data))
    return packet(peer)


def want(got, wanted, what):
    if got != wanted:
        print("%s: got %r, wanted %r" % (what, got, wanted))
        sys.exit(1)


def malformed():
    """Packets that are none, or mean nothing, and what they are answered."""
    peer = connect()
    peer.sendall(b"$g#00")
    want(peer.recv(1), b"-", "a wrong sum")
    peer.sendall(b"$g#zz")
    want(peer.recv(1), b"-", "no sum")
    for data in (
        b"m", b"m,", b"m0", b"m0,", b"m0,4,4", b"m100000000,4", b"m0,ffffffff", b"mx,4",
        b"M0,4", b"M0,4:00", b"M0,1:zz", b"X0,4:0", b"X0,0", b"p", b"p29", b"pffffffff",
        b"P0", b"P0=00", b"P29=00000000", b"Pa=00000000", b"G", b"G00", b"G" + b"z" * 616,
        b"Z", b"Z0", b"Z0,0", b"Z5,0,1", b"Z2,1,4", b"Z2,0,3", b"Z2,0,8", b"Z3,0,4",
        b"Z9,100000,1", b"z9,0,1", b"vCont", b"vCont;", b"vCont;x", b"c0z", b"Cxx", b"s-1",
        b"qRcmd,0", b"qRcmd,zz", b"qRcmd," + b"41" * 4000,
        b"qXfer:features:read:target.xml:", b"qXfer:features:read:target.xml:ffffff,1",
        b"qXfer:features:read:target.xml:0", b"mfffffff0,20",
    ):
        want(ask(peer, data), b"E01", data[:40])
    for data in (b"", b"qNone", b"vNone", b"!", b"gg", b"\x00", b"\xff" * 100, b"bs", b"i"):
        want(ask(peer, data), b"", data[:40])
    want(ask(peer, b"m" + b"0" * 20000), b"E01", "a packet that is too long")
    want(ask(peer, b"?"), b"T05", "after all that")
    want(ask(peer, b"D"), b"OK", "detach")


def noise():
    """Random bytes, many of them framing; then it hangs up."""
    dice = random.Random(1)
    for _ in range(20):
        peer = connect()
        letters = b"gGpPmMXZzcsCSHT?vqQ0123456789abcdef,;:="
        try:
            # Whether the guest runs after these is up to them.
            for _ in range(50):
                n = dice.randrange(40)
                data = bytes(dice.choice(letters) for _ in range(n))
                if data.startswith((b"k", b"vKill", b"G", b"P", b"M", b"X", b"c", b"s",
                                    b"C", b"S", b"vCont")):
                    continue
                peer.sendall(framed(data))
                peer.sendall(bytes(dice.choice(b"$#+-}\x0301") for _ in range(n)))
        except (BrokenPipeError, ConnectionResetError):
            pass
        peer.close()


def hangup():
    """Gone at every point of a conversation."""
    for said in (b"", b"+", b"$", b"$g", b"$g#", b"$g#6", framed(b"g"),
                 framed(b"Z0,100040,1"), framed(b"Z0,100040,1") + framed(b"c"),
                 framed(b"s"), b"$" + b"m" * 10000, b"\x03"):
        # The one before may not have been missed yet: then this is a second.
        for _ in range(200):
            peer = connect()
            try:
                peer.sendall(said)
                break
            except BrokenPipeError:
                peer.close()
                time.sleep(0.01)
        else:
            sys.exit("never let in again after a hangup")
        peer.close()


def second():
    """Only one at a time: the second is sent away, the first not disturbed."""
    first = connect()
    want(ask(first, b"?"), b"T05", "the first")
    other = connect()
    want(other.recv(1), b"", "the second")
    want(ask(first, b"?"), b"T05", "the first, still")
    want(ask(first, b"D"), b"OK", "detach")


def deaf():
    """Asks and never listens: dropped, and the guest goes on."""
    peer = connect()
    try:
        while True:
            peer.sendall(framed(b"g") * 100)
    except (BrokenPipeError, ConnectionResetError):
        pass


def browser():
    """A request of HTTP with a packet in it is not obeyed."""
    peer = connect()
    peer.sendall(b"POST / HTTP/1.1\r\n\r\n$k#6b")
    try:
        want(peer.recv(100), b"", "HTTP")
    except ConnectionResetError:
        pass


def interrupt():
    """Ctrl-C stops a guest that computes; going on and detaching."""
    peer = connect()
    want(ask(peer, b"?"), b"T05", "attached")
    for _ in range(20):
        peer.sendall(framed(b"c"))
        peer.sendall(b"\x03")
        want(packet(peer), b"T02", "Ctrl-C")
    # Sent together: what is read with the command counts, too.
    peer.sendall(framed(b"vCont;c") + b"\x03")
    want(packet(peer), b"T02", "Ctrl-C at once")
    want(ask(peer, b"D"), b"OK", "detach")


def silent():
    """Attaches and says nothing, until the guest is over and the stub hangs up."""
    peer = connect()
    want(packet(peer), b"W7c", "the end")
    want(peer.recv(1), b"", "silence")


globals()[case]()
