//! The coordinator of `make` and its workers.

use std::collections::VecDeque;

use desync_core::digest::HashKernel;
use desync_core::format::IndexItem;
use desync_core::{ChunkId, DigestKind, VerifiedChunk};
use desync_store::{ChunkStore, WriteOnce};

use super::blocks::{Block, Blocks, Planned, Unread};
use super::cutter::{ChunkBytes, Cut, Cutter};
use super::header::header;
use super::scan::{Scan, Scanned};
use super::{Extents, IndexSink, MakeOptions, MakeStats, UNNAMED, null_id};
use crate::pool::{InOrder, Pool};
use crate::{Context, Error, Phase};

/// Blocks read ahead beyond one for each worker.
const BLOCKS_AHEAD: usize = 2;

/// Bytes of chunks from which a batch is sent to be named, however many chunks they are. A worker that is given all
/// that may be on its way leaves nothing for the others. 26 chunks of 80 KiB fill eight lanes to 95 %; the sixteen of
/// SHA-256 would be fuller with more, by a twentieth of what cutting and naming takes.
const BATCH_BYTES: u64 = 2 << 20;

/// Bytes of chunks on their way beyond [`BYTES_PER_WORKER`] for each worker: with them, two workers have a batch each
/// while the next one is gathered. Buffers that a processor's caches do not hold are slow to read into.
const BYTES_AHEAD: u64 = 4 << 20;

/// Bytes of chunks on their way for each worker: enough that none waits while the coordinator reads.
const BYTES_PER_WORKER: u64 = 1 << 20;

/// What a worker is asked to do.
enum Job {
    /// Find the candidates of the block that is stretch number so and so.
    Scan(u64, Block),
    /// The same, once it is read.
    ReadAndScan(u64, Unread),
    /// Name these chunks, each with its number, and keep those that the store lacks.
    Keep(Vec<(u64, ChunkBytes)>),
}

/// What a worker answers.
enum Answer {
    /// A stretch, by its number.
    Scanned(u64, Scanned),
    /// The names of chunks that are kept, each with its number, and the length of all.
    Kept(Vec<(u64, ChunkId)>, u64),
}

/// What becomes of the chunks.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
    /// They are named, and kept in a store.
    Keep(&'a dyn ChunkStore),
    /// They are named.
    Name,
    /// Where they end is all that is wanted.
    Cut,
}

pub(super) fn run(
    input: &mut dyn Extents,
    purpose: Purpose<'_>,
    options: &MakeOptions,
    sink: &mut dyn IndexSink,
    context: &Context<'_>,
) -> Result<MakeStats, Error> {
    let store = match purpose {
        Purpose::Keep(store) => Some(WriteOnce::new(store)),
        Purpose::Name | Purpose::Cut => None,
    };
    let kernels = context.kernels;
    let scan = Scan::new(&options.sizes, options.rule, kernels.scan);
    let worker = || {
        let store = store.as_ref();
        move |job| match job {
            Job::Scan(number, block) => Ok(Answer::Scanned(number, scan.scan(block))),
            Job::ReadAndScan(number, block) => Ok(Answer::Scanned(number, scan.scan(block.read()?))),
            Job::Keep(batch) => keep(batch, options.digest, kernels.hash, store),
        }
    };
    context.progress.begin(Phase::Chunking, input.blob_len().unwrap_or(0));
    let stats = Pool::run_busy(context, worker, |pool| {
        Coordinator {
            pool,
            blocks: Blocks::new(input, scan.looks_at_zeros()),
            cutter: Cutter::new(&options.sizes, options.rule, scan),
            sink,
            context,
            options,
            null_id: null_id(options),
            are_named: !matches!(purpose, Purpose::Cut),
            stretches: VecDeque::new(),
            first_stretch: 0,
            ends: VecDeque::new(),
            names: InOrder::new(),
            batch: Vec::new(),
            chunks_cut: 0,
            bytes_on_their_way: 0,
            null_kept: store.is_none(),
            stats: MakeStats::default(),
        }
        .run()
    })?;
    context.progress.end();
    if let Some(store) = &store {
        context.progress.begin(Phase::Storing, stats.chunks);
        store.flush()?;
        context.progress.advance(stats.chunks);
        context.progress.end();
    }
    Ok(stats)
}

/// Bytes of all chunks of a batch.
fn len_of(batch: &[(u64, ChunkBytes)]) -> u64 {
    batch.iter().map(|(_, bytes)| bytes.as_ref().len() as u64).sum()
}

/// Names chunks side by side and puts each into the store, unless it is there.
fn keep(
    batch: Vec<(u64, ChunkBytes)>,
    digest: DigestKind,
    hash: HashKernel,
    store: Option<&WriteOnce<&dyn ChunkStore>>,
) -> Result<Answer, Error> {
    let len = len_of(&batch);
    let (numbers, chunks): (Vec<u64>, Vec<ChunkBytes>) = batch.into_iter().unzip();
    let chunks = VerifiedChunk::name_many(hash, digest, chunks);
    if let Some(store) = store {
        for chunk in &chunks {
            store.keep(chunk.borrow())?;
        }
    }
    let names = numbers.into_iter().zip(chunks.iter().map(VerifiedChunk::id)).collect();
    Ok(Answer::Kept(names, len))
}

/// Plans ahead, chooses cuts in order, emits index items in order, and bounds what is on its way.
struct Coordinator<'a, 'p> {
    pool: &'a mut Pool<'p, Job, Answer>,
    blocks: Blocks<'a>,
    cutter: Cutter,
    sink: &'a mut dyn IndexSink,
    context: &'a Context<'a>,
    options: &'a MakeOptions,
    null_id: ChunkId,
    are_named: bool,
    /// Stretches planned but not cut, in order; `None` while a worker has it.
    stretches: VecDeque<Option<Scanned>>,
    /// Number of the stretch at the front.
    first_stretch: u64,
    /// Ends of chunks whose items have not been emitted, in order.
    ends: VecDeque<u64>,
    names: InOrder<ChunkId>,
    /// Chunks cut that have not been sent to be named.
    batch: Vec<(u64, ChunkBytes)>,
    chunks_cut: u64,
    bytes_on_their_way: u64,
    /// Whether the null chunk needs no keeping any more.
    null_kept: bool,
    stats: MakeStats,
}

impl Coordinator<'_, '_> {
    fn run(mut self) -> Result<MakeStats, Error> {
        let mut at_end = false;
        let mut header_sent = false;
        loop {
            while !at_end && self.may_read() {
                self.context.cancel.check()?;
                let planned = self.blocks.next()?;
                if !header_sent {
                    self.sink.header(&header(planned.as_ref(), self.options)?)?;
                    header_sent = true;
                }
                match planned {
                    Some(planned) => self.scan(planned),
                    None => at_end = true,
                }
            }
            self.cut();
            self.emit()?;
            if at_end && self.stretches.is_empty() {
                break;
            }
            if self.pool.in_flight() > 0 {
                self.wait()?;
            }
        }
        if let Some(cut) = self.cutter.finish() {
            self.take(cut);
        }
        self.send_batch();
        while self.pool.in_flight() > 0 {
            self.wait()?;
        }
        self.blocks.check_end()?;
        self.emit()?;
        Ok(self.stats)
    }

    /// Whether memory allows another block.
    fn may_read(&self) -> bool {
        let workers = self.context.workers.get();
        self.stretches.len() < workers + BLOCKS_AHEAD
            && self.bytes_on_their_way < BYTES_AHEAD + BYTES_PER_WORKER * workers as u64
    }

    fn scan(&mut self, planned: Planned) {
        let number = self.first_stretch + self.stretches.len() as u64;
        let job = match planned {
            Planned::Read(block) => Job::Scan(number, block),
            Planned::Unread(block) => Job::ReadAndScan(number, block),
            Planned::Gap(len) => {
                return self.stretches.push_back(Some(Scanned::gap(len)));
            }
        };
        self.pool.submit(job);
        self.stretches.push_back(None);
    }

    /// Cuts every stretch whose turn it is and whose candidates are known.
    fn cut(&mut self) {
        while let Some(scanned) = self.stretches.front_mut().and_then(Option::take) {
            self.stretches.pop_front();
            self.first_stretch += 1;
            let mut cuts = Vec::new();
            self.cutter.push(&scanned, |cut| cuts.push(cut));
            for cut in cuts {
                self.take(cut);
            }
        }
        // A worker that has nothing to do is worse than lanes that have not.
        if self.pool.in_flight() < self.context.workers.get() {
            self.send_batch();
        }
    }

    /// Gathers a chunk to be named and kept, with as many others as are hashed side by side.
    fn take(&mut self, cut: Cut) {
        let number = self.chunks_cut;
        self.chunks_cut += 1;
        self.ends.push_back(cut.end);
        match cut.bytes {
            Some(_) if !self.are_named => self.names.insert(number, UNNAMED),
            Some(bytes) => self.keep(number, bytes),
            None if self.null_kept => self.names.insert(number, self.null_id),
            None => {
                self.null_kept = true;
                self.keep(number, ChunkBytes::zeros(self.options.sizes.max()));
            }
        }
    }

    fn keep(&mut self, number: u64, bytes: ChunkBytes) {
        self.bytes_on_their_way += bytes.as_ref().len() as u64;
        self.batch.push((number, bytes));
        let enough = self.batch.len() >= self.context.kernels.hash.batch_len();
        if enough || len_of(&self.batch) >= BATCH_BYTES {
            self.send_batch();
        }
    }

    fn send_batch(&mut self) {
        if !self.batch.is_empty() {
            self.pool.submit(Job::Keep(std::mem::take(&mut self.batch)));
        }
    }

    /// Emits the items whose turn it is.
    fn emit(&mut self) -> Result<(), Error> {
        while let Some(id) = self.names.pop() {
            let end = self.ends.pop_front().expect("each named chunk was cut");
            self.context.progress.advance(end - self.stats.bytes);
            self.stats.bytes = end;
            self.stats.chunks += 1;
            self.sink.item(IndexItem { end, id })?;
        }
        Ok(())
    }

    /// Waits for an answer, and takes those that are there besides.
    fn wait(&mut self) -> Result<(), Error> {
        let mut answer = Some(self.pool.recv()?);
        while let Some((_, taken)) = answer {
            match taken {
                Answer::Scanned(number, scanned) => {
                    let place = usize::try_from(number - self.first_stretch).expect("stretches fit memory");
                    self.stretches[place] = Some(scanned);
                }
                Answer::Kept(names, len) => {
                    self.bytes_on_their_way -= len;
                    names.into_iter().for_each(|(number, id)| self.names.insert(number, id));
                }
            }
            answer = self.pool.try_recv()?;
        }
        Ok(())
    }
}
