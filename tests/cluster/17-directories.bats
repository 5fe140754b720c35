#!/usr/bin/env bats
# A root directory as the image: only what the user could see outside is inside.

load common
NEEDS_PLUGIN=yes

@test "the node's root directory is refused as an image" {
    run as alice srun --container=/ true
    fails 1
    has "berth: $(node 1): image /: it is the root directory"
}

@test "a directory in which something is mounted is refused: overlayfs would show what that covers" {
    cp -a "${BERTH_TEST_CACHE:-/var/cache/berth-tests}/base" "$BERTH_W/rootdir"
    mount -t tmpfs none "$BERTH_W/rootdir/mnt"
    run as alice srun --container="$BERTH_W/rootdir" true
    fails 1
    has "other file systems are mounted in it"
    umount "$BERTH_W/rootdir/mnt"
    run as alice srun --container="$BERTH_W/rootdir" id -un
    ok
    rm -rf --one-file-system "$BERTH_W/rootdir"
}

@test "deny= refuses the tree, what holds it, and both as an image" {
    BERTH_ARGS="deny=/etc/apt,$BERTH_IMAGES/base/etc" plugstack_write
    run as alice srun --container="$(image base.sqsh)" --container-mounts=/etc/apt:/x true
    fails 1
    has "mount source /etc/apt: the administrator excludes it"
    run as alice srun --container="$(image base.sqsh)" --container-mounts=/etc:/x true
    fails 1
    has "mount source /etc: it holds a directory that the administrator excludes"
    run as alice srun --container="$(image base)" true
    fails 1
    has "it holds a directory that the administrator excludes"
    plugstack_write
}
