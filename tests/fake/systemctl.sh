#!/bin/sh
# Stands in for systemctl, linked under this name into a directory of the test's own: it notes its command line in `calls`
# there, does what the file `on-VERB` there says, and then does what systemd would do with one unit that obeys.
dir=$(dirname "$0")
echo "$*" >>"$dir/calls"
for verb in "$@"; do
    case $verb in -*) ;; *) break ;; esac
done
[ ! -e "$dir/on-$verb" ] || . "$dir/on-$verb"
case $verb in
show)
    case $* in
    *loom.service*) cat "$dir/state" ;;
    *) exit 1 ;; # no such unit
    esac
    ;;
stop) sed -i 's/^ActiveState=.*/ActiveState=inactive/; s/^SubState=.*/SubState=dead/; s/^MainPID=.*/MainPID=0/' "$dir/state" ;;
start) sed -i 's/^ActiveState=.*/ActiveState=active/; s/^SubState=.*/SubState=running/; s/^InvocationID=.*/&1/' "$dir/state" ;;
esac
