//! Reading an archive from bytes in any split, without I/O.
//!
//! Every rule of the format is checked, tables of names included. Names come in the order of the archive; what a
//! name may do to a file system is the caller's business.
//!
//! Invariants
//! - However the input is split, the same events come out (test: `any_split_gives_the_same`).
//! - [`Decoder::finish`] succeeds only after the root's end as the last bytes (test:
//!   `truncation_anywhere_is_an_error`).
//! - Memory is bounded by the [`Limits`], whatever a record claims.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::check;
use super::draft::{self, Draft};
use super::error::{CatarError, Problem};
use super::goodbye::{Child, Item, goodbye_len, name_hash, rank};
use super::node::{Content, Node};
use super::record::{HEAD_LEN, ITEM_LEN, Record, word};
use crate::format::{FeatureFlags, Strictness};
use crate::limits::Limits;

/// What [`Decoder::next`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A node. If it is a directory, its children follow, and then [`Event::Leave`]; if it is a file, its
    /// [`Event::Data`].
    Node(Box<Node>),
    /// Bytes of the file that came last.
    Data {
        /// The next bytes; empty only if the file is.
        bytes: &'a [u8],
        /// Whether the file ends with them.
        is_last: bool,
    },
    /// The end of the innermost open directory.
    Leave,
}

/// What is known of an archive beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// The feature flags that an index gives its archive.
    pub features: Option<FeatureFlags>,
    /// Length of the archive in bytes.
    pub len: Option<u64>,
}

/// A decoder that is fed bytes and gives events.
#[derive(Clone, Debug)]
pub struct Decoder {
    limits: Limits,
    strictness: Strictness,
    expected: Expected,
    state: State,
    /// Bytes taken so far, those of `pending` included.
    offset: u64,
    /// Where the present record began.
    start: u64,
    /// The start of something whose rest has not come yet.
    pending: Vec<u8>,
    /// Name of the node that comes.
    name: Vec<u8>,
    /// The node that is being read.
    draft: Option<Draft>,
    /// The open directories, the root first.
    open: Vec<Level>,
    /// Names that the open directories remember.
    names: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before a record.
    Head,
    /// Behind a head that was checked, before a body of this length.
    Body {
        record: Record,
        len: usize,
    },
    /// Behind the head of a FILENAME or GOODBYE, which ended the node that was just handed out.
    Closed {
        record: Record,
        len: u64,
    },
    Payload {
        left: u64,
    },
    /// In a table of names: how many of its items have been seen.
    Items {
        seen: u64,
    },
    Ended,
    Failed(CatarError),
}

/// An open directory.
#[derive(Clone, Debug)]
struct Level {
    /// Where its ENTRY starts.
    entry: u64,
    count: u64,
    last_name: Vec<u8>,
    /// The children, as long as there is room to remember them.
    children: Option<Vec<Child>>,
}

impl Decoder {
    /// A decoder at the start of an archive. Lenient: names in any order (but each once), names of owners that
    /// casync cannot read, and extended attributes of symbolic links are accepted too.
    #[must_use]
    pub const fn new(limits: Limits, strictness: Strictness, expected: Expected) -> Self {
        Self {
            limits,
            strictness,
            expected,
            state: State::Head,
            offset: 0,
            start: 0,
            pending: Vec::new(),
            name: Vec::new(),
            draft: None,
            open: Vec::new(),
            names: 0,
        }
    }

    /// The archive's feature flags: known once its first node came.
    #[must_use]
    pub const fn features(&self) -> Option<FeatureFlags> {
        self.expected.features
    }

    /// Bytes taken so far.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many directories are open.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.open.len()
    }

    /// Takes bytes from the front of `input` up to and including the next event; `None` once `input` is used
    /// up and more is needed.
    ///
    /// # Errors
    /// [`CatarError`] at the first record that makes the input no archive. The decoder gives the same error
    /// from then on.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, CatarError> {
        let result = self.step_until_event(input);
        if let Err(error) = result {
            self.state = State::Failed(error);
        }
        result
    }

    /// Declares the end of the input.
    ///
    /// # Errors
    /// [`Problem::Truncated`] if the root's end has not been seen, or the error met before.
    pub const fn finish(&self) -> Result<(), CatarError> {
        match self.state {
            State::Ended => Ok(()),
            State::Failed(error) => Err(error),
            _ => Err(Problem::Truncated.at(self.offset)),
        }
    }

    fn step_until_event<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, CatarError> {
        loop {
            let event = match self.state {
                State::Failed(error) => return Err(error),
                State::Ended if input.is_empty() => return Ok(None),
                State::Ended => return Err(Problem::TrailingBytes.at(self.offset)),
                State::Payload { left } if left > 0 && input.is_empty() => return Ok(None),
                State::Payload { left } => return Ok(Some(self.payload(input, left))),
                State::Closed { record, len } => {
                    self.begin_closed(record, len).map_err(|problem| problem.at(self.start))?;
                    continue;
                }
                State::Head | State::Body { .. } | State::Items { .. } => {
                    let wanted = self.gathered_len();
                    if !self.gather(input, wanted) {
                        return Ok(None);
                    }
                    let bytes = core::mem::take(&mut self.pending);
                    let event = self.gathered(&bytes).map_err(|problem| problem.at(self.start));
                    self.pending = bytes;
                    self.pending.clear();
                    event?
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    /// How many bytes must be pending before they mean something.
    const fn gathered_len(&self) -> usize {
        match self.state {
            State::Body { len, .. } => len,
            State::Items { .. } => ITEM_LEN,
            _ => HEAD_LEN,
        }
    }

    /// Moves bytes from `input` until `wanted` are pending; whether they are.
    fn gather(&mut self, input: &mut &[u8], wanted: usize) -> bool {
        let (front, rest) = input.split_at((wanted - self.pending.len()).min(input.len()));
        self.pending.extend_from_slice(front);
        self.offset += front.len() as u64;
        *input = rest;
        self.pending.len() == wanted
    }

    fn gathered<'a>(&mut self, bytes: &[u8]) -> Result<Option<Event<'a>>, Problem> {
        match self.state {
            State::Body { record, .. } => self.body(record, bytes),
            State::Items { seen } => self.item(seen, bytes),
            _ => self.head(bytes),
        }
    }

    /// Judges size and type of a record; a name or an end also ends a node that has no content.
    fn head<'a>(&mut self, head: &[u8]) -> Result<Option<Event<'a>>, Problem> {
        self.start = self.offset - HEAD_LEN as u64;
        let (len, kind) = (word(head, 0), word(head, 8));
        let record = Record::from_word(kind).ok_or(Problem::UnknownRecord { word: kind })?;
        let (shortest, longest) = record.body_lens();
        let body = len.checked_sub(HEAD_LEN as u64).filter(|body| (shortest..=longest).contains(body));
        let body = body.ok_or(Problem::RecordLength { record, len })?;
        let end = self.start.checked_add(len).ok_or(Problem::BeyondEnd { len })?;
        if self.expected.len.is_some_and(|whole| end > whole) {
            return Err(Problem::BeyondEnd { len });
        }
        let Some(draft) = &mut self.draft else {
            self.begin(record, body)?;
            return Ok(None);
        };
        if record.is_metadata() {
            draft.admit(record, body, &self.limits)?;
            self.expect_body(record, body);
            return Ok(None);
        }
        draft.wants(record)?;
        if matches!(record, Record::Symlink | Record::Device) {
            self.expect_body(record, body);
            return Ok(None);
        }
        self.state = match record {
            Record::Payload => State::Payload { left: body },
            _ => State::Closed { record, len: body },
        };
        self.close(body, &[])
    }

    const fn expect_body(&mut self, record: Record, len: u64) {
        // Bounded by the type of the record.
        self.state = State::Body { record, len: len as usize };
    }

    /// Begins a record between nodes: an ENTRY, a name or an end.
    fn begin(&mut self, record: Record, len: u64) -> Result<(), Problem> {
        let is_node_due = self.open.is_empty() || !self.name.is_empty();
        match record {
            Record::Entry if is_node_due => {
                let max = self.limits.archive_depth_max;
                if self.open.len() >= max {
                    return Err(Problem::TooDeep { max });
                }
                self.expect_body(record, len);
                Ok(())
            }
            Record::Filename | Record::Goodbye if !is_node_due => self.begin_closed(record, len),
            _ => Err(Problem::OutOfPlace { record }),
        }
    }

    /// Begins a name or an end, at which the child before it ends.
    fn begin_closed(&mut self, record: Record, len: u64) -> Result<(), Problem> {
        let start = self.start;
        let Some(level) = self.open.last_mut() else { return Err(Problem::OutOfPlace { record }) };
        if let Some(last) = level.children.as_mut().and_then(|children| children.last_mut()) {
            last.end = start;
        }
        if record == Record::Filename {
            self.expect_body(record, len);
            return Ok(());
        }
        if goodbye_len(level.count) != Some(len + HEAD_LEN as u64) {
            return Err(Problem::Goodbye("its length does not fit the number of names"));
        }
        if let Some(children) = &mut level.children {
            children.sort_unstable();
            if children.array_windows().any(|[a, b]| a.hash == b.hash)
                && self.strictness == Strictness::Lenient
            {
                return Err(Problem::NameOrder);
            }
        }
        self.state = State::Items { seen: 0 };
        Ok(())
    }

    fn body<'a>(&mut self, record: Record, body: &[u8]) -> Result<Option<Event<'a>>, Problem> {
        self.state = State::Head;
        match record {
            Record::Entry => {
                self.entry(body)?;
                Ok(None)
            }
            Record::Filename => {
                self.filename(body)?;
                Ok(None)
            }
            Record::Symlink | Record::Device => self.close(0, body),
            _ => {
                let draft = self.draft.as_mut().ok_or(Problem::OutOfPlace { record })?;
                draft.metadata(record, body)?;
                Ok(None)
            }
        }
    }

    fn entry(&mut self, body: &[u8]) -> Result<(), Problem> {
        let draft = Draft::begin(core::mem::take(&mut self.name), body, self.start)?;
        match self.expected.features {
            Some(expected) if expected != draft.features => {
                return Err(Problem::FeaturesDiffer {
                    found: draft.features.bits(),
                    expected: expected.bits(),
                });
            }
            Some(_) if !self.open.is_empty() => {}
            _ => draft.features.check_strict().map_err(Problem::Flags)?,
        }
        self.expected.features = Some(draft.features);
        self.draft = Some(draft);
        Ok(())
    }

    fn filename(&mut self, body: &[u8]) -> Result<(), Problem> {
        self.name = draft::text(Record::Filename, body).map_err(|_| Problem::Name)?;
        check::name(&self.name)?;
        let Some(level) = self.open.last_mut() else { return Ok(()) };
        let is_ordered = level.count == 0 || level.last_name.cmp(&self.name) == Ordering::Less;
        if !is_ordered && self.strictness == Strictness::Strict {
            return Err(Problem::NameOrder);
        }
        level.last_name.clone_from(&self.name);
        level.count += 1;
        if self.names >= self.limits.archive_names_max {
            // Only the frame of this directory's table can be checked now.
            self.names -= level.children.take().map_or(0, |children| children.len());
        }
        if let Some(children) = &mut level.children {
            children.push(Child { hash: name_hash(&self.name), start: self.start, end: 0 });
            self.names += 1;
        }
        Ok(())
    }

    /// Hands out the node that is complete now.
    fn close<'a>(&mut self, payload_len: u64, body: &[u8]) -> Result<Option<Event<'a>>, Problem> {
        let Some(draft) = self.draft.take() else { return Ok(None) };
        let (entry, features) = (draft.start, draft.features);
        let node = draft.close(payload_len, body)?;
        if self.open.is_empty() && !node.content.is_directory() {
            return Err(Problem::RootKind);
        }
        check::node(&node, features, self.strictness)?;
        if node.content.is_directory() {
            self.open.push(Level { entry, count: 0, last_name: Vec::new(), children: Some(Vec::new()) });
        }
        Ok(Some(Event::Node(Box::new(node))))
    }

    fn payload<'a>(&mut self, input: &mut &'a [u8], left: u64) -> Event<'a> {
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let (bytes, rest) = input.split_at(len);
        *input = rest;
        self.offset += len as u64;
        let left = left - len as u64;
        self.state = if left == 0 { State::Head } else { State::Payload { left } };
        Event::Data { bytes, is_last: left == 0 }
    }

    /// Compares an item of a table with the child that belongs there.
    fn item<'a>(&mut self, seen: u64, bytes: &[u8]) -> Result<Option<Event<'a>>, Problem> {
        let mut item = [0; ITEM_LEN];
        item.copy_from_slice(bytes);
        let item = Item::parse(&item);
        let Some(level) = self.open.last() else { return Ok(None) };
        if seen < level.count {
            if let Some(children) = &level.children {
                let child = &children[rank(seen, level.count) as usize];
                if item != Item::of(child, self.start) {
                    return Err(Problem::Goodbye("an item is not that of its name"));
                }
            }
            self.state = State::Items { seen: seen + 1 };
            return Ok(None);
        }
        let len = goodbye_len(level.count).unwrap_or(u64::MAX);
        if item != Item::tail(level.entry, self.start, len) {
            return Err(Problem::Goodbye("its end does not lead to its directory"));
        }
        let level = self.open.pop();
        self.names -= level.and_then(|level| level.children).map_or(0, |children| children.len());
        self.state = if self.open.is_empty() { State::Ended } else { State::Head };
        Ok(Some(Event::Leave))
    }
}

/// Reads one node whose ENTRY starts at `start` from the bytes there, and where its children or data begin:
/// `None` if `bytes` do not hold all of it.
pub(super) fn node_at(
    bytes: &[u8],
    start: u64,
    features: FeatureFlags,
    strictness: Strictness,
    limits: &Limits,
) -> Result<Option<(Node, u64)>, CatarError> {
    let expected = Expected { features: Some(features), len: None };
    let mut decoder = Decoder::new(*limits, strictness, expected);
    decoder.offset = start;
    // As if it stood in a directory: then it may be of any kind.
    decoder.open.push(Level { entry: 0, count: 0, last_name: Vec::new(), children: None });
    decoder.name.push(b'?');
    let mut input = bytes;
    match decoder.next(&mut input)? {
        Some(Event::Node(node)) => {
            let ends_at_next = matches!(node.content, Content::Directory | Content::Fifo | Content::Socket);
            let end = if ends_at_next { decoder.start } else { decoder.offset };
            Ok(Some((Node { name: Vec::new(), ..*node }, end)))
        }
        _ => Ok(None),
    }
}
