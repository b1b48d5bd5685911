# SPDX-License-Identifier: GPL-2.0-or-later
# Holds a file of --format=chrome against the rules of the Trace Event format, as
# its documentation has them and Perfetto reads it; names that must occur follow.
import json, sys
events = json.load(open(sys.argv[1]))
assert isinstance(events, list) and len(events) > 10
tracks, names, counters, phases = {}, set(), {}, set()
for e in events:
    phases.add(e["ph"])
    assert isinstance(e["name"], str) and e["name"]
    assert isinstance(e["pid"], int) and isinstance(e["tid"], int)
    if e["ph"] == "M":
        assert e["name"] in ("process_name", "process_labels", "thread_name")
        assert isinstance(e["args"]["labels" if e["name"] == "process_labels" else "name"], str)
        continue
    assert isinstance(e["ts"], (int, float)) and e["ts"] >= 0
    if e["ph"] == "X":
        assert isinstance(e["dur"], (int, float)) and e["dur"] >= 0
        assert isinstance(e["cat"], str) and isinstance(e["args"], dict)
        tracks.setdefault((e["pid"], e["tid"]), []).append((e["ts"], e["ts"] + e["dur"], e["name"]))
        names.add(e["name"])
    elif e["ph"] == "C":
        assert all(isinstance(v, (int, float)) for v in e["args"].values()) and e["args"]
        counters.setdefault(e["name"], []).append(e["ts"])
    elif e["ph"] == "i":
        assert e["s"] in ("g", "p", "t")
    else:
        sys.exit("unknown phase %r" % e)
# Slices of one track follow or contain each other; to the nanosecond of rounding.
for track in tracks.values():
    open_until = []
    for begin, end, name in sorted(track, key=lambda s: (s[0], -s[1])):
        while open_until and open_until[-1] <= begin + 0.0015:
            open_until.pop()
        assert not open_until or end <= open_until[-1] + 0.0015, (begin, end, name, open_until)
        open_until.append(end)
assert len(tracks) == 3, tracks.keys()
assert {"async ring", "shadow pages"} == set(counters)
for wanted in sys.argv[2:]:
    assert wanted in names, (wanted, names)
