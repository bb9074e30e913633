#!/usr/bin/env bash
# fuzz.sh PATTERN TIME: runs each fuzz target whose name matches, one after the other, for that long.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pattern=${1:-.} time=${2:-30s} ran=0 failed=()

while IFS=: read -r file name; do
  [[ $name =~ $pattern ]] || continue
  echo "==> $name (${file%/*}) for $time"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 10x "./${file%/*}" </dev/null || failed+=("$name")
  ran=$((ran + 1))
done < <(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' cmd web views models jobs static internal 2>/dev/null | sed 's/:func /:/' | sort)

if [ ${#failed[@]} -gt 0 ]; then
  echo "Failed: ${failed[*]}. The input that did it is under testdata/fuzz: commit it with the repair." >&2
  exit 1
fi
if [ "$ran" = 0 ]; then
  echo "No fuzz target matches '$pattern'." >&2
  [ "$pattern" = . ] || exit 1
fi
