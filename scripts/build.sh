# SPDX-License-Identifier: GPL-2.0-or-later
#
# What demo and test have in common: bootstrap, configure, make.  Sourced, from
# the top of the tree.
scripts/bootstrap
if [ ! -e config.status ] || [ configure -nt config.status ]; then
	printf 'build: configuring\n'
	./configure -q
fi
printf 'build: compiling\n'
make -s -j"$(nproc)"
