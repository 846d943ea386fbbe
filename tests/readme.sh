#!/usr/bin/env bash
# Runs the README's first command as it stands there, and looks at what it left.
set -euo pipefail
cd "$(dirname "$0")/.."
command=$(sed -n '/<!-- first command -->/,/^```$/p' README.md | sed '1,2d;$d')
[ -n "$command" ] || { echo "README.md has no first command" >&2; exit 1; }
echo "$command"
rm -rf /tmp/loom-demo
bash -euc "$command"
[ -s /tmp/loom-demo/home/chaindata/config/genesis.json ]
diff -r fixtures/loom-home/chaindata/data/cs.wal /tmp/loom-demo/home/chaindata/data/cs.wal
rm -rf /tmp/loom-demo
echo "1 passed, 0 failed"
