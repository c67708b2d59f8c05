//! What both servers do: open sockets, run, hear signals.

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use desync_server::{Control, Readiness, RequestLog, ServerOptions, Site, notify, serve};
use listenfd::ListenFd;

use crate::output;
use crate::session::Session;
use crate::settings::{ListenAddress, ServerSetting};
use crate::signals::{self, Request};
use crate::system;

/// How long requests under way have when the server is asked to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// How long the server has to end, draining included.
const PATIENCE: Duration = Duration::from_secs(25);

/// Runs a server until it is told to stop. `reload` is called at each SIGHUP, before certificates and log are
/// looked at again.
pub(super) fn run(
    site: Site,
    setting: ServerSetting,
    session: &Session,
    reload: impl Fn() + Send,
) -> anyhow::Result<()> {
    system::raise_file_limit();
    let options = ServerOptions {
        listeners: listeners(&setting.listen)?,
        tls: setting.tls,
        authorization: setting.authorization,
        request_log: setting.log.map(open_log).transpose()?,
        metrics: setting.metrics.as_ref().map(bind).transpose()?,
        limits: setting.limits,
    };
    let (asked, requests) = mpsc::channel();
    let hear = asked.clone();
    // Before anyone is told where it listens: who knows that may send a signal.
    signals::serve(&session.cancel, PATIENCE, move |request| {
        let _ = hear.send(Some(request));
    })?;
    for listener in options.listeners.iter().chain(&options.metrics) {
        if let Ok(address) = listener.local_addr() {
            log::info!("listening on {address}");
        }
    }
    thread::scope(|scope| {
        let ended = serve(site, options, |control| {
            scope.spawn(move || obey(&requests, &control, &reload));
            notify(Readiness::Ready);
        });
        // Nothing more to hear.
        let _ = asked.send(None);
        Ok(ended?)
    })
}

/// Does what signals ask, until the server has ended.
fn obey(requests: &mpsc::Receiver<Option<Request>>, control: &Control, reload: &impl Fn()) {
    while let Ok(Some(request)) = requests.recv() {
        match request {
            Request::Stop => {
                notify(Readiness::Stopping);
                control.stop(DRAIN);
            }
            Request::Reload => {
                reload();
                if let Err(error) = control.reload() {
                    output::say(format_args!("failed to reload configuration: {error}"));
                }
            }
        }
    }
}

/// The sockets that were handed over, and those that are asked for.
fn listeners(asked: &[ListenAddress]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    let mut handed_over = ListenFd::from_env();
    for number in 0..handed_over.len() {
        let listener = handed_over.take_tcp_listener(number);
        listeners.extend(listener.with_context(|| format!("socket {number} that was handed over"))?);
    }
    for address in asked {
        listeners.push(bind(address)?);
    }
    if listeners.is_empty() {
        listeners.push(bind(&ListenAddress::http())?);
    }
    Ok(listeners)
}

fn bind(address: &ListenAddress) -> anyhow::Result<TcpListener> {
    address.bind().map_err(|error| anyhow!("listen on {address}: {error}"))
}

fn open_log(target: desync_server::LogTarget) -> anyhow::Result<RequestLog> {
    let shown = format!("request log {target:?}");
    RequestLog::open(target).context(shown)
}
