#!/usr/bin/env bash
# Makes sure that Swift 6, pkg-config, SQLite and OpenBLAS are there; installs the last three with the system's package
# manager if they are not. Quiet when nothing is missing. With the word `swift`: looks for Swift only, and installs nothing.
set -euo pipefail

# SQLite's floor is what the SQL of the catalog needs (STRICT tables came with 3.37).
readonly SQLITE_MINIMUM=3.37

say() { printf 'install-dependencies: %s\n' "$*" >&2; }

fail() {
  say "$@"
  exit 1
}

# Exactly what to type, for a machine without Swift. The packages are those that Swift's own instructions name.
how_to_install_swift() {
  say "$1"
  case $(uname -s) in
    Darwin)
      say "install Xcode 16 or later from the App Store, or its command line tools: xcode-select --install"
      ;;
    Linux)
      local architecture
      architecture=$(uname -m)
      say "install it for your user with swiftly, Swift's installer, and open a new shell:"
      if command -v apt-get >/dev/null; then
        say "  sudo apt-get install curl ca-certificates gnupg git make binutils libc6-dev g++ libcurl4-openssl-dev libxml2-dev tzdata"
      elif command -v dnf >/dev/null; then
        say "  sudo dnf install curl gnupg2 git make binutils gcc-c++ glibc-devel libcurl-devel libxml2-devel tzdata"
      fi
      say "  curl -O https://download.swift.org/swiftly/linux/swiftly-$architecture.tar.gz"
      say "  tar zxf swiftly-$architecture.tar.gz && ./swiftly init"
      say "or unpack a toolchain from https://swift.org/install and put its usr/bin on the PATH"
      say "a release evodb-VERSION-linux-$architecture.tar.gz needs no Swift (docs/install.md); the demo without make is then:"
      say "  evodb auto Examples/prose-10m --text Examples/prose-10m/calibration.txt --target-bits 3 --catalog demo.evodb"
      ;;
    *) say "see https://swift.org/install" ;;
  esac
  exit 1
}

check_swift() {
  command -v swift >/dev/null || how_to_install_swift "there is no Swift on the PATH; evodb is built with Swift 6 or later"
  local version major
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
  major=${version%%.*}
  [[ -n $major ]] || fail "'swift --version' does not tell a version; is the toolchain complete?"
  ((major >= 6)) || how_to_install_swift "Swift $version is too old; evodb is built with Swift 6 or later"
}

libraries_present() {
  command -v pkg-config >/dev/null && pkg-config --exists "sqlite3 >= $SQLITE_MINIMUM" openblas
}

missing() {
  local names=()
  if command -v pkg-config >/dev/null; then
    pkg-config --exists "sqlite3 >= $SQLITE_MINIMUM" || names+=("SQLite $SQLITE_MINIMUM or later")
    pkg-config --exists openblas || names+=(OpenBLAS)
  else
    names=(pkg-config SQLite OpenBLAS)
  fi
  local list
  list=$(printf ', %s' "${names[@]}")
  printf '%s' "${list#, }"
}

install_with_apt() {
  local packages=(libsqlite3-dev libopenblas-dev pkg-config) as_root=()
  local by_hand="apt-get install ${packages[*]}"
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null || fail "missing: $(missing); run as root: $by_hand"
    # Without a terminal sudo could only wait for a password that nobody types.
    if [[ -t 0 ]]; then as_root=(sudo); else as_root=(sudo --non-interactive); fi
  fi
  # Lines that would be noise when all goes well are shown when it does not.
  local log
  log=$(mktemp)
  if ! {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
  } </dev/null >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "could not install; run as root: $by_hand"
  fi
  rm -f "$log"
}

# Homebrew keeps both libraries out of the default search paths, because macOS has versions of its own.
use_brew() {
  command -v brew >/dev/null || fail "missing: $(missing); install Homebrew (https://brew.sh), then: brew install sqlite openblas pkg-config"
  brew install --quiet sqlite openblas pkg-config
  local path
  path="$(brew --prefix sqlite)/lib/pkgconfig:$(brew --prefix openblas)/lib/pkgconfig"
  PKG_CONFIG_PATH="$path${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
  export PKG_CONFIG_PATH
  libraries_present && fail "installed; now tell SwiftPM where they are and run make again: export PKG_CONFIG_PATH=$path"
  return 0
}

main() {
  check_swift
  [[ ${1:-} != swift ]] || return 0
  libraries_present && return
  say "missing: $(missing); installing"
  if command -v apt-get >/dev/null; then
    install_with_apt
  elif [[ $(uname -s) == Darwin ]]; then
    use_brew
  else
    fail "missing: $(missing); install them with this system's package manager (development files included)"
  fi
  libraries_present || fail "still missing after the installation: $(missing)"
  say "installed"
}

main "$@"
