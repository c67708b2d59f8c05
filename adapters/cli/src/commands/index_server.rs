//! `index-server`.

use std::sync::Arc;

use desync_server::{IndexSite, Site};

use super::server;
use crate::args::IndexServerArgs;
use crate::index_stores;
use crate::output;
use crate::session::Session;
use crate::settings::{ServerSetting, one_location, workers};

pub(super) fn run(args: &IndexServerArgs, session: &Session) -> anyhow::Result<()> {
    workers(args.stores.concurrency)?;
    let setting = ServerSetting::new(&args.server)?;
    if args.server.writeable.is_some() {
        output::say("Flag --writeable has been deprecated, use --writable instead");
    }
    let location = one_location(args.store.as_ref(), "no store provided")?;
    let site = IndexSite {
        store: index_stores::served(&location, session)?,
        is_writable: setting.writable,
        digest: session.digest,
    };
    server::run(Site::Indexes(Arc::new(site)), setting, session, || ())
}
