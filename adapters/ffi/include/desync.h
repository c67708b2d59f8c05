/*
 * desync: updating a device over a slow link, so that no power cut bricks it.
 *
 * A device has two slots for images, an index beside each, and a journal, all in NOR flash (desync_layout). What
 * happens, in order:
 *
 *   bootloader   desync_boot_start tells which slot to start
 *   image        desync_boot_confirm, once it has found that it works
 *                desync_updater_memory_len, desync_updater_new, desync_updater_run: fetches the next image into the
 *                other slot, copying from the running one what both have, and puts it on trial; then a reset
 *
 * Images come from a desync_source: the program's own callbacks, or a desync_link to `desync serve-link`.
 *
 * Memory is the caller's. An updater and a link lie at the start of what they are given, aligned to 8 bytes; there is
 * nothing to free. Nothing is allocated, and no pointer is kept to anything else but the `context` of callbacks.
 * Structures that are handed in are copied or read during the call; those that are filled in belong to the caller.
 *
 * An updater or a link is used by one thread at a time; a desync_updater_run during another one of the same updater
 * is refused as busy. Nothing here needs a C library, and nothing is thrown or unwound: see desync_set_fatal.
 *
 * Made from adapters/ffi by `cargo xtask header`: change the comments there, not here.
 */

#ifndef DESYNC_H
#define DESYNC_H

#include <stddef.h>
#include <stdint.h>

/**
 * Chunks and indexes are named by SHA-512/256: what casync and desync do unless told otherwise.
 */
#define DESYNC_DIGEST_SHA512_256 0

/**
 * Chunks and indexes are named by SHA-256.
 */
#define DESYNC_DIGEST_SHA256 1

/**
 * What a call came to. Whatever an update fails with, the device boots as before, and may try again.
 */
enum desync_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Done in full.
   */
  DESYNC_STATUS_OK = 0,
  /**
   * A pointer that must not be null is null, or a callback is missing.
   */
  DESYNC_STATUS_NULL_POINTER = 1,
  /**
   * Memory that is not aligned to 8 bytes, or a structure that is not aligned as C aligns it.
   */
  DESYNC_STATUS_MISALIGNED = 2,
  /**
   * Too little memory. `desync_updater_failure` says how much is needed.
   */
  DESYNC_STATUS_MEMORY_TOO_SHORT = 3,
  /**
   * The updater is running already: called from another thread, an interrupt, or a callback.
   */
  DESYNC_STATUS_BUSY = 4,
  /**
   * A number that stands for no digest, or a slot that is none.
   */
  DESYNC_STATUS_INVALID_ARGUMENT = 5,
  /**
   * A callback of the flash failed; `desync_updater_failure` has its number.
   */
  DESYNC_STATUS_FLASH = 6,
  /**
   * A callback of the source failed; `desync_updater_failure` has its number.
   */
  DESYNC_STATUS_SOURCE = 7,
  /**
   * A region of flash is empty, or does not lie on sectors.
   */
  DESYNC_STATUS_NOT_ON_SECTORS = 8,
  /**
   * Two regions of flash share bytes.
   */
  DESYNC_STATUS_OVERLAP = 9,
  /**
   * The journal has fewer than two sectors.
   */
  DESYNC_STATUS_JOURNAL_TOO_SHORT = 10,
  /**
   * Sectors or units of a length that journal records of 32 bytes do not fit.
   */
  DESYNC_STATUS_FLASH_UNITS = 11,
  /**
   * An image is on trial: it must be confirmed, or fail, before the next update.
   */
  DESYNC_STATUS_ON_TRIAL = 12,
  /**
   * The offer's digest is not the device's, or not the index's.
   */
  DESYNC_STATUS_WRONG_DIGEST = 13,
  /**
   * No index has the length that is offered.
   */
  DESYNC_STATUS_NO_INDEX_LEN = 14,
  /**
   * The index does not fit its region, or has more chunks than allowed.
   */
  DESYNC_STATUS_INDEX_TOO_LONG = 15,
  /**
   * The image does not fit the slot.
   */
  DESYNC_STATUS_IMAGE_TOO_LONG = 16,
  /**
   * Chunks need a larger zstd window than allowed.
   */
  DESYNC_STATUS_WINDOW_TOO_LARGE = 17,
  /**
   * The index is no index, or beyond the limits.
   */
  DESYNC_STATUS_BAD_INDEX = 18,
  /**
   * The index is not the one offered.
   */
  DESYNC_STATUS_INDEX_MISMATCH = 19,
  /**
   * The index in flash does not read as it did: the flash is failing.
   */
  DESYNC_STATUS_INDEX_UNSTABLE = 20,
  /**
   * A chunk's stored bytes do not decode.
   */
  DESYNC_STATUS_BAD_CHUNK = 21,
  /**
   * A chunk is not the one asked for.
   */
  DESYNC_STATUS_WRONG_CHUNK = 22,
  /**
   * The finished slot does not hold the image. Trying again writes what is wrong anew.
   */
  DESYNC_STATUS_NOT_PROVEN = 23,
  /**
   * The line failed; the callback's number is not kept.
   */
  DESYNC_STATUS_LINE = 24,
  /**
   * Nobody answers at the other end of the line.
   */
  DESYNC_STATUS_SILENT = 25,
  /**
   * The host does not have what was asked for.
   */
  DESYNC_STATUS_MISSING = 26,
  /**
   * The host's store has failed. It may not fail again.
   */
  DESYNC_STATUS_HOST_FAILED = 27,
  /**
   * The host speaks another version of the link's language.
   */
  DESYNC_STATUS_OTHER_VERSION = 28,
  /**
   * The stored chunk changed while it was fetched.
   */
  DESYNC_STATUS_CHANGED = 29,
  /**
   * The image that is offered is the confirmed one: there is nothing to do.
   */
  DESYNC_STATUS_CURRENT = 30,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum desync_status desync_status;
#else
typedef int32_t desync_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A link to a host. Opaque; lies in memory of the caller. There is nothing to free: between calls the memory
 * may be given up, and the link with it.
 */
typedef struct desync_link desync_link;

/**
 * An updater. Opaque; lies in memory of the caller. There is nothing to free: between calls the memory may be
 * given up, and the updater with it.
 */
typedef struct desync_updater desync_updater;

/**
 * A range of flash: address and length in bytes.
 */
typedef struct {
  /**
   * Address of its first byte, as the callbacks of the flash are given it.
   */
  uint64_t start;
  /**
   * Length.
   */
  uint64_t len;
} desync_region;

/**
 * The map of a device. Every region starts and ends on a sector; none overlaps another. All of them are one
 * flash, reached by one `desync_flash`.
 */
typedef struct {
  /**
   * The two images; the first is what boots when the journal is empty.
   */
  desync_region slots[2];
  /**
   * The index of the image in each slot: 104 bytes and 40 for each chunk.
   */
  desync_region indexes[2];
  /**
   * Two sectors or more.
   */
  desync_region journal;
} desync_layout;

/**
 * A flash device: units and callbacks. Callbacks get `context` as it is here and return 0, or any other
 * number for a failure, which `desync_updater_failure` then tells. They must not call this library.
 *
 * Power may fail at any time. What is relied upon: after a cut program, some of the bits that were to be
 * cleared are cleared, and it reads the same ever after; after a cut erase, the sector may hold anything, also
 * something else each time, until an erase completes; bytes outside the range of an operation keep their
 * value. Programming clears bits only, and a unit is programmed at most once between erases.
 */
typedef struct {
  /**
   * Handed to the callbacks.
   */
  void *context;
  /**
   * Bytes of a sector: what one erase sets to `0xff`. A multiple of 32.
   */
  uint32_t erase_len;
  /**
   * Bytes of a unit: programs start and end on a multiple of it. Divides 32.
   */
  uint32_t write_len;
  /**
   * Fills `into` from address `at` on; neither need be aligned.
   */
  int (*read)(void *context, uint64_t at, uint8_t *into, size_t len);
  /**
   * Programs erased units; address and length are multiples of `write_len`.
   */
  int (*program)(void *context, uint64_t at, const uint8_t *bytes, size_t len);
  /**
   * Erases the sector that begins at this address.
   */
  int (*erase)(void *context, uint64_t sector);
  /**
   * Returns once everything done so far survives a power cut.
   */
  int (*sync)(void *context);
} desync_flash;

/**
 * What the journal says.
 */
typedef struct {
  /**
   * The slot that boots when nothing is on trial: 0 or 1.
   */
  uint32_t active_slot;
  /**
   * Whether the image in the other slot is on trial: 0 or 1.
   */
  uint32_t on_trial;
  /**
   * How often an image on trial may still boot.
   */
  uint32_t boots_left;
} desync_boot_state;

/**
 * A line to the host and a clock: a UART and a timer. Callbacks get `context` as it is here and must not call
 * this library. The line may lose, double and damage bytes.
 */
typedef struct {
  /**
   * Handed to the callbacks.
   */
  void *context;
  /**
   * Milliseconds since some moment. Never goes back.
   */
  uint64_t (*now)(void *context);
  /**
   * Writes all of these bytes to the line; returns 0, or any other number for a failure.
   */
  int (*send)(void *context, const uint8_t *bytes, size_t len);
  /**
   * Puts what has come into `into`, at most `len` bytes, and returns how many; waits for the first one, but
   * not beyond `deadline`, a time of `now`: 0 then. Negative for a failure.
   */
  ptrdiff_t (*receive)(void *context, uint8_t *into, size_t len, uint64_t deadline);
  /**
   * Opens the line anew after a long silence; returns 0. May be null where there is nothing to open.
   */
  int (*reopen)(void *context);
  /**
   * Milliseconds to wait for an answer before asking again: what question and answer spend on the line, and
   * what the host needs to find it. Doubled after each silence, up to 32 times as long.
   */
  uint32_t answer_ms;
  /**
   * Milliseconds without any answer before the line is opened anew.
   */
  uint32_t silence_ms;
  /**
   * After how many such silences in a row it is given up, up to 255; 0 counts as 1.
   */
  uint32_t silences_max;
  /**
   * The largest zstd window that can be decoded with, in bytes, as in `desync_config`. The host sends chunks
   * in a form that fits; 0 asks for plain ones.
   */
  uint32_t zstd_window_max;
  /**
   * Begins the count of questions; should not be the same after each start. The low 16 bits count.
   */
  uint32_t first_number;
} desync_line;

/**
 * An image that is offered: what a trusted channel, such as a signed manifest, says of it. Everything else
 * follows from the ID: the index is proven by it, and the image by the index.
 */
typedef struct {
  /**
   * The digest of the whole index.
   */
  uint8_t index_id[32];
  /**
   * Length of the index in bytes.
   */
  uint64_t index_len;
  /**
   * The digest of the index and of its chunks.
   */
  uint32_t digest;
  /**
   * The largest zstd window among its chunks, in bytes; 0 if none is compressed.
   */
  uint32_t zstd_window;
} desync_offer;

/**
 * A chunk that is wanted.
 */
typedef struct {
  /**
   * Its name: the digest of its plain bytes.
   */
  uint8_t id[32];
  /**
   * The most plain bytes that it can have.
   */
  uint64_t len_max;
  /**
   * Which digest.
   */
  uint32_t digest;
} desync_wanted;

/**
 * Where an update comes from: a network, a link, a file. Nothing of what it gives is believed before its
 * digest is right. Callbacks get `context` as it is here and fail with a negative number, which
 * `desync_updater_failure` then tells. They must not call this library, those of a `desync_link` aside.
 */
typedef struct {
  /**
   * Handed to the callbacks.
   */
  void *context;
  /**
   * Puts bytes of the index from `offset` on into `into`, at most `len`; returns how many, 0 only at its end.
   */
  ptrdiff_t (*index)(void *context, uint64_t offset, uint8_t *into, size_t len);
  /**
   * Begins a chunk; one that was under way is forgotten. Returns 0 if its stored bytes are the plain ones,
   * 1 if they are one zstd frame.
   */
  int32_t (*open)(void *context, const desync_wanted *wanted);
  /**
   * Puts the next stored bytes of the chunk into `into`, at most `len`; returns how many, 0 only at its end.
   */
  ptrdiff_t (*read)(void *context, uint8_t *into, size_t len);
} desync_source;

/**
 * What a device decides once. A bootloader and the images it starts must agree on the layout.
 */
typedef struct {
  /**
   * Where things lie.
   */
  desync_layout layout;
  /**
   * The longest chunk that an index may have, in bytes. Memory does not depend on it.
   */
  uint64_t chunk_len_max;
  /**
   * Any number that whoever makes indexes does not know, such as a random one.
   */
  uint64_t lookup_key;
  /**
   * The most chunks that an index may have.
   */
  uint32_t index_chunks_max;
  /**
   * The largest zstd window that a chunk may ask for, in bytes; 0 if all come plain. The
   * decoder's memory follows from it.
   */
  uint32_t zstd_window_max;
  /**
   * `DESYNC_DIGEST_SHA512_256` or `DESYNC_DIGEST_SHA256`.
   */
  uint32_t digest;
  /**
   * How often a new image boots without being confirmed, up to 255; 0 counts as 1.
   */
  uint32_t trial_boots;
} desync_config;

/**
 * How far a run has come. Counts begin at 0 with each run, also with one that goes on after a cut.
 */
typedef struct {
  /**
   * Bytes that the source gave, of index and chunks.
   */
  uint64_t fetched_bytes;
  /**
   * Bytes that were programmed, anywhere in the flash.
   */
  uint64_t programmed_bytes;
  /**
   * Where the slot that is written was programmed last: bytes from its start. It only grows; what lay
   * right already is passed over, so it may end below the length of the image.
   */
  uint64_t slot_bytes;
  /**
   * Sectors that were erased, anywhere in the flash.
   */
  uint32_t erased_sectors;
} desync_progress;

/**
 * Chunks, and the bytes in them.
 */
typedef struct {
  /**
   * Chunks.
   */
  uint64_t chunks;
  /**
   * Bytes in them.
   */
  uint64_t bytes;
} desync_amount;

/**
 * Where the bytes of an image came from, and what it cost.
 */
typedef struct {
  /**
   * Lay right in the slot that was written.
   */
  desync_amount in_place;
  /**
   * Copied from the active slot, or from earlier in the new image.
   */
  desync_amount copied;
  /**
   * Chunks of zeros.
   */
  desync_amount zero;
  /**
   * Fetched from the source.
   */
  desync_amount fetched;
  /**
   * Sectors of the slot that were erased.
   */
  uint32_t sectors_erased;
  /**
   * Sectors of the slot that were programmed.
   */
  uint32_t sectors_programmed;
} desync_report;

/**
 * What is known of a failed run. What does not apply is 0.
 */
typedef struct {
  /**
   * What the run came to.
   */
  desync_status status;
  /**
   * What the callback returned that failed; `INT32_MIN` if it made no sense.
   */
  int32_t callback;
  /**
   * Which chunk of the index it was about, counted from 0.
   */
  uint32_t chunk;
  /**
   * What is needed: bytes of memory, chunks, bytes of a slot or of a window.
   */
  uint64_t needed;
  /**
   * What there is of it.
   */
  uint64_t given;
} desync_failure;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * For a bootloader: reads the journal, decides, writes the decision down, and puts the slot to start, 0 or 1,
 * into `slot`. An image on trial starts no more often than it was given; then the old one starts again.
 * A bootloader that gets a failure had better start slot 0 than none.
 */
desync_status desync_boot_start(const desync_layout *layout, const desync_flash *flash, uint32_t *slot);

/**
 * For an image that works: from now on it is the one that boots. Puts 1 into `was_on_trial` if it was on
 * trial, else 0, when there is nothing to do. `was_on_trial` may be null.
 */
desync_status desync_boot_confirm(const desync_layout *layout,
                                  const desync_flash *flash,
                                  uint32_t *was_on_trial);

/**
 * What the journal says. Changes nothing.
 */
desync_status desync_boot_get_state(const desync_layout *layout,
                                    const desync_flash *flash,
                                    desync_boot_state *state);

/**
 * Names what is called if this library finds itself broken: the place in its source. It should log and reset the device, for nothing is returned to the caller: the journal
 * is such that a reset loses nothing. If it returns, or there is none, the library waits forever, so that a
 * watchdog resets the device. Null takes it back.
 */
void desync_set_fatal(void (*hook)(const char *file, size_t file_len, uint32_t line));

/**
 * Bytes of memory that a link needs which asks for pieces of up to `piece_len` bytes at a time. Longer pieces
 * cost less on a good line; 256 are a good choice.
 */
size_t desync_link_memory_len(uint16_t piece_len);

/**
 * Makes a link at the start of `memory`, which must be aligned to 8 bytes, and puts it into `link`. Nothing is
 * sent yet. The library keeps a copy of `line`; the memory and whatever its `context` points to must stay as
 * long as the link is used.
 */
desync_status desync_link_new(uint8_t *memory,
                              size_t memory_len,
                              const desync_line *line,
                              desync_link **link);

/**
 * Asks the host what it serves. Whoever does not trust the line compares it with a signed manifest.
 */
desync_status desync_link_offer(desync_link *link, desync_offer *offer);

/**
 * Fills in a source that fetches over this link, for as long as the link is used. Where it fails, the number in
 * `desync_failure.callback` is a status with its sign turned.
 */
desync_status desync_link_source(desync_link *link,
                                 desync_source *source);

/**
 * Tells the host that nothing more is wanted: 0 if all went well, else a number that it shows.
 */
desync_status desync_link_close(desync_link *link, uint8_t status);

/**
 * The name of a status, as in the header but without its beginning: `"OK"`, `"MEMORY_TOO_SHORT"`. For a number
 * that is no status, `"UNKNOWN"`. The text is constant and ends with a zero byte.
 */
const char *desync_status_name(int32_t status);

/**
 * Puts into `needed` how many bytes of memory an updater needs for an index of `index_len` bytes: its own,
 * 16 for each chunk, a sector, and the decoder's: 9 KiB and three times `zstd_window_max`, nothing if that is 0.
 * With more, more of a larger active image is recognised. The length of chunks does not matter.
 */
desync_status desync_updater_memory_len(const desync_config *config,
                                        const desync_flash *flash,
                                        uint64_t index_len,
                                        size_t *needed);

/**
 * Makes an updater at the start of `memory`, which must be aligned to 8 bytes, and puts it into `updater`.
 * Nothing of the flash is touched; a layout that does not fit it is refused. The library keeps copies of
 * `config` and `flash`; the memory and whatever `context` points to must stay as long as the updater is used.
 */
desync_status desync_updater_new(uint8_t *memory,
                                 size_t memory_len,
                                 const desync_config *config,
                                 const desync_flash *flash,
                                 desync_updater **updater);

/**
 * Brings the offered image into the slot that does not boot, proves it and puts it on trial: after the next
 * reset a bootloader starts it. Returns when that is done, or has failed.
 *
 * Whatever stops it, a cut as much as a failure, the device boots as before; called again with the same offer it goes
 * on where it stopped. An offer of the image that is confirmed gives `DESYNC_STATUS_CURRENT`, and nothing of it is
 * fetched. `progress`, if not null, is called with `progress_context` after each fetch, erase and program, and must
 * not call this library. `report`, if not null, is filled in when the status is 0. The memory that the index needs is
 * checked before anything is erased.
 */
desync_status desync_updater_run(desync_updater *updater,
                                 const desync_offer *offer,
                                 const desync_source *source,
                                 void (*progress)(void *context, const desync_progress *progress),
                                 void *progress_context,
                                 desync_report *report);

/**
 * What is known of the last run of this updater that failed. Not to be called from another thread meanwhile.
 */
desync_status desync_updater_failure(const desync_updater *updater, desync_failure *failure);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DESYNC_H */
