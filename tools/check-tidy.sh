#!/usr/bin/env bash
# Fails when `go mod tidy` would change something, here or in tools/. Tidying looks at the tests of our dependencies as
# well, which may have to be downloaded: without a network that is said and passed over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
errors=$(mktemp "${TMPDIR:-/tmp}/rekindle-tidy.XXXXXX")
trap 'rm -f "$errors"' EXIT

for module in . tools; do
  if diff=$(go -C "$module" mod tidy -diff 2>"$errors"); then
    continue
  elif [ -n "$diff" ]; then
    head -40 <<<"$diff" >&2
    echo "$module/go.mod or go.sum is not tidy: run 'go mod tidy' there." >&2
    exit 1
  elif grep -qE 'dial tcp|no such host|i/o timeout|TLS handshake|connection re(fused|set)|GOPROXY=off|network is unreachable' "$errors"; then
    echo "passed over, $module/go.mod cannot be checked without a network" >&2
  else
    cat "$errors" >&2
    exit 1
  fi
done
