# shellcheck shell=bash source-path=SCRIPTDIR/..
# Loads what tests/node/run is made of.
. "$NODE_DIR/../lib/common.sh"
. "$NODE_DIR/../lib/deps.sh"
. "$NODE_DIR/../lib/matrix.sh"
. "$NODE_DIR/lib/prepare.sh"
. "$NODE_DIR/lib/fetch.sh"
. "$NODE_DIR/lib/qemu.sh"
. "$NODE_DIR/lib/boot.sh"
