#!/usr/bin/env bash
# figures.sh check: the README's table of speed has the rows that docs/benchmarks.md has.
# figures.sh write [FILE]: puts a run of `make bench` into docs/benchmarks.md, and its rows into the README.
# figures.sh journal FILE: puts what `make bench` found out about journals into docs/benchmarks.md.
# The tables stand between the lines <!-- figures --> and <!-- end of figures -->, those about journals between such lines with "journal figures".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
docs=docs/benchmarks.md readme=README.md
fresh=$(mktemp "${TMPDIR:-/tmp}/rekindle-figures.XXXXXX")
trap 'rm -f "$fresh"' EXIT

# between FILE: what stands between the two lines.
between() { awk '/^<!-- end of figures -->$/ {inside = 0} inside; /^<!-- figures -->$/ {inside = 1}' "$1"; }

# replaced FILE NEW [WHICH]: FILE with NEW between the two lines.
replaced() {
  awk -v new="$2" -v which="${3:-figures}" '$0 == "<!-- end of " which " -->" {inside = 0} !inside; $0 == "<!-- " which " -->" {inside = 1; while ((getline line < new) > 0) print line}' "$1"
}

# rows: the README's table with each row as docs has it, found by its first cell; of several the first.
rows() {
  awk -F'|' -v readme="$readme" '
    NR == FNR {if (/^\|/ && !($2 in row)) row[$2] = $0; next}
    !/^\|/ {print; next}
    $2 in row {print row[$2]; n++; next}
    {print readme " has a row that docs/benchmarks.md has not:" $2 > "/dev/stderr"; failed = 1}
    END {if (n < 3) {print "The table of figures in " readme " is gone." > "/dev/stderr"; failed = 1}; exit failed}
  ' <(between "$docs") <(between "$readme")
}

case ${1:-} in
check)
  rows >"$fresh"
  if ! diff <(between "$readme") "$fresh" >&2; then
    echo "The README's figures are not those of $docs: run 'bash tools/figures.sh write'." >&2
    exit 1
  fi
  ;;
write)
  if [ -n "${2:-}" ]; then
    replaced "$docs" "$2" >"$fresh"
    cp "$fresh" "$docs"
  fi
  table=$(rows)
  replaced "$readme" <(printf '%s\n' "$table") >"$fresh"
  cp "$fresh" "$readme"
  ;;
journal)
  replaced "$docs" "$2" 'journal figures' >"$fresh"
  cp "$fresh" "$docs"
  ;;
*)
  sed -n '2,5s/^# //p' "$0" >&2
  exit 2
  ;;
esac
