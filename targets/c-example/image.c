/* The image: confirms itself when it is on trial, else fetches the next one over the line. */
#include "board.h"
#include "desync.h"
#include "flash.h"

/* The version of this image; the Makefile builds several. */
#ifndef VERSION
#error "VERSION is not defined"
#endif

/* What `desync make --profile device` compresses with. */
#define ZSTD_WINDOW 4096u
#define CHUNKS_MAX 4096u

static const desync_config config = {
    .layout = FLASH_LAYOUT,
    .chunk_len_max = 256 * 1024,
    .index_chunks_max = CHUNKS_MAX,
    .zstd_window_max = ZSTD_WINDOW,
    .digest = DESYNC_DIGEST_SHA512_256,
    .trial_boots = 2,
    .lookup_key = 0x5eed, /* a product takes a random number */
};

/* All memory that the update may take. */
static _Alignas(8) uint8_t memory[32 * 1024];
static _Alignas(8) uint8_t link_memory[1024];

static void fatal(const char *file, size_t file_len, uint32_t line) {
    (void)file;
    (void)file_len;
    board_print_number("the library is broken at line", line);
    board_exit(74);
}

static int check(desync_status status, const char *what) {
    if (status != DESYNC_STATUS_OK) {
        board_print(what);
        board_print(": ");
        board_print(desync_status_name(status));
        board_print("\n");
    }
    return status == DESYNC_STATUS_OK;
}

static uint64_t line_now(void *context) {
    (void)context;
    return board_now();
}

static int line_send(void *context, const uint8_t *bytes, size_t len) {
    (void)context;
    board_send(bytes, len);
    return 0;
}

static ptrdiff_t line_receive(void *context, uint8_t *into, size_t len, uint64_t deadline) {
    (void)context;
    return (ptrdiff_t)board_receive(into, len, deadline);
}

static void show(void *context, const desync_progress *progress) {
    *(desync_progress *)context = *progress;
}

static int update(desync_link *link) {
    desync_offer offer;
    desync_source source;
    if (!check(desync_link_offer(link, &offer), "offer") || !check(desync_link_source(link, &source), "source")) {
        return 1;
    }
    size_t needed = 0;
    if (!check(desync_updater_memory_len(&config, &flash, offer.index_len, &needed), "memory")) {
        return 1;
    }
    board_print_number("memory needed", needed);
    desync_updater *updater;
    if (!check(desync_updater_new(memory, sizeof memory, &config, &flash, &updater), "new")) {
        return 1;
    }
    desync_report report;
    desync_progress progress = {0};
    desync_status status = desync_updater_run(updater, &offer, &source, show, &progress, &report);
    if (status == DESYNC_STATUS_CURRENT) {
        board_print("image: nothing newer is offered\n");
        return 0;
    }
    if (!check(status, "run")) {
        desync_failure failure;
        check(desync_updater_failure(updater, &failure), "failure");
        board_print_number("at chunk", failure.chunk);
        return 1;
    }
    board_print_number("chunks fetched", report.fetched.chunks);
    board_print_number("chunks copied", report.copied.chunks);
    board_print_number("bytes fetched", progress.fetched_bytes);
    board_print("image: the next one is on trial\n");
    return 0;
}

int main(void) {
    board_init();
    desync_set_fatal(fatal);
    board_print_number("image: version", VERSION);
    desync_boot_state state;
    if (!check(desync_boot_get_state(&layout, &flash, &state), "state")) {
        return 1;
    }
    if (state.on_trial) {
        /* Here a product tests itself, and resets if it does not work. */
        uint32_t was_on_trial = 0;
        if (!check(desync_boot_confirm(&layout, &flash, &was_on_trial), "confirm")) {
            return 1;
        }
        board_print("image: confirmed\n");
        return 0;
    }
    const desync_line line = {
        .now = line_now,
        .send = line_send,
        .receive = line_receive,
        .answer_ms = 500,
        .silence_ms = 1500,
        .silences_max = 4,
        .zstd_window_max = ZSTD_WINDOW,
    };
    desync_link *link;
    if (!check(desync_link_new(link_memory, sizeof link_memory, &line, &link), "link")) {
        return 1;
    }
    int failed = update(link);
    /* Only a courtesy to the host, which may be gone already. */
    check(desync_link_close(link, (uint8_t)failed), "close");
    if (failed) {
        board_print("image: not updated\n");
    }
    return failed;
}
