#!/usr/bin/env bash
# Fails when `templ generate` would change, add or leave behind a *_templ.go. Generates beside the checkout and
# compares, so it changes nothing and does not care about other uncommitted work.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

list() { find . -name "$1" -not -path './.*' -not -path './bin/*' -not -path './data/*' -not -path '*/testdata/*' | sort; }

fresh=$(mktemp -d "${TMPDIR:-/tmp}/rekindle-templ.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
cp go.mod go.sum "$fresh/"
while IFS= read -r file; do
  mkdir -p "$fresh/$(dirname "$file")"
  cp "$file" "$fresh/$file"
done < <(list '*.templ')

generator=$(go tool -modfile=tools/go.mod templ version)
library=$(go list -m -f '{{.Version}}' github.com/a-h/templ 2>/dev/null || true)
if [ -n "$library" ] && [ "$generator" != "$library" ]; then
  echo "templ is $generator in tools/go.mod and $library in go.mod: they have to be the same." >&2
  exit 1
fi
templ=$(go tool -n -modfile=tools/go.mod templ)
(cd "$fresh" && "$templ" generate -log-level error)

wrong=0
while IFS= read -r file; do
  if [ ! -e "$file" ]; then
    echo "missing:  ${file#./}" >&2; wrong=1
  elif [ ! -e "$fresh/$file" ]; then
    echo "orphaned: ${file#./} (no ${file%_templ.go}.templ)" >&2; wrong=1
  elif ! cmp -s "$file" "$fresh/$file"; then
    echo "stale:    ${file#./}" >&2; wrong=1
    diff -u "$file" "$fresh/$file" | head -20 >&2 || true
  fi
done < <({ list '*_templ.go'; (cd "$fresh" && list '*_templ.go'); } | sort -u)

if [ "$wrong" = 1 ]; then
  echo "Generated code does not match its *.templ: run 'make generate' and commit what it writes." >&2
  exit 1
fi
