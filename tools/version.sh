#!/usr/bin/env bash
# Prints the version to build in: from git, else what `git archive` has put here, else "dev".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck disable=SC2016 # filled in by git archive
archived='$Format:%(describe:tags=true)$' commit='$Format:%h$'

if [ -e .git ]; then # only a repository of our own, not one that a tarball was unpacked into
  if described=$(git describe --tags --dirty 2>/dev/null); then
    echo "${described#v}"
  elif described=$(git describe --always --dirty 2>/dev/null); then
    echo "dev-$described"
  else
    echo dev
  fi
elif [[ -n $archived && $archived != *Format:* && $archived != *describe* ]]; then
  echo "${archived#v}"
elif [[ -n $commit && $commit != *Format:* ]]; then
  echo "dev-$commit"
else
  echo dev
fi
