#!/bin/dash
# What the command-line tools unpack. usage: extract.sh READER OUT_DIR <LIST
# N.zip of the list goes to OUT_DIR/N, what the tool says to OUT_DIR/N.log. Prints one exit code a
# line. A tool that does not come to an end is killed: exit code 152 or 153.
ulimit -t 10      # seconds
ulimit -f 2097152 # blocks of 512 bytes: 1 GiB
while IFS= read -r file; do
  to=${file##*/}
  to=$2/${to%.zip}
  mkdir "$to"
  case $1 in
  unzip) unzip -qq -o -d "$to" "$file" ;;
  bsdtar) bsdtar -xf "$file" -C "$to" ;;
  bsdtar-pipe) cat <"$file" | bsdtar -xf - -C "$to" ;; # a pipe cannot seek: it reads forwards
  busybox) busybox unzip -q -o -d "$to" "$file" ;;
  7z) 7z x -y -bd -bso0 -o"$to" "$file" ;;
  esac >"$to.log" 2>&1 </dev/null
  echo $?
done
