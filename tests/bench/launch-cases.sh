# shellcheck shell=bash
# The cases of tests/bench/launch: what each is, and which are wanted.  Uses PEERS and die.
#
# CASE_OF: "plugin image tasks" of the step and MPI cases, by name; WANTED: the names to be measured.

# NAME    PLUGIN: none, or which keeper: cold (nothing lingers, gone after each step) or warm
#              IMAGE     TASKS
CASES_STEP=(
    'bare-1          none  -          1'
    'bare-16         none  -          16'
    'unused-1        warm  -          1'
    'unused-16       warm  -          16'
    'first-squashfs-1   cold base.sqsh  1'
    'first-squashfs-16  cold base.sqsh  16'
    'first-erofs-1      cold base.erofs 1'
    'first-small-1      cold tiny.sqsh  1'
    'more-squashfs-1    warm base.sqsh  1'
    'more-squashfs-16   warm base.sqsh  16'
    'more-erofs-1       warm base.erofs 1'
    'more-erofs-16      warm base.erofs 16'
    'dir-1              warm base       1'
    'own-squashfs-1     warm own:base.sqsh 1'
    'own-squashfs-16    warm own:base.sqsh 16'
)
# The same with --usnic, on the map of another machine: nodes are made and denied, none can be opened.
CASES_USNIC=(
    'usnic-1            usnic base.sqsh 1'
    'usnic-16           usnic base.sqsh 16'
)
CASES_MPI=(
    'mpi-bare        none  -          2'
    'mpi-container   warm  mpi.sqsh   2'
)
CASES_FLOOR=(floor-bare floor-dir floor-squashfs floor-shared floor-erofs floor-fuse)
CASES_BURST=(burst-bare burst-steps burst-images)
CASES_PEER=(chrun-dir-1 chrun-dir-16 chrun-squashfs-1 chrun-squashfs-16 crun-none-1 crun-none-16 crun-1 crun-16)

declare -A CASE_OF=()   # "plugin image tasks" of the step and MPI cases

cases_learn() {
    local line name rest
    for line in "${CASES_STEP[@]}" "${CASES_USNIC[@]}" "${CASES_MPI[@]}"; do
        read -r name rest <<<"$line"
        CASE_OF[$name]=$rest
    done
}

# names_of ENTRY...: the first word of each.
names_of() {
    local line
    for line; do echo "${line%% *}"; done
}

cases_all() {
    names_of "${CASES_FLOOR[@]}" "${CASES_STEP[@]}" "${CASES_USNIC[@]}" "${CASES_MPI[@]}" "${CASES_BURST[@]}"
    [[ $PEERS == no ]] || names_of "${CASES_PEER[@]}"
}

# cases_select WORD...: WANTED, the names that one of the words means, and what their figures are compared with.
cases_select() {
    local word name found
    declare -gA WANTED=()
    (($#)) || set -- '*'
    for word; do
        found=no
        case $word in
        floor) word='floor-*' ;;
        step) word='@(bare|unused|first|more|dir|own)-*' ;;
        usnic) word='usnic-*' ;;
        burst) word='burst-*' ;;
        mpi) word='mpi-*' ;;
        esac
        while read -r name; do
            # shellcheck disable=SC2053  # a pattern
            [[ $name == $word ]] && want "$name" && found=yes
        done < <(cases_all)
        [[ $found == yes ]] || die "$word: no such case; --list names them"
    done
}

# want NAME...
want() {
    local name tasks
    for name; do
        [[ -v WANTED[$name] ]] && continue
        WANTED[$name]=1
        tasks=${name##*-}
        case $name in
        unused-* | chrun-*) want "bare-$tasks" ;;
        crun-*) want "bare-$tasks" "crun-none-$tasks" ;;
        first-squashfs-* | first-small-*) want "unused-$tasks" floor-squashfs ;;
        first-erofs-*) want "unused-$tasks" floor-erofs ;;
        more-*) want "unused-$tasks" dir-1 ;;
        dir-*) want "unused-$tasks" ;;
        own-*) want "unused-$tasks" floor-fuse ;;
        usnic-*) want "more-squashfs-$tasks" ;;
        mpi-*) want mpi-bare ;;
        esac
        case $name in more-*-16) want "${name%-16}-1" ;; esac
    done
    return 0
}

# wanted PATTERN: some wanted case has such a name.
wanted() {
    local name
    for name in "${!WANTED[@]}"; do
        # shellcheck disable=SC2053
        [[ $name == $1 ]] && return 0
    done
    return 1
}
