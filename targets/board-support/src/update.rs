//! An update as every board runs it: flash, line and memory brought together.

use core::convert::Infallible;
use core::pin::pin;

use alloc::vec;

use desync_core::codec::stream_memory;
use desync_core::protocol::link::{LinkClient, Timing};
use desync_core::update::{
    Blocking, Config, Layout, LinkError, LinkPort, LinkSource, Nor, NorError, Region, Report, UpdateError,
    Updater, Workspace, block_on, words_needed,
};
use desync_core::{DigestKind, Limits};

use crate::flash::{BeyondEnd, Cells, ERASE_LEN, RuledFlash};
use crate::options::Options;

/// The window of `desync make --profile device`, in bytes.
const WINDOW: usize = 4 << 10;

/// What a board of this size allows.
const LIMITS: Limits = Limits {
    chunk_len_max: 256 << 10,
    index_chunks_max: 400,
    zstd_window_max: WINDOW as u64,
    ..Limits::HOST
};

/// Longest piece that is asked for at once, in bytes.
const PIECE_LEN: u16 = 512;

/// How many silences in a row are borne.
const SILENCES: u8 = 4;

/// Why there was no update.
pub type Failure = UpdateError<NorError<BeyondEnd>, LinkError<Infallible>>;

/// Flash as the updater wants it.
pub type BoardFlash<C> = Nor<Blocking<RuledFlash<C>>>;

/// A journal of four sectors, indexes of 400 chunks, and slots of this length, from address 0 on.
#[must_use]
pub const fn layout(slot_len: u64) -> Layout {
    const SECTOR: u64 = ERASE_LEN as u64;
    const INDEX_LEN: u64 = 4 * SECTOR;
    const JOURNAL_LEN: u64 = 4 * SECTOR;
    const SLOTS: u64 = JOURNAL_LEN + 2 * INDEX_LEN;
    Layout {
        journal: Region { start: 0, len: JOURNAL_LEN },
        indexes: [
            Region { start: JOURNAL_LEN, len: INDEX_LEN },
            Region { start: JOURNAL_LEN + INDEX_LEN, len: INDEX_LEN },
        ],
        slots: [Region { start: SLOTS, len: slot_len }, Region { start: SLOTS + slot_len, len: slot_len }],
    }
}

/// Asks the host at the other end of the line for an update and carries it out, on trial at the end; says on
/// standard output what it took.
///
/// The host's word is taken for what is offered: a product would ask a signed manifest.
///
/// # Errors
/// [`Failure`]: the board goes on as before.
pub fn update<C: Cells>(
    flash: BoardFlash<C>,
    layout: Layout,
    mut port: impl LinkPort<Error = Infallible>,
    options: &Options,
) -> Result<Report, Failure> {
    let mut buffer = vec![0; LinkClient::buffer_len(PIECE_LEN)];
    let timing = Timing { answer: options.answer_ms, silence: options.silence_ms };
    let number = port.now() as u16; // any number will do
    let Some(client) = LinkClient::new(&mut buffer, timing, number) else {
        return Err(UpdateError::Source(LinkError::NothingBegun)); // the buffer was made for it
    };
    let mut source = LinkSource::new(port, client, LIMITS, SILENCES);
    // Pinned where it is made: handed over by value, it would lie on the stack twice.
    let result = block_on(pin!(run(flash, layout, &mut source)));
    let asked = source.asked_bytes();
    let is_well = matches!(result, Ok(_) | Err(UpdateError::Current));
    let status = u8::from(!is_well);
    // Whether the host hears it changes nothing here.
    let _ = block_on(source.close(status));
    let report = result?;
    semihosting::println!(
        "update: fetched {} copied {} zero {} in-place {} erased {} programmed {} asked {asked}",
        report.fetched.bytes,
        report.copied.bytes,
        report.zero.bytes,
        report.in_place.bytes,
        report.sectors_erased,
        report.sectors_programmed,
    );
    Ok(report)
}

async fn run<C: Cells, P: LinkPort<Error = Infallible>>(
    flash: BoardFlash<C>,
    layout: Layout,
    source: &mut LinkSource<'_, P>,
) -> Result<Report, Failure> {
    let offer = source.offer().await.map_err(UpdateError::Source)?;
    defmt::info!("offered: {}", offer);
    let config =
        Config { layout, limits: LIMITS, digest: DigestKind::Sha512_256, trial_boots: 2, lookup_key: 0x5eed };
    // Not more than the limits allow, whatever is offered: the updater then refuses it.
    let chunks = offer.chunks().unwrap_or(0).min(LIMITS.index_chunks_max as u32);
    let mut sector = vec![0; ERASE_LEN];
    let mut words = vec![0; words_needed(chunks)];
    let mut zstd = vec![0; stream_memory(WINDOW)];
    let workspace = Workspace { sector: &mut sector, words: &mut words, zstd: &mut zstd };
    Updater::new(flash, config)?.run(&offer, source, workspace).await
}
