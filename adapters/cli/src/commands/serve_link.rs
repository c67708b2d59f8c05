//! `serve-link`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use desync_files::Durability;
use desync_remote::{LinkEnd, LinkHost};
use rustix::fs::OFlags;
use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};

use crate::args::ServeLinkArgs;
use crate::session::Session;
use crate::settings::{DeviceLine, Location, at_least_one, optional_location, workers};
use crate::{indexes, output};

/// How long to wait before a line that closed is tried again.
const REOPEN: Duration = Duration::from_millis(300);

/// A line in both directions.
trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

pub(super) fn run(args: &ServeLinkArgs, session: &Session) -> anyhow::Result<()> {
    workers(args.stores.concurrency)?;
    let line = DeviceLine::new(&args.device, args.baud)?;
    let stores = session.stores(&args.stores, Durability::Sync)?;
    let sources = at_least_one(&args.source.store, "no store provided")?;
    let cache = optional_location(args.source.cache.as_ref());
    let store = stores.source(&sources, cache.as_ref())?;
    let index = indexes::read(&Location::new(&args.index), session)?;
    let bytes = index.encode_to_vec()?;
    let mut host = LinkHost::new(&bytes, &index.header, &store);

    // What cannot be opened at first is a mistake; later the device may be restarting.
    let mut opened = Some(open(&line).with_context(|| args.device.display().to_string())?);
    loop {
        session.cancel.check()?;
        let Some(mut stream) = opened.take().or_else(|| open(&line).ok()) else {
            thread::sleep(REOPEN);
            continue;
        };
        let ended = host.serve(&mut stream);
        // The device has yet to read the last answer, and an emulator forgets it when we hang up.
        thread::sleep(REOPEN);
        match ended {
            Ok(LinkEnd::Closed { status }) if args.keep.unwrap_or(false) => {
                output::say(format_args!("device is done, status {status}"));
            }
            Ok(LinkEnd::Closed { status: 0 }) => return Ok(()),
            Ok(LinkEnd::Closed { status }) => bail!("the device reports failure {status}"),
            Ok(LinkEnd::HungUp) => log::info!("the line was closed"),
            Err(error) => log::info!("the line: {error}"),
        }
        drop(stream);
    }
}

fn open(line: &DeviceLine) -> io::Result<Box<dyn Line>> {
    match line {
        DeviceLine::Tcp(peer) => {
            let stream = TcpStream::connect(peer)?;
            // Answers are short, and the device waits for each.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        DeviceLine::Path { path, .. } if path.metadata()?.file_type().is_socket() => {
            Ok(Box::new(UnixStream::connect(path)?))
        }
        DeviceLine::Path { path, baud } => Ok(Box::new(open_port(path, *baud)?)),
    }
}

/// Opens a serial port: eight bits, no parity, no flow control, nothing changed on the way.
fn open_port(path: &Path, baud: u32) -> io::Result<File> {
    let no_terminal = OFlags::NOCTTY.bits().cast_signed();
    let port = File::options().read(true).write(true).custom_flags(no_terminal).open(path)?;
    let mut settings = tcgetattr(port.as_fd())?;
    settings.make_raw();
    settings.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
    settings.control_modes -= ControlModes::CRTSCTS;
    settings.set_speed(baud)?;
    tcsetattr(port.as_fd(), OptionalActions::Flush, &settings)?;
    Ok(port)
}
