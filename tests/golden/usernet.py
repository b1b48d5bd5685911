#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of uml-host-net made of Ethernet frames: DHCP, ARP, UDP and TCP out to
the host and in by hostfwd, checksums checked.  Prints TAP-like lines; usage:
usernet.py UML_HOST_NET"""
import os
import socket
import struct
import subprocess
import sys
import threading

MAC = bytes.fromhex("02000a00020f")
US, HOST = "10.0.2.15", "10.0.2.2"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Guest:
    def __init__(self, program, spec):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = subprocess.Popen([program, spec], stdin=theirs)
        theirs.close()
        self.socket.settimeout(10)
        self.first = self.socket.recv(65536)
        self.host_mac = b"\xff" * 6

    def frame(self, kind, payload):
        self.socket.send(self.host_mac + MAC + struct.pack("!H", kind) + payload)

    def arp(self):
        """Finds the host, and answers who asks for us."""
        self.frame(0x806, struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + MAC + socket.inet_aton(US) +
                   bytes(6) + socket.inet_aton(HOST))
        while True:
            f = self.socket.recv(65536)
            if f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2":
                self.host_mac = f[22:28]
                return f[28:32] == socket.inet_aton(HOST)

    def ip(self, protocol, payload, to=HOST, source=US):
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0)
        ends = socket.inet_aton(source) + socket.inet_aton(to)
        header = header[:10] + struct.pack("!H", checksum(header + ends)) + ends
        self.frame(0x800, header + payload)

    def fragment(self, number, offset, data, more, to=HOST):
        """Of a UDP datagram; the offset in bytes."""
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), number,
                             offset // 8 | (0x2000 if more else 0), 64, 17, 0)
        ends = socket.inet_aton(US) + socket.inet_aton(to)
        header = header[:10] + struct.pack("!H", checksum(header + ends)) + ends
        self.frame(0x800, header + data)

    def receive(self, protocol):
        """The next such packet: source port, destination port, what follows."""
        while True:
            f = self.socket.recv(65536)
            if f[12:14] == b"\x08\x06" and f[20:22] == b"\0\1" and f[38:42] == socket.inet_aton(US):
                self.frame(0x806, struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + MAC +
                           socket.inet_aton(US) + f[22:28] + f[28:32])
            if f[12:14] != b"\x08\0" or f[23] != protocol:
                continue
            assert checksum(f[14:34]) == 0
            length = struct.unpack("!H", f[16:18])[0]
            packet = f[34:14 + length]
            pseudo = f[26:34] + struct.pack("!BBH", 0, protocol, len(packet))
            assert protocol == 17 and packet[6:8] == b"\0\0" or checksum(pseudo + packet) == 0
            return (*struct.unpack("!HH", packet[:4]), packet[4:], socket.inet_ntoa(f[26:30]))

    def udp(self, source, to_port, data, to=HOST, ip=US):
        self.ip(17, struct.pack("!HHHH", source, to_port, 8 + len(data), 0) + data, to, ip)

    def tcp(self, source, to_port, seq, ack, flags, data=b""):
        head = struct.pack("!HHIIBBHHH", source, to_port, seq & 0xffffffff, ack & 0xffffffff,
                           0x50, flags, 65000, 0, 0)
        pseudo = socket.inet_aton(US) + socket.inet_aton(HOST) + \
            struct.pack("!BBH", 0, 6, len(head) + len(data))
        head = head[:16] + struct.pack("!H", checksum(pseudo + head + data)) + head[18:]
        self.ip(6, head + data)

    def tcp_receive(self):
        """(source, destination, seq, ack, flags, data)"""
        source, to, rest, _ = self.receive(6)
        seq, ack, offset, flags = struct.unpack("!IIBB", rest[:10])
        return source, to, seq, ack, flags, rest[(offset >> 4) * 4 - 4:]

    def close(self):
        self.socket.close()
        return self.process.wait(10)


FIN, SYN, PSH, ACK = 1, 2, 8, 16


def say(good, what):
    print(f"{'ok' if good else 'not ok'} - {what}", flush=True)


def dhcp(g):
    request = struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234, 0, 0) + bytes(16) + MAC + \
        bytes(10 + 64 + 128) + bytes.fromhex("63825363") + b"\x35\x01\x01\xff"
    g.udp(68, 67, request, "255.255.255.255", "0.0.0.0")
    _, port, rest, _ = g.receive(17)
    reply = rest[4:]
    say(port == 68 and reply[16:20] == socket.inet_aton(US) and b"\x35\x01\x02" in reply[240:],
        "DHCP offers 10.0.2.15")
    say(b"\x06\x04" + socket.inet_aton("10.0.2.3") in reply[240:], "DHCP names a resolver")


def udp_out(g):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        g.udp(4000, server.getsockname()[1], b"to the host")
        data, peer = server.recvfrom(100)
        server.sendto(data[::-1], peer)
        _, port, rest, source = g.receive(17)
    say((port, rest[4:], source) == (4000, b"tsoh eht ot", HOST), "UDP out and back")


def udp_in(g, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(b"to the guest", ("127.0.0.1", port))
        source, to, rest, _ = g.receive(17)
        g.udp(to, source, rest[4:].upper())
        say(to == 7 and client.recv(100) == b"TO THE GUEST", "UDP in by hostfwd and back")


def serve(listener, total):
    with listener, listener.accept()[0] as c:
        request = c.recv(100)
        c.sendall(request * (total // len(request)))


def tcp_out(g):
    total = 400000
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    threading.Thread(target=serve, args=(listener, total), daemon=True).start()
    g.tcp(5000, port, 100, 0, SYN)
    _, _, seq, ack, flags, _ = g.tcp_receive()
    say(flags & (SYN | ACK) == SYN | ACK and ack == 101, "TCP out: connected")
    want = seq + 1
    g.tcp(5000, port, 101, want, ACK)
    g.tcp(5000, port, 101, want, ACK | PSH, b"0123456789")
    got = b""
    done = False
    while not done:
        _, _, seq, _, flags, data = g.tcp_receive()
        if seq == want & 0xffffffff:
            got += data
            want += len(data)
            done = bool(flags & FIN)
        g.tcp(5000, port, 111, want + done, ACK)
    say(got == b"0123456789" * (total // 10), "TCP out: 400,000 bytes come back, then the end")


def tcp_in(g, port):
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        source, to, seq, _, flags, _ = g.tcp_receive()
        say(to == 80 and flags & SYN, "TCP in by hostfwd: a connection")
        g.tcp(80, source, 900, seq + 1, SYN | ACK)
        client.sendall(b"hello guest")
        data = b""
        while not data:
            _, _, at, _, _, data = g.tcp_receive()
        g.tcp(80, source, 901, at + len(data), ACK | PSH, data.upper())
        say(client.recv(100) == b"HELLO GUEST", "TCP in by hostfwd: both ways")


def in_pieces(number, data, server, g, order, cut=1480, extra=()):
    """Sends data as fragments in this order of them; then `extra` again."""
    whole = struct.pack("!HHHH", 4001, server.getsockname()[1], 8 + len(data), 0) + data
    pieces = [(at, whole[at:at + cut], at + cut < len(whole)) for at in range(0, len(whole), cut)]
    for i in order(list(range(len(pieces)))):
        g.fragment(number, *pieces[i])
        if i in extra:
            g.fragment(number, *pieces[i])


def fragments(g):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        port = server.getsockname()[1]
        data = os.urandom(8000)
        for what, order in ("in order", list), ("backwards", lambda x: x[::-1]):
            in_pieces(10, data, server, g, order)
            say(server.recv(65536) == data, f"fragments {what}")
        in_pieces(11, data, server, g, lambda x: x[::-1], extra=(0, 2, 3, 5))
        say(server.recv(65536) == data, "fragments sent twice")
        data = os.urandom(65507)
        in_pieces(12, data, server, g, list)
        say(server.recv(65536) == data, "fragments of the largest datagram")
        # Overlapping, beyond the end, too long: none of them arrives, the next does.
        head = struct.pack("!HHHH", 4001, port, 8 + 56, 0)
        g.fragment(13, 0, head + bytes(24), True)
        g.fragment(13, 16, bytes(48), False)
        g.fragment(14, 32, bytes(32), False)
        g.fragment(14, 64, bytes(8), True)
        g.fragment(14, 0, head + bytes(24), True)
        g.fragment(15, 65528, bytes(64), False)
        g.fragment(15, 0, head + bytes(24), True)
        g.udp(4001, port, b"next")
        say(server.recv(65536) == b"next", "fragments that contradict each other are dropped")


def flood(g):
    """Never completed, 320 MB and then many small ones: it keeps little."""
    for size in (8000, 8):
        for i in range(40000):
            g.fragment(i, 8 * (i % 100), bytes(size), True, f"10.0.3.{i % 250}")
    say(g.arp(), "a flood of fragments: it is still there")
    with open(f"/proc/{g.process.pid}/status", encoding="ascii") as f:
        peak = next(int(line.split()[1]) for line in f if line.startswith("VmHWM"))
    say(peak < 64 << 10, f"a flood of fragments: {peak} KiB at most, below 64 MiB")
    fragments(g)


def hostile(g):
    for size in (1, 13, 14, 20, 33, 60, 1514, 9000, 60000):
        for _ in range(50):
            g.socket.send(os.urandom(size))
            g.frame(0x800, b"\x45" + os.urandom(size))
    say(g.arp(), "random frames: it is still there")


def jailed(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        status = dict(line.split(":", 1) for line in f)
    say(status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1",
        "it runs behind a filter of system calls")
    with open(f"/proc/{pid}/limits", encoding="ascii") as f:
        limits = {line[:26].strip(): line[26:].split()[1] for line in f if line[26:27] != "S"}
    say(int(limits["Max data size"]) <= 1 << 30 and int(limits["Max open files"]) <= 2048,
        "its memory and sockets are limited")


def main():
    udp_port, tcp_port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
    spec = f"user,hostfwd=udp::{udp_port}-:7,hostfwd=tcp:127.0.0.1:{tcp_port}-10.0.2.15:80"
    g = Guest(sys.argv[1], spec)
    say(g.first == b"ready", "starts")
    jailed(g.process.pid)
    dhcp(g)
    say(g.arp(), "ARP finds the host")
    udp_out(g)
    udp_in(g, udp_port)
    tcp_out(g)
    tcp_in(g, tcp_port)
    taken = Guest(sys.argv[1], spec)
    say(b"cannot listen on udp port 127.0.0.1" in taken.first and taken.close() == 1,
        "a port that is taken is told")
    fragments(g)
    flood(g)
    hostile(g)
    say(g.close() == 0, "ends with its guest")


main()
