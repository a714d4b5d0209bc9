#!/usr/bin/env bash
# Builds evodb-VERSION-linux-ARCH.tar.gz: the program with the Swift runtime, SQLite, OpenBLAS and the C++ runtime linked in, so that
# it needs the C library and nothing else; with manual pages, completions and the licences of what is linked in.
#
#   Packaging/dist.sh [FOLDER]                 of the last commit, into FOLDER (dist)
#   DIST_SYSROOT=ROOT Packaging/dist.sh        linked against the C library in ROOT, so that it runs where that one or a newer one is
#                                              (Packaging/sysroot.sh makes such a root)
#
# No path, time, user or order of files gets into the archive, so that the same commit and tools give the same bytes. Swift writes
# lengths of paths and hashes of its command lines into objects, whatever is mapped, so everybody builds at one place; and where
# its optimizer goes by addresses of its own memory, it exchanges instructions unless those are the same every time.
set -euo pipefail
readonly place=/tmp/evodb-dist
repository=$(cd "$(dirname "$0")/.." && pwd)
sysroot=${DIST_SYSROOT:+$(realpath -m "$DIST_SYSROOT")}
output=$(realpath -m "${1:-$repository/dist}")
readonly repository sysroot output
readonly build=$place/build
export LC_ALL=C TZ=UTC
umask 022

say() { printf 'dist: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

[[ $(uname -s) == Linux ]] || fail "releases are made on Linux; elsewhere: make build"
for tool in git swift clang tar gzip strip objdump readelf sha256sum; do
  command -v "$tool" >/dev/null || fail "$tool is missing (Debian and Ubuntu: apt-get install git binutils tar gzip coreutils)"
done
[[ -z $sysroot || -e $sysroot/lib/$(uname -m)-linux-gnu/libc.so.6 ]] ||
  fail "DIST_SYSROOT must be a Debian root; there is no C library in $sysroot (Packaging/sysroot.sh makes one)"

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repository" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
[[ -z $(git -C "$repository" status --porcelain --untracked-files=no) ]] ||
  say "changes of the working copy that are in no commit are left out"
mkdir -m 700 "$place" 2>/dev/null ||
  fail "$place is there: another release is being made, or the making of one was killed; then remove that folder"
trap 'rm -rf "$place"' EXIT
mkdir "$place/evodb"
git -C "$repository" archive HEAD | tar --extract --directory "$place/evodb"
cd "$place/evodb"
version=$(sed -n 's/.*static let version = "\(.*\)".*/\1/p' Sources/evodb/Commands/Evodb.swift)
readonly version
name=evodb-$version-linux-$(uname -m)
readonly name

# A folder with nothing but archives stands first in the linker's path: it takes a shared library only where there is no archive.
archive() {
  local file=$1 package=$2 found folder
  for folder in "${archive_folders[@]}"; do
    found=$folder/$file
    [[ -e $found ]] && break
  done
  [[ -e $found ]] || fail "$file is missing (Debian and Ubuntu: apt-get install $package)"
  cp -L "$found" "$build/archives/$file"
}

gcc_folder() { dirname "$(clang --print-libgcc-file-name --rtlib=libgcc 2>/dev/null || gcc --print-libgcc-file-name)"; }

mkdir -p "$build/archives"
archive_folders=("/usr/lib/$(uname -m)-linux-gnu" /usr/lib64 /usr/lib "$(gcc_folder)")
readonly archive_folders
archive libsqlite3.a libsqlite3-dev
archive libopenblas.a libopenblas-pthread-dev
archive libstdc++.a libstdc++-12-dev

same_addresses=()
if setarch --addr-no-randomize true 2>/dev/null; then
  same_addresses=(setarch --addr-no-randomize)
else
  say "addresses cannot be fixed here (setarch), so that another build may differ in the order of some instructions"
fi
"${same_addresses[@]}" swift build -c release --product evodb --static-swift-stdlib -debug-info-format none --scratch-path "$build/swift" \
  -Xswiftc -file-prefix-map -Xswiftc "$PWD=evodb" -Xcc "-ffile-prefix-map=$PWD=evodb" -Xlinker "-L$build/archives" >&2

# The objects once more, against the chosen C library. A newer one than that at run time is fine, an older one is not.
objects=$build/swift/release/evodb.product/Objects.LinkFileList
[[ -s $objects ]] || fail "the build left no list of objects in $objects"
# SwiftPM compiles the entry point under another name, so that tests can link the program.
link=(-emit-executable -static-stdlib -Xclang-linker -static-libgcc "-L$build/archives" -lstdc++ -Xlinker --build-id=none -Xlinker --gc-sections
  -Xlinker --defsym=main=evodb_main)
if [[ -n $sysroot ]]; then
  link+=(-Xclang-linker "--sysroot=$sysroot" -Xclang-linker "--gcc-toolchain=$sysroot/usr")
  if ! objdump -T "$sysroot/lib/$(uname -m)-linux-gnu/libc.so.6" | grep -q __libc_single_threaded; then
    clang -c -O2 Packaging/single_threaded.c -o "$build/single_threaded.o"
    link+=("$build/single_threaded.o")
  fi
fi
swiftc "${link[@]}" "@$objects" -o "$build/evodb"

stage=$build/stage/$name
rm -rf "$build/stage"
mkdir -p "$stage"/{bin,share/man/man1,share/bash-completion/completions,share/zsh/site-functions,share/fish/vendor_completions.d}
mkdir -p "$stage/share/doc/evodb/licenses"
strip --strip-all -o "$stage/bin/evodb" "$build/evodb"
readonly evodb=$stage/bin/evodb

# What it needs, measured from the file itself.
needed=$(readelf -d "$evodb" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort)
for library in $needed; do
  case $library in
    libc.so.6 | libm.so.6 | libpthread.so.0 | libdl.so.2 | librt.so.1 | libutil.so.1 | ld-linux*.so.*) ;;
    *) fail "the program needs $library, which is no part of the C library" ;;
  esac
done
glibc=$(objdump -T "$evodb" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -n 1)
readonly glibc
say "needs glibc $glibc or later, and: ${needed//$'\n'/, }"

for page in '' $("$evodb" help --candidates fish '' | cut -f 1 | grep -v '^help$'); do
  # shellcheck disable=SC2086 # No word for the page of the program itself.
  "$evodb" help --man $page | gzip -n -9 >"$stage/share/man/man1/evodb${page:+-$page}.1.gz"
done
"$evodb" help --completion bash >"$stage/share/bash-completion/completions/evodb"
"$evodb" help --completion zsh >"$stage/share/zsh/site-functions/_evodb"
"$evodb" help --completion fish >"$stage/share/fish/vendor_completions.d/evodb.fish"

# Licences: evodb's, and of everything that is linked in.
licenses=$stage/share/doc/evodb/licenses
swift_root=$(dirname "$(dirname "$(readlink -f "$(command -v swift)")")")
cp LICENSE "$stage/share/doc/evodb/LICENSE"
cp Packaging/licenses/SQLite.txt Packaging/licenses/Unicode-3.0.txt "$licenses"
cp "$swift_root/share/swift/LICENSE.txt" "$licenses/Swift.txt" || fail "the toolchain has no licence text in $swift_root/share/swift"
first_of() {
  local target=$1 file
  shift
  for file in "$@"; do
    [[ -e $file ]] && cp -L "$file" "$licenses/$target" && return
  done
  fail "no licence text for $target: none of $*"
}
first_of OpenBLAS.txt /usr/share/doc/libopenblas-dev/copyright /usr/share/doc/libopenblas-pthread-dev/copyright
first_of GCC-runtime.txt /usr/share/doc/libstdc++-1?-dev/copyright /usr/share/doc/libgcc-s1/copyright
first_of GPL-3.txt /usr/share/common-licenses/GPL-3

cat >"$stage/share/doc/evodb/README.txt" <<TEXT
evodb $version for Linux on $(uname -m)

It needs glibc $glibc or later (measured from the program) and nothing else.

Install:  cp -r bin share /usr/local        or, for one user:  cp -r bin share ~/.local
Then:     evodb help, man evodb

evodb is under the Apache License 2.0 (LICENSE). Linked in, with their licences in licenses/: the Swift runtime and Foundation
(Apache License 2.0 with Runtime Library Exception: Swift.txt) with ICU and the data of Unicode (Unicode-3.0.txt), OpenBLAS
(BSD: OpenBLAS.txt), SQLite (public domain: SQLite.txt), the runtimes of GCC (GPL 3 with GCC Runtime Library Exception:
GCC-runtime.txt, GPL-3.txt). SHA256SUMS holds the checksums of all files: sha256sum -c SHA256SUMS
TEXT
printf '%s\n' "$glibc" >"$stage/share/doc/evodb/minimum-glibc"
(cd "$stage" && find . -type f ! -name SHA256SUMS -print0 | sort -z | xargs -0 sha256sum >SHA256SUMS)
find "$stage" -type d -exec chmod 755 {} + -o -type f -exec chmod 644 {} +
chmod 755 "$evodb"

mkdir -p "$output"
tar --create --format=ustar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
  --directory "$build/stage" "$name" | gzip -n -9 >"$output/$name.tar.gz.new"
mv "$output/$name.tar.gz.new" "$output/$name.tar.gz"
(cd "$output" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
say "$output/$name.tar.gz, $(stat -c %s "$output/$name.tar.gz") bytes, for glibc $glibc or later"
