# SPDX-License-Identifier: GPL-2.0-or-later
#
# What demo and test have in common: bootstrap, configure, make.  Sourced, from
# the top of the tree.
# Its status is that of the first step that fails; nothing after it is tried.
build() {
	scripts/bootstrap || return
	if [ ! -e config.status ] || [ configure -nt config.status ]; then
		printf 'build: configuring\n'
		./configure -q || return
	fi
	printf 'build: compiling\n'
	make -s -j"$(nproc)"
}
build
