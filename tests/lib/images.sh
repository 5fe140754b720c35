# shellcheck shell=bash
# Puts the cached test images where a test wants them. tests/images/build names them and makes them.

# images_build [NAME...]: into the cache.
images_build() { "$BERTH_LIB/../images/build" "$@"; }

# image NAME: path of the root-owned copy below $BERTH_IMAGES (a directory that plugstack.conf trusts); made at the
# first call. A copy, since berth trusts no file with a second link. A test may add files there, not change these.
image() { image_put "$BERTH_IMAGES" "$1"; }

# image_of USER NAME: path of a copy that belongs to the user, in the user's home: never trusted.
image_of() {
    local user=$1 home
    case $user in alice | bob) user=berth$user ;; esac
    home=$(getent passwd "$user" | cut -d: -f6)
    install -d -o "$user" -g "$(id -g "$user")" "$home/images"
    image_put "$home/images" "$2" "$user"
}

# image_put DIR NAME [OWNER]
image_put() {
    local from=${BERTH_TEST_CACHE:-/var/cache/berth-tests}/$2 to=$1/$2
    if [[ ! -e $to ]]; then
        [[ -e $from ]] || images_build "$2" >&2 || return 1
        cp -a --reflink=auto "$from" "$to.new"
        [[ -z ${3:-} ]] || chown -hR "$3:" "$to.new"
        mv -T "$to.new" "$to"
    fi
    echo "$to"
}
