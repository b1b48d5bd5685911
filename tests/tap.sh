# SPDX-License-Identifier: GPL-2.0-or-later
#
# Shell tests in TAP.  A test sources this file, uses the functions below and
# ends with `done_testing`.  It finds
#
#	$UML_HOST	the program under test
#	$GUESTS		the directory of the guest programs
#	$SRC		the top of the source tree
#	$TMP		a directory of its own, removed at the end
#
# Every test also checks, at the end, that it left no process behind.

UML_HOST=$PWD/uml-host/uml-host
GUESTS=$PWD/guest-rt
SRC=$(cd "${srcdir:-.}" && pwd)
TMP=$(mktemp -d "${TMPDIR:-/tmp}/uml-host-test.XXXXXX")
trap 'rm -rf "$TMP"' EXIT
tap_n=0
# By this a supervisor knows its test; a stub has an empty environment.
export UML_HOST_TEST=$$
# Both engines are tested whatever this host's default is: tests/direct is the other half.
export UML_HOST_ENGINE="${UML_HOST_ENGINE:-ptrace}"

ok() { tap_n=$((tap_n + 1)); printf 'ok %d - %s\n' "$tap_n" "$1"; }

# not_ok NAME [DETAIL...]
not_ok() {
	tap_n=$((tap_n + 1))
	printf 'not ok %d - %s\n' "$tap_n" "$1"
	shift
	[ $# = 0 ] || printf '%s\n' "$@" | head -n 60 | sed 's/^/# /'
}

# skip NAME REASON
skip() { tap_n=$((tap_n + 1)); printf 'ok %d - %s # SKIP %s\n' "$tap_n" "$1" "$2"; }

# is GOT WANTED NAME
is() {
	if [ "$1" = "$2" ]; then
		ok "$3"
	else
		not_ok "$3" "got:    $1" "wanted: $2"
	fi
}

# like GOT EXTENDED-REGEX NAME: some line matches
like() {
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		ok "$3"
	else
		not_ok "$3" "no line matches: $2" "$1"
	fi
}

# unlike GOT EXTENDED-REGEX NAME: no line matches
unlike() {
	if printf '%s\n' "$1" | grep -Eq -- "$2"; then
		not_ok "$3" "a line matches: $2" "$1"
	else
		ok "$3"
	fi
}

# run COMMAND...: sets $status, $out (stdout) and $err (stderr)
run() {
	status=0
	"$@" >"$TMP/out" 2>"$TMP/err" </dev/null || status=$?
	out=$(cat "$TMP/out")
	err=$(cat "$TMP/err")
}

# refused STATUS REGEX NAME COMMAND...: exits so, with one line on stderr
refused() {
	refused_status=$1 refused_regex=$2 refused_name=$3
	shift 3
	run "$@"
	if [ "$status" = "$refused_status" ] && [ "$(wc -l <"$TMP/err")" = 1 ] &&
	   printf '%s\n' "$err" | grep -Eq -- "$refused_regex"; then
		ok "$refused_name"
	else
		not_ok "$refused_name" "status $status, wanted $refused_status" \
			"stderr: $err" "wanted one line like: $refused_regex"
	fi
}

# wait_for SECONDS COMMAND...: until it succeeds; false if it never does
wait_for() {
	wait_deadline=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$wait_deadline" ] || return 1
		sleep 0.02
	done
}

# Processes that run a program whose path matches GLOB, by id, one a line.  A
# stub runs from memory: its path is /memfd:uml-host-stub.
running() {
	find /proc/[0-9]*/exe -maxdepth 0 -lname "$1" 2>/dev/null | cut -d / -f 3
}

# Processes of guests without a supervisor, whoever started them: stubs that nobody
# traces, vCPU processes, views and mappers whose parent is none of ours.
orphans() {
	for orphan_pid in $(running '/memfd:uml-host-v*'); do
		orphan_parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$orphan_pid/status" 2>/dev/null)
		case $(readlink "/proc/${orphan_parent:-0}/exe" 2>/dev/null) in
		*/uml-host*|/memfd:uml-host-v*) ;;
		*) [ -z "$orphan_parent" ] || echo "$orphan_pid" ;;
		esac
	done
	for orphan_pid in $(running '/memfd:uml-host-stub*'); do
		grep -q '^TracerPid:[[:space:]]*0$' "/proc/$orphan_pid/status" 2>/dev/null &&
			echo "$orphan_pid"
	done
}

# What this test left running: its supervisors, which carry UML_HOST_TEST in
# their environment, and stubs orphaned since it began.
left_running() {
	for left_pid in $(running '*/uml-host*'); do
		tr '\0' '\n' <"/proc/$left_pid/environ" 2>/dev/null |
			grep -qx "UML_HOST_TEST=$$" && echo "$left_pid"
	done
	for left_pid in $(orphans); do
		case " $orphans_before " in
		*" $left_pid "*) ;;
		*) echo "$left_pid" ;;
		esac
	done
}
nothing_left() { [ -z "$(left_running)" ]; }

# Is this, or is it simulated to be, a host that swallows vmcall?
vmcall_is_swallowed() {
	case ${UML_HOST_SIMULATE_VMCALL:-host} in
	silent) true ;;
	host) "$UML_HOST" check | grep -q '^vmcall .*swallowed' ;;
	*) false ;;
	esac
}

done_testing() {
	# The kernel may need a moment to take a killed process down.
	if wait_for "${left_seconds:-5}" nothing_left; then
		ok 'no uml-host and no stub is left running'
	else
		not_ok 'no uml-host and no stub is left running' "processes $(left_running | tr '\n' ' ')"
	fi
	printf '1..%d\n' "$tap_n"
}

orphans_before=$(orphans | tr '\n' ' ')
