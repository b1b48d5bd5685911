# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of uml-host's command line for bash.  Options are those of --help,
# so that they cannot differ; what their values are is checked by tests/cli/
# completion.test against the same tables.

# The options of a subcommand, one a word; those with a long name and a value
# end in "=".
_uml_host_options() {
	"$1" "$2" --help 2>/dev/null | sed -n 's/^  \(-.*\)/\1/p' | sed 's/  .*//' |
		grep -oE '(^|, )--?[A-Za-z][-a-z]*=?' | sed 's/^, //'
	[ "$2" != trace ] || _uml_host_options "$1" run
}

_uml_host_calls='CRASH FLUSH_ASYNC FLUSH_TLB HALT LGUEST_INIT LOAD_GDT LOAD_GDT_ENTRY
	LOAD_IDT_ENTRY LOAD_TLS NEW_PGTABLE NOTIFY SEND_INTERRUPTS SET_CLOCKEVENT SET_PGD
	SET_PMD SET_PTE SET_STACK SHUTDOWN TS'
_uml_host_classes='%control %memory %segment %interrupt %time %device %async %trap %irq'
_uml_host_columns='time total-time min-time median-time p99-time max-time avg-time calls killed name'

# The words a value can be; "FILE" where it is one; empty where anything goes.
_uml_host_values() {
	case $1 in
	-e | --inject) echo $_uml_host_calls $_uml_host_classes all none trace= trap= raw= \
		verbose= abbrev= quiet= status= ;;
	-S) echo time calls killed name nothing min-time max-time avg-time median-time p99-time ;;
	-U) echo $_uml_host_columns ;;
	-X) echo abbrev raw verbose ;;
	--format) [ "$2" = bench ] && echo text json || echo text json chrome ;;
	--color) echo auto always never ;;
	--clock) echo host guest ;;
	--rewrite) echo patch all emulate eager ;;
	--gdb) echo unix: tcp: ;;
	--simulate-vmcall) echo host sigill sigsegv silent ;;
	--abi) echo auto Z "Z'" A S B C D E F ;;
	--cpu) echo auto none ;;
	--engine) echo ptrace direct ;;
	--isolation) echo full none ;;
	-o | --output | --symbols | --initrd | --block) echo FILE ;;
	esac
}

_uml_host() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} sub values
	COMPREPLY=()
	if [ "$COMP_CWORD" -le 1 ]; then
		COMPREPLY=($(compgen -W 'run trace show bench check --help --version' -- "$cur"))
		return
	fi
	sub=${COMP_WORDS[1]}
	# bash makes a word of the "=".
	if [ "$cur" = = ]; then
		cur=
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD-2]}
	fi
	values=$(_uml_host_values "$prev" "$sub")
	if [ "$values" != FILE ] && [ -n "$values" ]; then
		COMPREPLY=($(compgen -W "$values" -- "$cur"))
	elif [ -z "$values" ] && [ "${cur#-}" != "$cur" ]; then
		COMPREPLY=($(compgen -W "$(_uml_host_options "${COMP_WORDS[0]}" "$sub")" -- "$cur"))
		[ "${COMPREPLY[0]%=}" = "${COMPREPLY[0]}" ] || compopt -o nospace 2>/dev/null
	else
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}

complete -o filenames -F _uml_host uml-host
