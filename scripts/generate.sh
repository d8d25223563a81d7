#!/usr/bin/env bash
# Generates src/gen (types only) from proto/. The output is committed; scripts/check.sh fails when it differs.
set -euo pipefail
cd "$(dirname "$0")/.."

rm -rf src/gen
node_modules/.bin/proto-loader-gen-types \
  --longs=String --enums=String --defaults --oneofs \
  --grpcLib=@grpc/grpc-js --importFileExtension=.js \
  --includeDirs=proto --outDir=src/gen \
  drawdown/v1/usage_service.proto drawdown/v1/account_service.proto drawdown/v1/agent_service.proto drawdown/v1/catalog_service.proto \
  google/rpc/status.proto google/rpc/error_details.proto
# The tool writes one file per entry proto that repeats what the messages' own files say; nobody imports them.
rm -f src/gen/*.ts
