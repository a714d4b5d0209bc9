#!/usr/bin/env bash
# Makes a Debian 11 root with glibc 2.31, for DIST_SYSROOT of dist.sh: Packaging/sysroot.sh FOLDER
# As root, with debootstrap (apt-get install debootstrap). The folder takes 250 MB.
set -euo pipefail

[[ $# -eq 1 ]] || { printf 'usage: %s FOLDER\n' "$0" >&2; exit 64; }
[[ ! -e $1 ]] || { printf 'sysroot: %s exists already\n' "$1" >&2; exit 73; }
[[ $(id -u) -eq 0 ]] || { printf 'sysroot: debootstrap needs root\n' >&2; exit 77; }
command -v debootstrap >/dev/null || { printf 'sysroot: apt-get install debootstrap\n' >&2; exit 69; }

# libc6-dev is the C library to link against; libgcc-10-dev has crtbegin.o and libgcc.
debootstrap --variant=minbase --include=libc6-dev,libgcc-10-dev bullseye "$1" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >&2

# Links to absolute paths would lead out of the root.
find "$1/usr/lib" "$1/usr/lib64" -type l -lname '/*' 2>/dev/null | while read -r link; do
  target=$(readlink "$link")
  [[ ! -e $1$target ]] || ln -sfr "$1$target" "$link"
done
