#!/usr/bin/env bash
# Holds every `import` in Sources/ against the table in ARCHITECTURE.md between the marks <!-- imports --> and
# <!-- /imports -->: a row allows one or more modules (first cell) in one or more folders (second cell), named in
# backticks; `Sources` allows a module everywhere. `Module.Name` allows `import struct Module.Name` alone, which lets a
# file see that one type. Prints every import that no row allows, and every row that no import needs is fine.
# Exit codes: 0 all allowed, 1 some not, 2 no table.
set -euo pipefail
cd "$(dirname "$0")/.."

[[ -f ARCHITECTURE.md ]] || {
  echo "check-imports: no ARCHITECTURE.md" >&2
  exit 2
}

find Sources -name '*.swift' -print | LC_ALL=C sort | awk '
  # The names in backticks of one table cell.
  function names(cell, list,    parts, count, i, found) {
    count = split(cell, parts, "`")
    found = 0
    for (i = 2; i <= count; i += 2) list[++found] = parts[i]
    return found
  }

  function read_table(    line, inside, cells, modules, folders, m, f, i, j) {
    while ((getline line < "ARCHITECTURE.md") > 0) {
      if (line ~ /<!-- imports -->/) inside = 1
      else if (line ~ /<!-- \/imports -->/) inside = 0
      else if (inside && line ~ /^\|.*`/) {
        split(line, cells, "|")
        m = names(cells[2], modules)
        f = names(cells[3], folders)
        for (i = 1; i <= m; i++)
          for (j = 1; j <= f; j++) { allowed[modules[i]] = allowed[modules[i]] folders[j] "\n"; rows++ }
      }
    }
    close("ARCHITECTURE.md")
  }

  function is_allowed(module, file,    folders, count, i) {
    count = split(allowed[module], folders, "\n")
    for (i = 1; i < count; i++) if (index(file, folders[i] "/") == 1) return 1
    return 0
  }

  BEGIN {
    read_table()
    if (!rows) {
      print "check-imports: ARCHITECTURE.md has no rows between <!-- imports --> and <!-- /imports -->" > "/dev/stderr"
      exit status = 2
    }
  }

  {
    file = $0
    number = 0
    while ((getline line < file) > 0) {
      number++
      # Attributes and access levels may stand before the word, a kind (`import struct Foundation.Data`) after it.
      if (line !~ /^[ \t]*((@[A-Za-z_]+(\([A-Za-z_]*\))?|public|package|internal|fileprivate|private)[ \t]+)*import[ \t]/)
        continue
      sub(/^.*import[ \t]+((struct|class|enum|protocol|typealias|func|let|var)[ \t]+)?/, "", line)
      sub(/[^A-Za-z0-9_.].*$/, "", line)
      checked++
      module = line
      sub(/[.].*$/, "", module)
      if (!is_allowed(line, file) && !is_allowed(module, file)) {
        where = allowed[line]
        gsub(/\n/, " ", where)
        printf "%s:%d: import %s is not allowed here; allowed in: %s\n", file, number, line, where ? where : "no folder "
        status = 1
      }
    }
    close(file)
  }

  END {
    if (status == 2) exit 2
    if (status) print "check-imports: the table stands in ARCHITECTURE.md" > "/dev/stderr"
    else printf "check-imports: %d imports, all allowed\n", checked
    exit status
  }'
