#!/usr/bin/env bash
# Holds a release against a bare system: Packaging/check-dist.sh TARBALL [ROOT]
#
# Checksums, manual pages, what `ldd` lists, and a whole search: in ROOT, a Debian root without anything else (debootstrap
# --variant=minbase; needs the right to chroot), or without ROOT here.
set -euo pipefail

[[ $# -ge 1 && $# -le 2 && -f $1 && -d ${2:-/} ]] || { printf 'usage: %s TARBALL [ROOT]\n' "$0" >&2; exit 64; }
tarball=$(readlink -f "$1")
root=${2:+$(readlink -f "$2")}
cd "$(dirname "$0")/.."
(cd "$(dirname "$tarball")" && sha256sum --quiet -c "$(basename "$tarball").sha256")

folder=$(mktemp -d "$root/tmp/check-dist.XXXXXX")
mounted=
end() {
  [[ -z $mounted ]] || umount "$root/proc"
  rm -rf "$folder"
}
trap end EXIT
# A running system has /proc, a root that debootstrap made has not.
if [[ -n $root && ! -e $root/proc/self ]]; then
  mount -t proc proc "$root/proc"
  mounted=yes
fi
tar --extract --gzip --file "$tarball" --directory "$folder" --strip-components=1
(cd "$folder" && sha256sum --quiet -c SHA256SUMS)
for page in "$folder"/share/man/man1/*.gz; do gzip -t "$page"; done
cp -r Examples/prose-10m "$folder/model"

check() {
  if [[ -n $root ]]; then
    chroot "$root" /bin/sh -ec "cd ${folder#"$root"}; $1"
  else
    (cd "$folder" && sh -ec "$1")
  fi
}

listed=$(check 'ldd bin/evodb')
foreign=$(grep -vE 'linux-vdso|lib(c|m)\.so\.6|lib(pthread|dl|rt|util)\.so|ld-linux' <<<"$listed" || true)
[[ -z $foreign ]] || { printf 'check-dist: more than the C library is needed:\n%s\n' "$foreign" >&2; exit 1; }
check '
  bin/evodb --version
  bin/evodb init c.evodb
  bin/evodb import c.evodb model >import.txt
  bin/evodb data c.evodb cal model/calibration.txt --tokens 2048 >data.txt
  bin/evodb build c.evodb --method rtn --bits 2-4 --data cal --quiet >build.txt
  bin/evodb search c.evodb --target-bits 3 --method rtn --data cal --generations 1 --offspring 4 --survivors 1 --tokens 512 --quiet
  bin/evodb report c.evodb -o report.html
  bin/evodb verify c.evodb'
printf 'check-dist: %s works %s\n' "$(basename "$tarball")" "${root:+in $root}"
