#!/usr/bin/env bats
# --container-writable: a layer of the step's own, and no right that the user lacks without it.

load common
NEEDS_PLUGIN=yes

@test "a writable step can change what the image has, and the change is gone with the step" {
    run as alice srun --container="$(image base.sqsh)" --container-writable \
        sh -c 'echo changed >/etc/issue && echo new >/new && cat /etc/issue /new'
    ok
    [[ $output == $'changed\nnew' ]]
    run as alice srun --container="$(image base.sqsh)" sh -c 'cat /etc/issue; test ! -e /new'
    ok
    hasnt changed
}

@test "without it the root is read-only" {
    run as alice srun --container="$(image base.sqsh)" touch /new
    fails
    has "Read-only file system"
}

@test "row 26: a directory of the node as a writable image shows nothing that the user could not read" {
    run as alice srun --container="$(image base)" --container-writable cat /etc/shadow
    fails
    has "Permission denied"
    hasnt root:
    run as alice srun --container="$(image base)" --container-writable stat -c %U /etc/shadow
    ok
    [[ $output == root ]]
}

@test "row 26: nor does a bundle whose root is the node's" {
    as alice mkdir -p evil
    as alice tee evil/config.json >/dev/null <<<'{ "ociVersion": "1.0.2", "root": { "path": "/" } }'
    run as alice srun --container=evil --container-writable cat /etc/shadow
    fails
    has "it is the root directory"
    hasnt root:
}

@test "a user's own directory, writable: the layer is, the directory stays as it was" {
    image_put /home/berthalice bundle berthalice
    run as alice srun --container=bundle/rootfs --container-writable sh -c 'echo changed >/etc/os-release && cat /etc/os-release'
    ok
    has changed
    grep -q IMAGE_ID=bundle /home/berthalice/bundle/rootfs/etc/os-release
}
