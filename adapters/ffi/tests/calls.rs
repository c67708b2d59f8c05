//! The functions of the header, called as C calls them.
#![allow(unsafe_code, reason = "C has no other kind of call")]

mod world;

use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;

use desync_core::format::StorageForm;
use desync_core::protocol::link::{Answer, Ask, LINK_VERSION, LinkServer};
use desync_core::{ChunkId, DigestKind};
use desync_ffi::*;
use world::{CONFIG, LAYOUT, Release, World};

/// Memory aligned as C is told to.
struct Memory(Vec<u64>);

impl Memory {
    fn new(len: usize) -> Self {
        Self(vec![0xa5a5; len.div_ceil(8)])
    }

    fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }

    fn len(&self) -> usize {
        self.0.len() * 8
    }
}

fn needed(world: &mut World) -> usize {
    let mut len = 0;
    let index_len = world.release.index.len() as u64;
    // SAFETY: every pointer points to what it should.
    let status = unsafe { desync_updater_memory_len(&CONFIG, &world.flash(), index_len, &mut len) };
    assert_eq!(status, Status::Ok);
    len
}

fn new_updater(memory: &mut Memory, world: &mut World) -> Result<*mut Updater, Status> {
    let mut updater = null_mut();
    let len = memory.len();
    // SAFETY: every pointer points to what it should.
    match unsafe { desync_updater_new(memory.start(), len, &CONFIG, &world.flash(), &mut updater) } {
        Status::Ok => Ok(updater),
        status => Err(status),
    }
}

fn run(updater: *mut Updater, offer: &Offer, source: &Source) -> (Status, Report) {
    let mut report = Report::default();
    // SAFETY: every pointer points to what it should.
    let status = unsafe { desync_updater_run(updater, offer, source, None, null_mut(), &mut report) };
    (status, report)
}

fn failure(updater: *const Updater) -> Failure {
    let mut failure = Failure { status: Status::Ok, callback: 0, chunk: 0, needed: 0, given: 0 };
    // SAFETY: every pointer points to what it should.
    assert_eq!(unsafe { desync_updater_failure(updater, &mut failure) }, Status::Ok);
    failure
}

fn started_slot(world: &mut World) -> u32 {
    let mut slot = 9;
    // SAFETY: every pointer points to what it should.
    assert_eq!(unsafe { desync_boot_start(&LAYOUT, &world.flash(), &mut slot) }, Status::Ok);
    slot
}

fn update(world: &mut World) -> (Status, Report) {
    let mut memory = Memory::new(needed(world));
    let updater = new_updater(&mut memory, world).unwrap();
    let (offer, source) = (world.release.offer(), world.source());
    run(updater, &offer, &source)
}

#[test]
fn an_update_goes_on_trial_and_is_confirmed() {
    let (old, new) = Release::pair();
    let mut world = World::new(&old, new);
    assert_eq!(started_slot(&mut world), 0);
    let (status, report) = update(&mut world);
    assert_eq!(status, Status::Ok);
    assert!(report.copied.bytes > 10_000 && report.fetched.bytes < 8_000, "{report:?}");
    assert!(world.slot(1) == world.release.image);

    let mut state = BootState { active_slot: 9, on_trial: 9, boots_left: 9 };
    // SAFETY: every pointer points to what it should.
    assert_eq!(unsafe { desync_boot_get_state(&LAYOUT, &world.flash(), &mut state) }, Status::Ok);
    assert_eq!((state.active_slot, state.on_trial, state.boots_left), (0, 1, 2));
    assert_eq!(started_slot(&mut world), 1);
    assert_eq!(update(&mut world).0, Status::OnTrial);
    let mut was_on_trial = 9;
    for expected in [1, 0] {
        // SAFETY: every pointer points to what it should.
        let status = unsafe { desync_boot_confirm(&LAYOUT, &world.flash(), &mut was_on_trial) };
        assert_eq!((status, was_on_trial), (Status::Ok, expected));
    }
    assert_eq!(started_slot(&mut world), 1);
}

#[test]
fn an_image_that_is_not_confirmed_falls_back() {
    let (old, new) = Release::pair();
    let mut world = World::new(&old, new);
    assert_eq!(update(&mut world).0, Status::Ok);
    let starts: Vec<_> = (0..4).map(|_| started_slot(&mut world)).collect();
    assert_eq!(starts, [1, 1, 0, 0]);
}

#[test]
fn whatever_operation_fails_the_number_is_told_and_the_next_run_completes() {
    let (old, _) = Release::pair();
    let mut at = 1;
    loop {
        let mut world = World::new(&old, Release::pair().1);
        world.fails_at = Some((at, 1234));
        let mut memory = Memory::new(needed(&mut world));
        let updater = new_updater(&mut memory, &mut world).unwrap();
        let (offer, source) = (world.release.offer(), world.source());
        let (status, _) = run(updater, &offer, &source);
        if status == Status::Ok {
            assert!(at > 20, "{at}");
            break;
        }
        assert_eq!((status, failure(updater).callback), (Status::Flash, 1234));
        let status = run(updater, &offer, &source).0;
        // The last failure may lie behind the record that puts the image on trial.
        assert!([Status::Ok, Status::OnTrial].contains(&status), "{status:?}");
        assert!(world.slot(1) == world.release.image);
        at += 7;
    }
}

#[test]
fn what_a_source_gives_is_not_believed() {
    let (old, new) = Release::pair();
    let mut world = World::new(&old, new);
    let before = world.flash.clone();
    let mut memory = Memory::new(needed(&mut world));
    let updater = new_updater(&mut memory, &mut world).unwrap();
    let (offer, source) = (world.release.offer(), world.source());
    for (gives, status, number) in
        [(-77, Status::Source, -77), (5, Status::Source, i32::MIN), (1, Status::BadChunk, 0)]
    {
        world.open_gives = Some(gives);
        assert_eq!(run(updater, &offer, &source).0, status);
        assert_eq!(failure(updater).callback, number);
    }
    unsafe extern "C" fn too_much(_: *mut c_void, _: u64, _: *mut u8, len: usize) -> isize {
        len.cast_signed() + 1
    }
    let other = Offer { index_id: [7; 32], ..offer };
    assert_eq!(run(updater, &other, &source).0, Status::IndexMismatch);
    let mut lying = source;
    lying.index = Some(too_much);
    assert_eq!(run(updater, &other, &lying).0, Status::Source);
    let slot = LAYOUT.slots[0];
    let active = slot.start as usize..(slot.start + slot.len) as usize;
    assert!(world.flash[active.clone()] == before[active], "the active slot is only read");
}

#[test]
fn pointers_that_are_null_misaligned_or_short_are_refused() {
    let (old, new) = Release::pair();
    let mut world = World::new(&old, new);
    let (flash, offer, source) = (world.flash(), world.release.offer(), world.source());
    let len = needed(&mut world);
    let mut memory = Memory::new(len);
    let start = memory.start();
    let mut updater = null_mut();
    // SAFETY: pointers are null, misaligned, or point to what they should.
    unsafe {
        let out = &raw mut updater;
        let new = |memory, len, config, flash, out| desync_updater_new(memory, len, config, flash, out);
        assert_eq!(new(null_mut(), len, &CONFIG, &flash, out), Status::NullPointer);
        assert_eq!(new(start, len, null(), &flash, out), Status::NullPointer);
        assert_eq!(new(start, len, &CONFIG, null(), out), Status::NullPointer);
        assert_eq!(new(start, len, &CONFIG, &flash, null_mut()), Status::NullPointer);
        assert_eq!(new(start.add(4), len - 4, &CONFIG, &flash, out), Status::Misaligned);
        let config = CONFIG;
        let odd = (&raw const config).cast::<u8>().add(1).cast();
        assert_eq!(new(start, len, odd, &flash, out), Status::Misaligned);
        assert_eq!(new(start, 100, &CONFIG, &flash, out), Status::MemoryTooShort);
        assert_eq!(new(start, usize::MAX, &CONFIG, &flash, out), Status::MemoryTooShort);
        assert_eq!(new(start, len, &CONFIG, &Flash { sync: None, ..flash }, out), Status::NullPointer);
        assert_eq!(new(start, len, &Config { digest: 2, ..CONFIG }, &flash, out), Status::InvalidArgument);
        assert_eq!(
            new(start, len, &Config { trial_boots: 256, ..CONFIG }, &flash, out),
            Status::InvalidArgument
        );
        assert_eq!(new(start, len, &CONFIG, &Flash { erase_len: 100, ..flash }, out), Status::FlashUnits);
        let overlap = Layout { journal: LAYOUT.slots[0], ..LAYOUT };
        assert_eq!(new(start, len, &Config { layout: overlap, ..CONFIG }, &flash, out), Status::Overlap);
        assert_eq!(new(start, len, &CONFIG, &flash, out), Status::Ok);

        let run =
            |updater, offer, source| desync_updater_run(updater, offer, source, None, null_mut(), null_mut());
        assert_eq!(run(null_mut(), &offer, &source), Status::NullPointer);
        assert_eq!(run(updater, null(), &source), Status::NullPointer);
        assert_eq!(run(updater, &offer, null()), Status::NullPointer);
        assert_eq!(run(updater, &offer, &Source { read: None, ..source }), Status::NullPointer);
        assert_eq!(run(updater, &Offer { index_len: 7, ..offer }, &source), Status::NoIndexLen);
        assert_eq!(run(updater, &Offer { digest: 7, ..offer }, &source), Status::InvalidArgument);
        assert_eq!(
            run(updater, &Offer { digest: DESYNC_DIGEST_SHA256, ..offer }, &source),
            Status::WrongDigest
        );
        assert_eq!(run(updater, &Offer { zstd_window: 4096, ..offer }, &source), Status::WindowTooLarge);
        assert_eq!((failure(updater).needed, failure(updater).given), (4096, 2048));
        let long = Offer { index_len: offer.index_len + 40 * 500, ..offer };
        assert_eq!(run(updater, &long, &source), Status::MemoryTooShort);
        assert_eq!(failure(updater).needed - failure(updater).given, 16 * 500);

        assert_eq!(desync_updater_failure(null(), null_mut()), Status::NullPointer);
        assert_eq!(desync_updater_memory_len(&CONFIG, &flash, 104, null_mut()), Status::NullPointer);
        assert_eq!(desync_boot_start(&LAYOUT, &flash, null_mut()), Status::NullPointer);
        assert_eq!(desync_boot_confirm(null(), &flash, null_mut()), Status::NullPointer);
        assert_eq!(desync_boot_confirm(&LAYOUT, &flash, null_mut()), Status::Ok);
        assert_eq!(desync_boot_get_state(&LAYOUT, &flash, null_mut()), Status::NullPointer);
        assert_eq!(desync_link_new(start, len, null(), null_mut()), Status::NullPointer);
        assert_eq!(desync_link_offer(null_mut(), null_mut()), Status::NullPointer);
        assert_eq!(desync_link_source(null_mut(), null_mut()), Status::NullPointer);
        assert_eq!(desync_link_close(null_mut(), 0), Status::NullPointer);
    }
}

#[test]
fn whoever_is_named_is_called_at_the_end_of_all() {
    static CALLED: Mutex<Option<(String, u32)>> = Mutex::new(None);
    unsafe extern "C" fn hook(file: *const c_char, len: usize, line: u32) {
        // SAFETY: the library promises so many bytes.
        let file = unsafe { std::slice::from_raw_parts(file.cast(), len) };
        *CALLED.lock().unwrap() = Some((String::from_utf8_lossy(file).into_owned(), line));
        loop {
            // A device would reset.
            std::thread::park();
        }
    }
    // SAFETY: the hook can be called at any time.
    unsafe { desync_set_fatal(Some(hook)) };
    std::thread::spawn(|| fatal("some.rs", 7));
    while CALLED.lock().unwrap().is_none() {
        std::thread::yield_now();
    }
    assert_eq!(*CALLED.lock().unwrap(), Some(("some.rs".to_owned(), 7)));
}

/// What a callback sees that calls the library again, and how far it was told to have come.
struct Again {
    updater: *mut Updater,
    offer: Offer,
    source: Source,
    statuses: Vec<Status>,
    last: Progress,
}

unsafe extern "C" fn call_again(context: *mut c_void, progress: *const Progress) {
    // SAFETY: the test hands in an `Again`; the library hands in a progress.
    let (again, progress) = unsafe { (&mut *context.cast::<Again>(), *progress) };
    again.statuses.push(run(again.updater, &again.offer, &again.source).0);
    assert!(
        progress.fetched_bytes >= again.last.fetched_bytes && progress.slot_bytes >= again.last.slot_bytes
    );
    again.last = progress;
}

#[test]
fn a_call_within_a_call_is_refused_and_progress_grows() {
    let (old, new) = Release::pair();
    let mut world = World::new(&old, new);
    let mut memory = Memory::new(needed(&mut world));
    let updater = new_updater(&mut memory, &mut world).unwrap();
    let (offer, source) = (world.release.offer(), world.source());
    let mut again = Again { updater, offer, source, statuses: Vec::new(), last: Progress::default() };
    let context = (&raw mut again).cast();
    // SAFETY: every pointer points to what it should.
    let status =
        unsafe { desync_updater_run(updater, &offer, &source, Some(call_again), context, null_mut()) };
    assert_eq!(status, Status::Ok);
    assert!(again.statuses.len() > 20 && again.statuses.iter().all(|status| *status == Status::Busy));
    assert!(again.last.slot_bytes >= world.release.image.len() as u64, "{:?}", again.last);
    assert!(again.last.fetched_bytes > world.release.index.len() as u64);
}

/// A line with a server at its other end, which loses some answers.
struct Wire {
    release: Release,
    to_device: Vec<u8>,
    now: u64,
    sent: usize,
    closed: Option<u8>,
}

impl Wire {
    fn new() -> Self {
        Self { release: Release::pair().1, to_device: Vec::new(), now: 0, sent: 0, closed: None }
    }

    fn line(&mut self) -> Line {
        Line {
            context: (&raw mut *self).cast(),
            now: Some(now),
            send: Some(send),
            receive: Some(receive),
            reopen: None,
            answer_ms: 100,
            silence_ms: 1000,
            silences_max: 2,
            zstd_window_max: 2048,
            first_number: 0xf_ffff,
        }
    }
}

unsafe fn wire<'w>(context: *mut c_void) -> &'w mut Wire {
    // SAFETY: every context of a line here is a `Wire` that its test keeps.
    unsafe { &mut *context.cast::<Wire>() }
}

unsafe extern "C" fn now(context: *mut c_void) -> u64 {
    // SAFETY: as said there.
    unsafe { wire(context) }.now
}

unsafe extern "C" fn send(context: *mut c_void, bytes: *const u8, len: usize) -> i32 {
    // SAFETY: as said there; the library promises so many bytes.
    let (wire, mut bytes) = unsafe { (wire(context), std::slice::from_raw_parts(bytes, len)) };
    let mut buffer = [0; LinkServer::BUFFER_LEN];
    let mut server = LinkServer::new(&mut buffer);
    while let Some(question) = server.next(&mut bytes) {
        wire.sent += 1;
        let mut frame = Vec::new();
        let release = &wire.release;
        let piece = |whole: &'_ [u8], offset: usize, len: u16, frame: &mut Vec<u8>| {
            let data = &whole[offset..whole.len().min(offset + usize::from(len))];
            let (offset, total) = (offset as u64, whole.len() as u64);
            LinkServer::answer(
                &question,
                &Answer::Piece { form: StorageForm::Plain, offset, total, data },
                frame,
            );
        };
        match question.ask {
            Ask::Open => {
                let index_id = DigestKind::Sha512_256.id_of(&release.index);
                let index_len = release.index.len() as u64;
                let opened = Answer::Opened { version: LINK_VERSION, index_len, index_id };
                LinkServer::answer(&question, &opened, &mut frame);
            }
            Ask::Index { offset, len } => piece(&release.index, offset as usize, len, &mut frame),
            Ask::Chunk { id, offset, len, .. } => {
                piece(release.chunk(&ChunkId(id.0)).unwrap(), offset as usize, len, &mut frame);
            }
            Ask::Close { status } => {
                wire.closed = Some(status);
                LinkServer::answer(&question, &Answer::Closed, &mut frame);
            }
        }
        if !wire.sent.is_multiple_of(9) {
            wire.to_device.extend(frame);
        }
    }
    0
}

unsafe extern "C" fn receive(context: *mut c_void, into: *mut u8, len: usize, deadline: u64) -> isize {
    // SAFETY: as said there; the library promises so many bytes.
    let (wire, into) = unsafe { (wire(context), std::slice::from_raw_parts_mut(into, len)) };
    let len = len.min(wire.to_device.len());
    into[..len].copy_from_slice(&wire.to_device[..len]);
    wire.to_device.drain(..len);
    if len == 0 {
        wire.now = deadline;
    }
    len.cast_signed()
}

#[test]
fn an_update_over_a_line_that_loses_answers() {
    let (old, new) = Release::pair();
    let mut world = World::new(&old, new);
    let mut wire = Wire::new();
    let line = wire.line();
    let mut link_memory = Memory::new(desync_link_memory_len(200));
    let mut memory = Memory::new(needed(&mut world));
    let updater = new_updater(&mut memory, &mut world).unwrap();
    let (mut link, len) = (null_mut(), link_memory.len());
    let mut offer = Offer { index_id: [0; 32], index_len: 0, digest: 9, zstd_window: 0 };
    let mut source = Source { context: null_mut(), index: None, open: None, read: None };
    // SAFETY: every pointer points to what it should.
    unsafe {
        assert_eq!(desync_link_new(link_memory.start(), 64, &line, &mut link), Status::MemoryTooShort);
        assert_eq!(desync_link_new(link_memory.start(), len, &line, &mut link), Status::Ok);
        assert_eq!(desync_link_offer(link, &mut offer), Status::Ok);
        assert_eq!(offer.index_id, world.release.offer().index_id);
        assert_eq!(desync_link_source(link, &mut source), Status::Ok);
    }
    assert_eq!(run(updater, &offer, &source).0, Status::Ok);
    assert!(world.slot(1) == world.release.image);
    // SAFETY: every pointer points to what it should.
    assert_eq!(unsafe { desync_link_close(link, 3) }, Status::Ok);
    assert_eq!(wire.closed, Some(3));
}

#[test]
fn silence_is_told_as_what_it_is() {
    unsafe extern "C" fn nothing(context: *mut c_void, _: *mut u8, _: usize, deadline: u64) -> isize {
        // SAFETY: as said there.
        unsafe { wire(context) }.now = deadline;
        0
    }
    unsafe extern "C" fn broken(_: *mut c_void, _: *mut u8, _: usize, _: u64) -> isize {
        -1
    }
    let (old, new) = Release::pair();
    let mut world = World::new(&old, new);
    let mut memory = Memory::new(needed(&mut world));
    let updater = new_updater(&mut memory, &mut world).unwrap();
    for (receive, expected) in [(nothing as _, Status::Silent), (broken as _, Status::Line)] {
        let mut wire = Wire::new();
        let line = Line { receive: Some(receive), ..wire.line() };
        let mut link_memory = Memory::new(desync_link_memory_len(200));
        let (mut link, len) = (null_mut(), link_memory.len());
        let mut offer = world.release.offer();
        let mut source = Source { context: null_mut(), index: None, open: None, read: None };
        // SAFETY: every pointer points to what it should.
        unsafe {
            assert_eq!(desync_link_new(link_memory.start(), len, &line, &mut link), Status::Ok);
            assert_eq!(desync_link_offer(link, &mut offer), expected);
            assert_eq!(desync_link_source(link, &mut source), Status::Ok);
        }
        let offer = world.release.offer();
        assert_eq!(run(updater, &offer, &source).0, Status::Source);
        assert_eq!(failure(updater).callback, -(expected as i32));
    }
}
