#!/usr/bin/env bash
# First backup, next backup and restore of a generated home beside `tar | zstd -1 -T0`, on local disk, in one run.
# Prints wall seconds, CPU seconds, CPU seconds per GB and peak memory of each, best of RUNS.
#
#   bench.sh [MB=2000] [RUNS=3] [DIR=/var/tmp/loom-bench]
#
# Needs Go (for the generator), zstd, tar, GNU time. The page cache is warm for all; each output is deleted before the next.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
mb=${1:-2000} runs=${2:-3} dir=${3:-/var/tmp/loom-bench}
for tool in zstd tar /usr/bin/time; do
  command -v "$tool" >/dev/null || { echo "bench.sh needs $tool (apt-get install -y zstd tar time)" >&2; exit 1; }
done
cargo build --release --workspace --bins --manifest-path "$here/Cargo.toml"
"$here/tests/tools/build.sh" "$here/.ci-tools/bin"
bin=$here/target/release home=$dir/home-$mb
mkdir -p "$dir"
[ -d "$home" ] || "$here/.ci-tools/bin/gendb" -home "$home" -mb "$mb"
bytes=$(du -sb --exclude=LOCK --exclude=LOG "$home" | cut -f1)
cat >"$dir/archive.sh" <<S
tar -C "$home" -cf - . | zstd -1 -T0 -q -o "$dir/out/home.tar.zst"
S
cat >"$dir/unarchive.sh" <<S
mkdir "$dir/out/home" && zstd -dc "$dir/out/home.tar.zst" | tar -C "$dir/out/home" -xf - && sync -f "$dir/out/home"
S
repo=(--state-dir "$dir/state" --node bench)
back_up=("$bin/loom-backup" run --home "$home" --service none --to "file://$dir/out/repository" "${repo[@]}" --json)
# shellcheck disable=SC2054 # classes are joined by a comma
restore=("$bin/loom-restore" run --from "file://$dir/out/repository" --home "$dir/out/restored" --service none
  --state-dir "$dir/state" --only data,config --yes --json)

measure() { # NAME PREPARE COMMAND...: the fastest of RUNS
  local name=$1 prepare=$2 best='' line
  shift 2
  for _ in $(seq "$runs"); do
    eval "$prepare"
    /usr/bin/time -f '%e %U %S %M' -o "$dir/time" "$@" >/dev/null 2>"$dir/log" || { cat "$dir/log" >&2; exit 1; }
    line=$(tail -1 "$dir/time")
    if [ -z "$best" ] || awk "BEGIN{exit !(${line%% *} < ${best%% *})}"; then best=$line; fi
  done
  awk -v n="$name" -v b="$bytes" '{ printf "%-34s %7.2f s %8.2f CPU s %7.2f CPU s/GB %6.0f MB/s %6.0f MiB peak\n",
    n, $1, $2 + $3, ($2 + $3) / (b / 1e9), b / 1e6 / ($1 > 0 ? $1 : 0.01), $4 / 1024 }' <<<"$best"
}

fresh="rm -rf '$dir/out' && mkdir '$dir/out'"
echo "home: $((bytes / 1000000)) MB in $(find "$home" -type f | wc -l) files, $(nproc) cores, best of $runs"
cat "$home"/data/*.db/*.ldb "$home"/data/cs.wal/* >/dev/null
measure "tar | zstd -1 -T0" "$fresh" bash "$dir/archive.sh"
echo "  stored $(du -sb "$dir/out/home.tar.zst" | cut -f1) bytes"
measure "zstd -d | tar x, synced" "rm -rf '$dir/out/home'" bash "$dir/unarchive.sh"
measure "loom-backup, first" "$fresh; rm -rf '$dir/state'" "${back_up[@]}"
echo "  stored $(du -sb "$dir/out/repository" | cut -f1) bytes"
measure "loom-backup, nothing changed" true "${back_up[@]}"
measure "loom-restore" "rm -rf '$dir/out/restored'" "${restore[@]}"
rm -rf "$dir/out"
