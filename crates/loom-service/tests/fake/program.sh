#!/bin/sh
# Stands in for systemctl, journalctl and sudo: linked under these names into a directory of the test's own,
# it notes its command line in `calls` there and then does what the files `on-VERB` there say.
dir=$(dirname "$0")
name=$(basename "$0")
echo "$name $*" >>"$dir/calls"
case $name in
sudo)
    [ ! -e "$dir/on-sudo" ] || . "$dir/on-sudo"
    shift # -n
    [ "$1" != -l ] || exit 0
    exec "$@"
    ;;
journalctl) verb=journal ;;
systemctl)
    for verb in "$@"; do
        case $verb in -*) ;; *) break ;; esac
    done
    ;;
esac
[ ! -e "$dir/on-$verb" ] || . "$dir/on-$verb"
