//! The longer texts of the help: what the program is, and examples for each command.

pub(super) const PROGRAM: &str = "\
Content-addressed distribution of binaries, compatible with casync.

Data is cut into chunks where its content says so. An index lists the names of the chunks, a store keeps \
them, each once. Versions of an image share most chunks: a store keeps, and a machine fetches, only what is \
new.";

pub(super) const STORES: &str = "\
Stores and indexes are named by location: a local directory or file, or a URL with http, https, sftp, \
s3+https, gs, or, for chunks only, ssh or oci+https. '-' is stdin or stdout where an index is wanted. Several stores are asked in the order given; \
'a|b' asks b when a fails. \
Flags that may be repeated also take several values separated by commas; put a value that holds a comma \
into double quotes.

Examples:
  desync make -s /srv/store v2.caibx v2.img          cut v2.img, keep its chunks
  desync extract -s /srv/store --seed v1.img v2.caibx new.img
                                                     build it again, fetching only what v1.img lacks

  desync extract -s https://example.com/store https://example.com/store/v2.caibx new.img
                                                     from a web server

Exit status: 0 done in full, 1 failed or done in part, 2 wrong usage.";

pub(super) const MAKE: &str = "\
Examples:
  desync make -s /srv/store image.caibx image.img
  zcat image.gz | desync make -s /srv/store image.caibx -
  desync make -m 8:32:128 - image.img > image.caibx";

pub(super) const EXTRACT: &str = "\
Examples:
  desync extract -s /srv/store image.caibx image.img
  desync extract -s /mnt/usb -s /srv/store -c /var/cache/chunks image.caibx /dev/sdb2
  desync extract -s /srv/store --seed /dev/sda2 image.caibx /dev/sda3
  desync extract -s /srv/store --seed v1.caibx:/data/v1.img v2.caibx v2.img

A seed with an index is checked where it would be used. If it is not what its index says the command fails, \
unless told to skip or regenerate such seeds. One without an index is cut first; where all stores are on this \
machine that may take longer than it saves, so samples tell whether it is used at all.";

pub(super) const PULL: &str = "\
Examples, on the machine that extracts:
  CASYNC_REMOTE_PATH=desync casync extract --store=user@host:/srv/store image.caibx image.img
  CASYNC_REMOTE_PATH=desync desync extract -s ssh://user@host/srv/store image.caibx image.img";

#[cfg(feature = "serve-link")]
pub(super) const SERVE_LINK: &str = "\
Examples:
  desync serve-link -s /srv/store firmware.caibx /dev/ttyUSB0
  desync serve-link -s /srv/store firmware.caibx tcp:127.0.0.1:4000";

#[cfg(feature = "server")]
pub(super) const CHUNK_SERVER: &str = "\
Examples:
  desync chunk-server -s /srv/store -l :8080
  desync chunk-server -s /srv/store -l :https --cert host.pem --key host.key --log requests.log
  desync chunk-server --store-file stores.json -l :8080 --metrics 127.0.0.1:9100
  desync chunk-server -s /srv/store -w -l 10.0.0.1:8080 --skip-verify-write=false

Clients name the store http://HOST:PORT/";

#[cfg(feature = "server")]
pub(super) const INDEX_SERVER: &str = "\
Examples:
  desync index-server -s /srv/indexes -l :8081
  desync index-server -s /srv/indexes -w -l :8081

Clients name an index http://HOST:PORT/NAME";

pub(super) const CHUNK: &str = "\
Examples:
  desync chunk image.img
  desync chunk -m 4:16:64 --start 1048576 image.img";

pub(super) const VERIFY_INDEX: &str = "\
Example:
  desync verify-index image.caibx image.img && echo unchanged";

pub(super) const LIST_CHUNKS: &str = "\
Example:
  desync list-chunks image.caibx | sort -u | wc -l";

pub(super) const INFO: &str = "\
Examples:
  desync info --format plain image.caibx
  desync info -s /srv/store --seed v1.caibx v2.caibx
  desync info --seed v1.caibx --chunks-info chunks.json v2.caibx";

pub(super) const INSPECT_CHUNKS: &str = "\
Examples:
  desync inspect-chunks image.caibx
  desync inspect-chunks -s /srv/store image.caibx chunks.json";

pub(super) const CAT: &str = "\
Examples:
  desync cat -s /srv/store archive.tar.caibx | tar -t
  desync cat -s /srv/store --offset 1048576 --length 4096 image.caibx part.bin";

#[cfg(feature = "fuse")]
pub(super) const MOUNT_INDEX: &str = "\
Examples:
  desync mount-index -s /srv/store image.raw.caibx /mnt/blob     then: ls /mnt/blob/image.raw
  desync mount-index --store-file stores.json --cor-file image.cor --cor-state-save image.state \\
                     image.caibx /mnt/blob
  umount /mnt/blob                                               ordinary users: fusermount3 -u /mnt/blob";

#[cfg(feature = "fuse")]
pub(super) const MOUNT: &str = "\
Examples:
  desync mount tree.catar /mnt/tree
  desync mount -s http://server/store -c /var/cache/chunks tree.caidx /mnt/tree
  umount /mnt/tree                                               ordinary users: fusermount3 -u /mnt/tree";

#[cfg(feature = "trees")]
pub(super) const TAR: &str = "\
Examples:
  desync tar root.catar /srv/root
  desync tar -i -s /srv/store root.caidx /srv/root
  desync tar --with=unix root.catar /srv/root        what every Unix has, and nothing else
  zcat layer.tar.gz | desync tar -i -s /srv/store --input-format tar --tar-add-root layer.caidx -";

#[cfg(feature = "trees")]
pub(super) const UNTAR: &str = "\
Examples:
  desync untar root.catar /mnt
  desync untar -i -s /srv/store root.caidx /mnt
  desync untar -i -s /srv/store --seed / v2.caidx /mnt            fetch only what the running system lacks
  desync untar -i -s /srv/store --seed v1.caidx:v1.catar v2.caidx /mnt
  desync untar --output-format gnu-tar root.catar - | tar -t";

#[cfg(feature = "trees")]
pub(super) const MTREE: &str = "\
Examples:
  desync mtree /srv/root
  desync mtree -i -s /srv/store root.caidx > root.mtree";

pub(super) const CACHE: &str = "\
Examples:
  desync cache -s /mnt/usb -c /srv/store image.caibx
  desync cache -s /mnt/usb -c /srv/store --ignore v1.caibx v2.caibx v3.caibx";

pub(super) const CHOP: &str = "\
Examples:
  desync chop -s /srv/store image.caibx image.img
  desync chop -s /srv/store --ignore v1.caibx v2.caibx v2.img";

pub(super) const VERIFY: &str = "\
Examples:
  desync verify -s /srv/store
  desync verify -s /srv/store --repair";

pub(super) const PRUNE: &str = "\
Examples:
  desync prune -s /srv/store current.caibx previous.caibx
  desync prune -s /srv/store --yes *.caibx
  desync prune -s /srv/store --grace-period 1h --dry-run *.caibx | wc -l";

pub(super) const CONFIG: &str = "\
Examples:
  desync config
  desync --config new.json config --write

The file is one JSON object. `store-options` holds options for locations, which may be globs:
  { \"store-options\": { \"/srv/plain*\": { \"uncompressed\": true },
                       \"/srv/secret\": { \"encryption\": true, \"encryption-key\": \"64 hex digits\" } } }
A key that is not in the file is taken from $DESYNC_ENCRYPTION_KEY. Secrets are written, but not shown.";

#[cfg(feature = "manual")]
pub(super) const MANPAGE: &str = "\
Example:
  mkdir man && desync manpage --section 1 man && man man/desync-make.1";

#[cfg(feature = "manual")]
pub(super) const COMPLETION: &str = "\
Examples:
  source <(desync completion bash)
  desync completion zsh > ~/.zfunc/_desync
  desync completion fish > ~/.config/fish/completions/desync.fish";
