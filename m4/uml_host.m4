# SPDX-License-Identifier: GPL-2.0-or-later
# UML_HOST_NEED(VARIABLE-PREFIX, PKG-CONFIG-MODULE, DEBIAN-PACKAGE)
# Looks for a library and, if there is none, adds a line to $missing.
AC_DEFUN([UML_HOST_NEED], [
PKG_CHECK_MODULES([$1], [$2], [], [missing="$missing
  $2: $3"])
])
