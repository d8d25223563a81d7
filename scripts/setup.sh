#!/usr/bin/env bash
# Makes a checkout ready to run: node modules, a Redis server, the compiled code. Silent when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

install_modules() {
  local stamp=node_modules/.drawdown-lock
  if cmp -s package-lock.json "$stamp"; then
    return
  fi
  if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 15) ? 0 : 1)'; then
    say "Node.js 20.15 or newer is needed, this is $(node --version)"
    exit 1
  fi
  say 'installing node modules'
  # No package needs its install script: what the embedded Postgres leaves to one, the sidecar does itself.
  # `npm ci` deletes what is there: right for a clean checkout, too rough for one that somebody works in.
  if [ -d node_modules ]; then
    npm install --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  else
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  fi
  cp package-lock.json "$stamp"
}

have_redis() { command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    say "running: $*"
    "$@" >&2
  elif command -v sudo >/dev/null 2>&1; then
    say "running: sudo $*"
    sudo "$@" >&2
  else
    return 1
  fi
}

# The package of some systems also starts a Redis of its own on port 6379. Drawdown neither needs nor touches it.
install_redis() {
  if command -v apt-get >/dev/null 2>&1; then
    as_root apt-get update -qq &&
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server
  elif command -v dnf >/dev/null 2>&1; then
    as_root dnf install -y -q redis || as_root dnf install -y -q valkey
  elif command -v apk >/dev/null 2>&1; then
    as_root apk add --quiet redis
  elif command -v brew >/dev/null 2>&1; then
    say 'running: brew install redis'
    brew install --quiet redis >&2
  else
    return 1
  fi
}

ensure_redis() {
  if [ -n "${DRAWDOWN_REDIS_URL:-}" ] || have_redis; then
    return
  fi
  say 'neither redis-server nor valkey-server is on the PATH'
  if install_redis && have_redis; then
    return
  fi
  cat >&2 <<'EOF'
setup: no Redis server could be installed. Three ways out:
  1. install redis-server or valkey-server with your package manager
  2. point DRAWDOWN_REDIS_URL to a Redis of your own (it must run with maxmemory-policy noeviction)
  3. docker compose up: everything in containers, see docker-compose.yml
EOF
  exit 1
}

# The stamp is touched only after a build without errors; deleting a file changes its folder, which find sees as well.
build() {
  local stamp=dist/.built
  if [ -f "$stamp" ] && [ -z "$(find src package.json tsconfig.json -newer "$stamp" -print -quit)" ]; then
    return
  fi
  node_modules/.bin/tsc -p tsconfig.json >&2
  touch "$stamp"
}

# `npx drawdown` runs this checkout's own command: npx looks into node_modules/.bin first, and npm puts no link there for the
# package itself.
link_command() {
  chmod +x dist/cli/index.js
  ln -sfn ../../dist/cli/index.js node_modules/.bin/drawdown
}

install_modules
ensure_redis
build
link_command
