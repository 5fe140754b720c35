# shellcheck shell=bash
# Builds this tree and installs it below $BERTH_PREFIX, from a copy: the checkout is left as it is, and may change
# meanwhile. BERTH_REV=COMMIT takes that commit, else the files as they are now.

# source_copy DIR
source_copy() {
    mkdir -p "$1"
    if [[ -n ${BERTH_REV:-} ]]; then
        git -C "$BERTH_TOP" archive "$BERTH_REV" | tar -C "$1" -x
    elif git -C "$BERTH_TOP" rev-parse --git-dir >/dev/null 2>&1; then
        git -C "$BERTH_TOP" ls-files -z --cached --others --exclude-standard |
            tar -C "$BERTH_TOP" --null --ignore-failed-read -cf - -T - 2>/dev/null | tar -C "$1" -x
    else
        cp -a "$BERTH_TOP/." "$1"
    fi
}

# tree_build [configure arguments]: $BERTH_W/src, built in $BERTH_W/build, installed below $BERTH_PREFIX.
tree_build() {
    local src=$BERTH_W/src dir=$BERTH_W/build log=$BERTH_W/log/build.log
    source_copy "$src" || return 1
    mkdir -p "$dir"
    [[ -x $src/configure ]] || quietly "$log" env -C "$src" autoreconf -fi || return 1
    quietly "$log" env -C "$dir" "$src/configure" --prefix="$BERTH_PREFIX" \
        --with-slurm-plugindir="$BERTH_PREFIX/lib/slurm" "$@" || return 1
    quietly "$log" make -C "$dir" -j"$(nproc)" || return 1
    quietly "$log" make -C "$dir" install
}
