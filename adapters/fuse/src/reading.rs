//! Answering a read: at once if nothing has to be fetched, otherwise by a worker.

use core::ops::Range;
use std::sync::Arc;

use desync_engine::{Blob, ReadAhead};
use fuser::{Errno, ReplyData};

/// Answers a read of a range of the blob, and has fetched ahead what `reader` will ask for next. A chunk that
/// cannot be had is `EIO` for this read; the next one tries again.
pub(crate) fn answer(blob: &Arc<Blob>, reader: Option<&ReadAhead>, range: Range<u64>, reply: ReplyData) {
    if let Some(reader) = reader {
        blob.expect(reader, range.clone());
    }
    if let Some(bytes) = blob.read_now(range.clone()) {
        return reply.data(bytes.as_ref());
    }
    let reading = Arc::clone(blob);
    blob.run(move || match reading.read(range) {
        Ok(bytes) => reply.data(bytes.as_ref()),
        Err(error) => {
            log::warn!("{error}");
            reply.error(Errno::EIO);
        }
    });
}
