#!/usr/bin/env bash
# Restores a backup of loom-backup without loom-restore: with bash, zstd, tar, jq and GNU coreutils, as docs/format.md says.
#
#   recover.sh REPOSITORY NODE BACKUP_ID|latest TARGET_DIR
#
# REPOSITORY is a local copy of the repository (`aws s3 sync`, `gsutil rsync`, `rclone copy` …: loom-repository.json, and of the
# node the directories backups/ and packs/). TARGET_DIR is created, or must be empty. `latest` is the newest backup that was
# not copied from a running node. Owners are set when this is run as root.
#
# With b3sum every hash is checked. Without it, what is checked are sizes and zstd's own checksums: enough against damage, not
# against somebody who could write to the store.
#
# Everything in the backup is restored, keys and sign state included. THE SIGN STATE IS AS OLD AS THE BACKUP: a validator that
# starts with it may sign twice. Use loom-restore for validators, which never lowers a sign state.
set -euo pipefail
export LC_ALL=C # names are bytes
umask 077

die() {
  printf 'recover.sh: %s\n' "$1" >&2
  exit 1
}

[[ $# -eq 4 ]] || die 'usage: recover.sh REPOSITORY NODE BACKUP_ID|latest TARGET_DIR'
for tool in zstd tar jq; do
  command -v "$tool" >/dev/null || die "$tool is not installed"
done
repository=${1#file://} node=$2 id=$3 target=$4
hashes=yes
command -v b3sum >/dev/null || {
  hashes=no
  echo 'recover.sh: b3sum is not installed: sizes and zstd checksums are checked, hashes are not' >&2
}

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

# --- the backup -----------------------------------------------------------------------------------------------------------

backups=$repository/$node/backups
[[ -f $repository/loom-repository.json ]] || die "there is no loom-repository.json in $repository"
[[ -d $backups ]] || die "node $node has no backups in $repository"

# Decompresses a manifest and checks that it is the one its name promises.
read_manifest() { # ID
  local stored=$backups/$1.manifest.zst
  [[ ! -f $stored.age ]] || die "$stored.age is encrypted: decrypt it and its packs with age first"
  [[ -f $stored ]] || die "there is no $stored"
  if [[ $hashes == yes && $(b3sum --no-names -- "$stored") != "${1##*-}"* ]]; then
    die "$stored is damaged: its bytes are not the ones that its name promises"
  fi
  zstd -dcq -- "$stored" >"$work/manifest.json" || die "$stored is damaged"
}

if [[ $id == latest ]]; then
  id=
  # Names begin with the time and sort by it.
  while IFS= read -r name && [[ -z $id ]]; do
    read_manifest "${name%.manifest.zst}"
    [[ $(jq -r .proof "$work/manifest.json") == hot ]] || id=${name%.manifest.zst}
  done < <(find "$backups" -maxdepth 1 -name '*.manifest.zst' -printf '%f\n' | sort -r)
  [[ -n $id ]] || die "node $node has no backup that was not copied from a running node: name one by its id"
else
  [[ $id =~ ^[0-9]{8}T[0-9]{6}Z-h([0-9]+|x)-[0-9a-f]{32}$ ]] || die "$id is not a backup's id"
  read_manifest "$id"
fi

jq -e '.format == 1' "$work/manifest.json" >/dev/null || die "backup $id is not of format 1"
jq -e --arg node "$node" --slurpfile marker "$repository/loom-repository.json" \
  '.node == $node and .repository == $marker[0].id' "$work/manifest.json" >/dev/null ||
  die "backup $id belongs to another node or repository"

# --- packs ----------------------------------------------------------------------------------------------------------------

unpacked=
declare -A size_of

# Unpacks one pack into $work/pack, in place of the one before, and checks all segments in it.
unpack() { # PACK
  [[ $unpacked != "$1" ]] || return 0
  [[ $1 =~ ^[0-9a-f]{64}$ ]] || die "$1 is not a pack's name"
  local stored=$repository/$node/packs/${1:0:2}/$1.tar.zst segment size hash
  [[ -f $stored ]] || die "$stored is missing"
  [[ $hashes == no || $(b3sum --no-names -- "$stored") == "$1" ]] || die "$stored is damaged"
  rm -rf -- "$work/pack"
  mkdir -- "$work/pack"
  zstd -dcq -- "$stored" | tar -xf - -C "$work/pack" --no-same-owner || die "$stored is damaged"
  size_of=()
  while read -r segment size; do
    size_of[$segment]=$size
  done < <(find "$work/pack" -maxdepth 1 -type f -printf '%f %s\n')
  if [[ $hashes == yes ]]; then
    while read -r hash segment; do
      [[ $hash == "$segment" ]] || die "$stored is damaged: segment $segment has other bytes"
    done < <(cd "$work/pack" && b3sum -- *)
  fi
  unpacked=$1
}

# Writes a segment to its place in a file.
place() { # PACK SEGMENT SIZE OFFSET FILE
  unpack "$1"
  [[ ${size_of[$2]:-} == "$3" ]] || die "segment $2 is not in pack $1, or has another size"
  if [[ $4 == 0 ]]; then
    # Not truncated: parts that come later in the file may be there already.
    dd if="$work/pack/$2" of="$5" bs=1M conv=notrunc status=none
  else
    dd if="$work/pack/$2" of="$5" bs=1M conv=notrunc oflag=seek_bytes seek="$4" status=none
  fi
}

# --- the list of files ----------------------------------------------------------------------------------------------------

# One JSON object a line: in the manifest, or, where it is long, in segments of its own.
if jq -e '(.file_list // []) | length > 0' "$work/manifest.json" >/dev/null; then
  : >"$work/files"
  offset=0
  while read -r pack segment size; do
    place "$pack" "$segment" "$size" "$offset" "$work/files"
    offset=$((offset + size))
  done < <(jq -r '.file_list[] | "\(.pack) \(.id) \(.size)"' "$work/manifest.json")
else
  jq -c '.files[]' "$work/manifest.json" >"$work/files"
fi
# Directories that entries stand in go first; the home itself has the empty path and is TARGET_DIR.
{
  jq -c '.containers[]? | select(.path != "")' "$work/manifest.json"
  cat "$work/files"
} >"$work/list"

# Fields end in NUL, which no name contains; a name goes as `t` and its text, or as `b` and its base64.
jq -j '
  def spelled(text; base64):
    if text != null then "t" + (if text | explode | any(. == 0) then error("NUL in a name") else text end)
    else "b" + (base64 // error("a name is missing")) end;
  (if .type == "file" and .size != ([.segments[].size] | add // 0) then error("segments do not add up to a file") else . end)
  | .type, .class, .mode, "\(.uid)", "\(.gid)", .user // "", .group // "", .mtime,
    spelled(.path; .path_base64), (if .type == "symlink" then spelled(.target; .target_base64) else "t" end)
  | ., "\u0000"' "$work/list" >"$work/fields" || die "the list of files of backup $id makes no sense"

decoded=
decode() { # SPELLED
  decoded=${1:1}
  if [[ $1 == b* ]]; then
    # The X keeps newlines at the end.
    decoded=$(base64 -d <<<"$decoded" && printf X) || die "a name is not in base64"
    decoded=${decoded%X}
  fi
}

# --- the target -----------------------------------------------------------------------------------------------------------

if [[ -e $target || -L $target ]]; then
  [[ -d $target && -z $(find "$target/" -mindepth 1 -maxdepth 1 -print -quit) ]] || die "$target is not an empty directory"
else
  mkdir -p -- "$target"
fi
target=$(cd -- "$target" && pwd && printf X)
target=${target%$'\n'X}

paths=() types=() modes=() owners=() times=() signing=()
declare -A is_directory
is_directory[.]=yes
while IFS= read -r -d '' type && IFS= read -r -d '' class && IFS= read -r -d '' mode && IFS= read -r -d '' uid &&
  IFS= read -r -d '' gid && IFS= read -r -d '' user && IFS= read -r -d '' group && IFS= read -r -d '' mtime &&
  IFS= read -r -d '' path && IFS= read -r -d '' link; do
  decode "$path"
  path=$decoded
  # Nothing may lead out of the target: neither a name nor a symbolic link on the way.
  case "/$path/" in *//* | */./* | */../*) die "the path $path leads out of the target" ;; esac
  parent=./$path
  [[ ${is_directory[${parent%/*}]:-} == yes ]] || die "$path stands below something that is no directory"
  [[ ! -e $target/$path && ! -L $target/$path ]] || die "$path is listed twice"
  [[ $mode =~ ^[0-7]{4}$ ]] || die "$path has a mode that is not octal"
  case $type in
    file) : >"$target/$path" ;;
    directory)
      mkdir -- "$target/$path"
      is_directory[./$path]=yes
      ;;
    symlink)
      decode "$link"
      ln -s -- "$decoded" "$target/$path"
      ;;
    *) die "$path is neither file, directory nor symlink" ;;
  esac
  # By name where this machine knows the name: `loom` may have another number here.
  [[ -n $user ]] && getent passwd "$user" >/dev/null && uid=$user
  [[ -n $group ]] && getent group "$group" >/dev/null && gid=$group
  paths+=("$path") types+=("$type") modes+=("$mode") owners+=("$uid:$gid") times+=("$mtime")
  [[ $class != signing ]] || signing+=("$path")
done <"$work/fields"

# --- contents -------------------------------------------------------------------------------------------------------------

# Sorted by pack, so that each is unpacked once and only one at a time.
jq -nr '
  foreach inputs as $file (-1; . + 1; . as $number | $file | select(.type == "file")
    | foreach .segments[] as $segment ({ next: 0 }; { at: .next, next: (.next + $segment.size) };
        "\($segment.pack) \($segment.id) \($segment.size) \(.at) \($number)"))' "$work/list" | sort >"$work/places"
while read -r pack segment size offset number; do
  place "$pack" "$segment" "$size" "$offset" "$target/${paths[number]}"
done <"$work/places"

# --- attributes -----------------------------------------------------------------------------------------------------------

# Children before parents: filling a directory changes its time. The owner first: changing it clears set-id bits.
for ((number = ${#paths[@]} - 1; number >= 0; number--)); do
  path=$target/${paths[number]}
  [[ $EUID -ne 0 ]] || chown -h -- "${owners[number]}" "$path"
  [[ ${types[number]} == symlink ]] || chmod -- "${modes[number]}" "$path"
  touch -h -d "@${times[number]}" -- "$path"
done
sync -f -- "$target"

echo "recovered ${#paths[@]} files, directories and symlinks of backup $id into $target"
if [[ ${#signing[@]} -gt 0 ]]; then
  echo "WARNING: the sign state is as old as the backup. A validator that starts with it may sign twice: read docs/restore.md." >&2
  printf '  %q\n' "${signing[@]}" >&2
fi
