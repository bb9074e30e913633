#!/usr/bin/env bash
# Prints the version to build in. A commit with a tag (v0.1.0) is that version. Any other is on the way to the newest version that CHANGELOG.md
# names: 0.1.0-dev.g1234567, which semantic versioning and Debian (deb.sh) put before 0.1.0.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck disable=SC2016 # filled in by git archive
archived='$Format:%(describe:tags=true)$' commit='$Format:%h$'

next() { sed -nE 's/^## \[([0-9]+\.[0-9]+\.[0-9]+)\].*/\1/p' CHANGELOG.md | head -n 1; }
ahead() { # commit
  echo "$(next)-dev.g$1"
}

if [ -e .git ]; then # only a repository of our own, not one that a tarball was unpacked into
  if described=$(git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null); then
    echo "${described#v}"
  elif commit=$(git rev-parse --short HEAD 2>/dev/null); then
    if git diff --quiet HEAD -- 2>/dev/null; then ahead "$commit"; else ahead "$commit-dirty"; fi
  else
    echo "$(next)-dev"
  fi
elif [[ -n $archived && $archived != *Format:* && $archived != *describe* ]]; then
  echo "${archived#v}"
elif [[ -n $commit && $commit != *Format:* ]]; then
  ahead "$commit"
else
  echo "$(next)-dev"
fi
