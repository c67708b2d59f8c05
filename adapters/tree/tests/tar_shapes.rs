//! Streams of four programs cut off at every block, from a file and from a pipe: read whole or refused by name,
//! never less than all without a word.
#![cfg(target_os = "linux")]
#![allow(missing_docs, reason = "a test program has no users")]

use std::fs::{self, File};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;

use desync_core::format::FeatureFlags;
use desync_engine::{Cancel, Context, Kernels, NoProgress};
use desync_tree::{ArchiveWriter, Error, Notices, Owners, TarInput, TarOptions, TarSource};

const FEATURES: FeatureFlags = FeatureFlags::from_bits_retain(0x2000_0001_ffff_fe26);

/// Nothing is lost here.
struct Silence;

impl Notices for Silence {
    fn lost(&self, path: &Path, what: &str) {
        panic!("{}: {what}", path.display());
    }
}

/// Makes `tree`: long names, holes, links of both kinds.
const TREE: &str = r#"
mkdir -p tree/dir/nested tree/empty; cd tree; printf hello > dir/nested/leaf; : > dir/nothing
head -c 700 /dev/urandom > "dir/$(printf '%0120d' 7)"; truncate -s 100000 sparse; printf end >> sparse
ln -s dir/nested/leaf link; ln dir/nested/leaf other; mkfifo fifo; head -c 5000 /dev/urandom > last
"#;

const STREAMS: [(&str, &str); 6] = [
    ("tar", "tar --format=v7 --exclude='./dir/0*' --exclude=./fifo -cf x.tar -C tree ."),
    ("tar", "tar --format=gnu --sparse -cf x.tar -C tree ."),
    ("tar", "tar --format=posix --sparse --xattrs -cf x.tar -C tree ."),
    ("bsdtar", "bsdtar --format=pax -cf x.tar -C tree ."),
    (
        "python3",
        "python3 -c 'import tarfile\nwith tarfile.open(\"x.tar\", \"w\") as t: t.add(\"tree\", \"\")'",
    ),
    ("busybox", "busybox tar -cf x.tar -C tree ."),
];

fn shell(folder: &Path, script: &str) {
    let output = Command::new("sh").args(["-euc", script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The archive of a stream.
fn archive(source: TarSource) -> Result<Vec<u8>, Error> {
    let (cancel, owners, workers) = (Cancel::default(), Owners::default(), NonZeroUsize::MIN);
    let context = Context { workers, progress: &NoProgress, cancel: &cancel, kernels: Kernels::SCALAR };
    let options = TarOptions { features: FEATURES, add_root: false, copy_hard_links: true };
    let mut out = Vec::new();
    let mut sink = ArchiveWriter::new(&mut out, Path::new("archive"), FEATURES)?;
    TarInput::read(source, Path::new("x.tar"), options, &owners, &Silence, context)?.pass(&mut sink)?;
    drop(sink);
    Ok(out)
}

#[test]
fn a_stream_that_was_cut_off_is_whole_or_refused() {
    let room = tempfile::tempdir().unwrap();
    shell(room.path(), TREE);
    let is_there = |program: &str| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output().unwrap();
        assert!(found.status.success() || std::env::var_os("CI").is_none(), "{program} is missing");
        found.status.success()
    };
    for (_, command) in STREAMS.into_iter().filter(|(program, _)| is_there(program)) {
        shell(room.path(), command);
        let stream = fs::read(room.path().join("x.tar")).unwrap();
        let whole = archive(TarSource::Stream(Box::new(std::io::Cursor::new(stream.clone())))).unwrap();
        let end = stream.len() - stream.iter().rev().take_while(|byte| **byte == 0).count();
        let (mut complete, mut refused) = (0, 0);
        for len in (0..=stream.len()).step_by(512).flat_map(|len| [len, len + 300]) {
            let cut = &stream[..len.min(stream.len())];
            let path = room.path().join("cut.tar");
            fs::write(&path, cut).unwrap();
            let sources = [
                TarSource::File(File::open(&path).unwrap()),
                TarSource::Stream(Box::new(std::io::Cursor::new(cut.to_vec()))),
            ];
            for source in sources {
                match archive(source) {
                    Ok(found) => {
                        assert!(found == whole, "{command}: cut at {len} it is another archive");
                        assert!(len >= end, "{command}: cut at {len} of {end} it is taken for whole");
                        complete += 1;
                    }
                    Err(error) => {
                        let told = error.to_string();
                        assert!(told.contains("x.tar") && told.contains("it ends"), "{len}: {told}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(complete > 2 && refused > 40, "{command}: {complete} complete, {refused} refused");
    }
}
