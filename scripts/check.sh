#!/usr/bin/env bash
# Every check of the sources, in one command. All of them run; the end says which failed.
set -uo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

failed=()
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf 'ok      %s\n' "$name"
  else
    printf 'FAILED  %s\n%s\n' "$name" "$output"
    failed+=("$name")
  fi
}

# The committed types must be what the contract generates today.
generated_types() {
  local copy status
  copy=$(mktemp -d)
  mkdir "$copy/scripts"
  cp scripts/generate.sh "$copy/scripts/"
  cp -R proto "$copy/proto"
  ln -s "$PWD/node_modules" "$copy/node_modules"
  "$copy/scripts/generate.sh" && diff -r "$copy/src/gen" src/gen
  status=$?
  rm -rf "$copy"
  return "$status"
}

scripts/setup.sh >/dev/null 2>&1 || check 'setup' scripts/setup.sh
check 'types' tsc -p tsconfig.check.json
check 'lint, format and import rules' biome ci --error-on-warnings --colors=off .
check 'contract' buf lint
check 'generated types' generated_types
check 'dead code' knip --no-progress

if [ "${#failed[@]}" -gt 0 ]; then
  printf '%s failed\n' "${#failed[@]}"
  exit 1
fi
