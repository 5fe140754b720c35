# shellcheck shell=bash
# Builds this tree out of place and installs it below a prefix.

# tree_build LOG BUILDDIR PREFIX [configure arguments]: autoreconf if configure is missing or old, configure, make.
tree_build() {
    local log=$1 dir=$2 prefix=$3
    shift 3
    mkdir -p "$dir"
    if [[ ! -x $BERTH_TOP/configure || $BERTH_TOP/configure.ac -nt $BERTH_TOP/configure ]]; then
        quietly "$log" autoreconf -fi "$BERTH_TOP" || return
    fi
    [[ -f $dir/config.status ]] ||
        quietly "$log" env -C "$dir" "$BERTH_TOP/configure" --prefix="$prefix" \
            --with-slurm-plugindir="$prefix/lib/slurm" "$@" || return
    quietly "$log" make -C "$dir" -j"$(nproc)"
}

# tree_install LOG BUILDDIR
tree_install() { quietly "$1" make -C "$2" install; }
