# shellcheck shell=bash source-path=SCRIPTDIR disable=SC2154 # output, status, stderr: from bats
# Every bats file of this directory begins with `load common`. No Slurm is needed. By hand, after `make check`:
#
#   HWMAP=BUILD/hwmap/berth-hwmap MKTREE=BUILD/tests/hwmap/mktree bats tests/hwmap
#
# EXPECT_WRITE=yes writes the files of expected/ instead of comparing with them; look at them before they are kept.

bats_require_minimum_version 1.5.0
. "${BASH_SOURCE[0]%/*}/../lib/all.sh"

HWMAP=${HWMAP:-$BERTH_PREFIX/bin/berth-hwmap}
MKTREE=${MKTREE:-$BERTH_W/build/tests/hwmap/mktree}
[[ -x $MKTREE ]] || make -C "$BERTH_W/build" tests/hwmap/mktree >/dev/null
EXPECTED=$BERTH_TOP/tests/hwmap/expected
export LC_ALL=C.UTF-8
unset NO_COLOR

# hwmap ARGUMENT...: the command, its standard error apart.
hwmap() { run --separate-stderr "$HWMAP" "$@"; }

# on MACHINE ARGUMENT...: the command on a machine of mktree's.
on() {
    local dir
    dir=$(machine "$1") || return
    shift
    hwmap "$@" --sysfs "$dir"
}

# machine NAME: its tree.
machine() {
    local dir=$BATS_FILE_TMPDIR/$1
    [[ -d $dir ]] || "$MKTREE" "$1" "$dir" || return
    echo "$dir"
}

# has TEXT: standard output has it.  says TEXT: standard error has it, in one line that begins with our name.
has() { [[ $output == *"$1"* ]] || { printf 'expected: %s\nin: %s\n' "$1" "$output"; return 1; }; }
hasnt() { [[ $output != *"$1"* ]] || { printf 'not expected: %s\nin: %s\n' "$1" "$output"; return 1; }; }
says() {
    [[ $stderr == "berth-hwmap: "*"$1"* && $stderr != *$'\n'* ]] || { printf 'expected: %s\nin: %s\n' "$1" "$stderr"; return 1; }
}

# width_max N: no line of the output takes more columns.
width_max() { (($(wc -L <<<"$output") <= $1)) || { printf 'wider than %d: %s\n' "$1" "$output"; return 1; }; }

# ok: exit code 0, and nothing on standard error.  fails CODE TEXT: that code, no output, and says TEXT.
ok() { [[ $status == 0 && -z $stderr ]] || { printf 'exit code %d: %s%s\n' "$status" "$output" "$stderr"; return 1; }; }
fails() {
    ((status == $1)) || { printf 'exit code %d, not %d: %s%s\n' "$status" "$1" "$output" "$stderr"; return 1; }
    [[ -z $output ]] || { printf 'output: %s\n' "$output"; return 1; }
    says "$2"
}

# same FILE: the output is that file of expected/.
same() {
    ok || return
    [[ ${EXPECT_WRITE:-no} == no ]] || printf '%s\n' "$output" >"$EXPECTED/$1"
    diff -u "$EXPECTED/$1" - <<<"$output"
}

# json EXPRESSION: of the output, as j, in Python; prints it.
json() { python3 -c 'import json, sys; j = json.load(sys.stdin); print(('"$1"'))' <<<"$output"; }
