# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs guest-rt/takeover.elf: takeover.py UML-HOST GUESTS RUNS [ATTACK...]

A line per attack: its name, and how often which status came.  Behind "!" what was wrong
with a run.  TAKEOVER_SEED is the first one; TAKEOVER_VERBOSE=1 tells every run;
TAKEOVER_TIMEOUT is how long one may take, in seconds."""
import atexit
import collections
import concurrent.futures
import ctypes
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

UML_HOST, GUESTS, RUNS = sys.argv[1], sys.argv[2], int(sys.argv[3])
ATTACKS = sys.argv[4:] or ["calls", "scribble", "monitor", "map", "views", "early", "bell", "end"]
OTHERS = os.environ.get("TAKEOVER_OTHERS", UML_HOST)	# who runs the other guests
FIRST = int(os.environ.get("TAKEOVER_SEED", "1"))
VERBOSE = os.environ.get("TAKEOVER_VERBOSE")
TIMEOUT = float(os.environ.get("TAKEOVER_TIMEOUT", "0.5"))	# --timeout, seconds
PATIENCE = 15		# until it must be over
MEMORY = 16		# of the guest, MiB
MOST = 64		# beside that, of the supervisor
with open(UML_HOST, "rb") as program:
    if b"__asan_init" in program.read():
        MOST = 4096
# Status 1: the host could not do something, and which.
HOST = re.compile(r"uml-host: (the host has no memory left for the guest"
                  r"|cannot map guest memory in the guest's process|cannot set a timer"
                  r"|cannot start a process for the guest's programs.*"
                  r"|the host has no process left for the guest's programs)\Z")
# Orphans become our children, so that none can hide.
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def listener(family, address):
    s = socket.socket(family)
    s.bind(address)
    s.listen()
    s.setblocking(False)
    return s


class World:
    """What a guest must leave alone."""

    def __init__(self, top):
        self.work = os.path.join(top, "work")
        os.mkdir(self.work)
        self.file = os.path.join(top, "sentinel")
        with open(self.file, "w") as f:
            f.write("untouched\n")
        self.disk = os.path.join(top, "disk")
        with open(self.disk, "wb") as f:
            f.truncate(1 << 16)
        self.sockets = [listener(socket.AF_INET, ("127.0.0.1", 0)),
                        listener(socket.AF_UNIX, os.path.join(top, "socket"))]
        self.top = top
        self.before = self.look()

    def look(self):
        s = os.stat(self.file)
        with open(self.file) as f:
            text = f.read()
        return (text, s.st_mode, s.st_mtime_ns, s.st_nlink, sorted(os.listdir(self.top)),
                os.listdir(self.work))

    def wrong(self):
        if self.look() != self.before:
            return ["a file was touched: %r" % (self.look(),)]
        for s in self.sockets:
            try:
                s.accept()
                return ["somebody connected to a socket"]
            except BlockingIOError:
                pass
        return []


def judge(status, out, err, peak):
    wrong = []
    last = err.strip().split("\n")[-1]
    if status not in (0, 3, 4, 124) and not (status == 1 and HOST.match(last)):
        wrong.append("status %d: %s" % (status, last))
    if status in (3, 4) and not re.match(r"uml-host: guest (killed|crashed): ", last):
        wrong.append("status %d, and no reason" % status)
    if re.search(r"[^\n -~]", err):
        wrong.append("unprintable: %r" % err[:200])
    # Of a build with sanitizers.
    wrong += re.findall("runtime error.*|.*Sanitizer.*", err)
    if len(err.split("\n")) > 10:
        wrong.append("%d lines of messages" % len(err.split("\n")))
    for line in out.split("\n"):
        if re.match("SURVIVED|NOT ALLOWED", line):
            wrong.append(line)
    if peak > MOST + MEMORY:
        wrong.append("%d MiB of memory" % peak)
    return wrong


def run(world, attack, seed):
    """(status, what was wrong, did the attack begin)"""
    p = subprocess.Popen([UML_HOST, "run", "--engine=direct", "-m", str(MEMORY),
                          "--timeout=%g" % TIMEOUT,
                          "--block=%s,ro" % world.disk, os.path.join(GUESTS, "takeover.elf"),
                          "attack=" + attack, "seed=%d" % seed, "file=" + world.file],
                         cwd=world.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE)
    texts = {}
    readers = [threading.Thread(target=lambda n=n, f=f: texts.update({n: f.read()}))
               for n, f in (("out", p.stdout), ("err", p.stderr))]
    for r in readers:
        r.start()
    # A machine that stood still meanwhile is none that hangs.
    waited, last = 0, time.monotonic()
    hangs = False
    while True:
        pid, how, used = os.wait4(p.pid, os.WNOHANG)
        if pid:
            break
        if not hangs and waited > PATIENCE:
            hangs = True
            p.kill()
        time.sleep(0.005)
        now = time.monotonic()
        waited += min(now - last, 0.1)
        last = now
    p.returncode = status = os.waitstatus_to_exitcode(how)
    for r in readers:
        r.join(10)
    out, err = (texts.get(n, b"").decode("latin-1") for n in ("out", "err"))
    wrong = ["hangs"] if hangs else judge(status, out, err, used.ru_maxrss >> 10)
    begun = bool(re.search("^" + attack + ":", out, re.M))
    if not begun and status != 124:
        wrong.append("its attack did not begin: " + err[-200:])
    if VERBOSE:
        print("#", attack, seed, status, repr(out[-60:]), repr(err[-100:]), flush=True)
    return status, wrong, begun


def left_over(known):
    """Children of ours that nobody knows."""
    left = []
    for pid in os.listdir("/proc"):
        try:
            with open("/proc/%d/stat" % int(pid)) as f:
                fields = f.read().rsplit(")", 1)[1].split()
            if int(fields[1]) != os.getpid() or int(pid) in known:
                continue
            if fields[0] == "Z":
                os.waitpid(int(pid), os.WNOHANG)
            else:
                left.append(int(pid))
        except (ValueError, OSError):
            continue
    return left


def main():
    failed = False
    with tempfile.TemporaryDirectory() as top:
        world = World(top)
        others = {}
        atexit.register(lambda: [p.kill() for p in others.values()])
        for engine in "direct", "ptrace":
            with open(os.path.join(top, "log-" + engine), "w") as log:
                others[engine] = subprocess.Popen(
                    [OTHERS, "run", "--engine=" + engine, os.path.join(GUESTS, "forever.elf"),
                     "programs"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        world.before = world.look()
        known = [p.pid for p in others.values()]
        for attack in ATTACKS:
            counts = collections.Counter()
            wrongs = []
            begun = False
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                runs = [(seed, pool.submit(run, world, attack, seed))
                        for seed in range(FIRST, FIRST + RUNS)]
                for seed, r in runs:
                    status, wrong, one_begun = r.result()
                    begun |= one_begun
                    counts[status] += 1
                    wrongs += ["seed %d: %s" % (seed, w) for w in wrong]
            if not begun:
                wrongs.append("no run began")
            until = time.monotonic() + 5
            while left_over(known) and time.monotonic() < until:
                time.sleep(0.02)
            wrongs += world.wrong()
            wrongs += ["process %d is left" % pid for pid in left_over(known)]
            for engine, p in others.items():
                if p.poll() is not None:
                    wrongs.append("the other guest ended, on " + engine)
            print("%s: %s" % (attack, ", ".join("%d with status %d" % (n, s)
                                               for s, n in sorted(counts.items()))))
            for w in wrongs:
                print("!", attack, w)
            sys.stdout.flush()
            failed |= bool(wrongs)
        for engine, p in others.items():
            log = os.path.join(top, "log-" + engine)
            size = os.path.getsize(log)
            until = time.monotonic() + 10
            while os.path.getsize(log) == size and time.monotonic() < until:
                time.sleep(0.05)
            if os.path.getsize(log) == size:
                print("! the other guest stands still, on", engine)
                failed = True
            p.terminate()
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                print("! the other guest does not end, on", engine)
                failed = True
                p.kill()
                p.wait()
            with open(log) as f:
                odd = set(f.read().split("\n")[1:-1]) - {"a hundred programs"}
            if odd - {""}:
                print("! the other guest says", odd)
                failed = True
    sys.exit(failed)


main()
