#!/usr/bin/env bash
# The tests that need root (file systems of their own, other users), strace (deaths at a named system call), or the programs that
# docs/recover.sh needs and that a machine with Rust and git may lack.
set -euo pipefail
cd "$(dirname "$0")/.."
missing=()
for tool in strace jq zstd b3sum; do
  command -v "$tool" >/dev/null || missing+=("$tool")
done
[ ${#missing[@]} = 0 ] || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; }
# With the tests of the binaries (help), which have cargo make the binaries that the others run. Of the workspace and not of packages: another selection has other features and would build every dependency once more.
cargo test --workspace --test help --test root --test documents --test messages --test recover --test restore --test round_trip --test signals \
  -- --include-ignored
