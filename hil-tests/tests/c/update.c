/* A program of a host's C compiler against the host build of libdesync.a: one whole update of a flash in memory.
 *
 * update INDEX ID STORE OLD NEW: the device runs the image in the file OLD and is offered the index, whose name
 * is ID in hexadecimal; its chunks, as zstd frames, lie in the folder STORE by their names. NEW is what must
 * come of it. Every failure ends the program with its line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desync.h"

#define CHECK(kept)                                                            \
    do {                                                                       \
        if (!(kept)) {                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #kept);         \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

#define SECTOR 4096u
#define UNIT 8u

struct device {
    uint8_t *cells;
    size_t len;
    const char *store;
    uint8_t *index;
    size_t index_len;
    FILE *chunk;
    desync_progress progress;
};

static uint8_t *whole_file(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    *len = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*len);
    CHECK(bytes != NULL && fread(bytes, 1, *len, file) == *len);
    fclose(file);
    return bytes;
}

static int flash_read(void *context, uint64_t at, uint8_t *into, size_t len) {
    struct device *device = context;
    CHECK(at + len <= device->len);
    memcpy(into, device->cells + at, len);
    return 0;
}

static int flash_program(void *context, uint64_t at, const uint8_t *bytes, size_t len) {
    struct device *device = context;
    CHECK(at + len <= device->len && at % UNIT == 0 && len % UNIT == 0);
    for (size_t i = 0; i < len; i++) {
        CHECK(device->cells[at + i] == 0xff);
        device->cells[at + i] = bytes[i];
    }
    return 0;
}

static int flash_erase(void *context, uint64_t sector) {
    struct device *device = context;
    CHECK(sector + SECTOR <= device->len && sector % SECTOR == 0);
    memset(device->cells + sector, 0xff, SECTOR);
    return 0;
}

static int flash_sync(void *context) {
    (void)context;
    return 0;
}

static ptrdiff_t source_index(void *context, uint64_t offset, uint8_t *into, size_t len) {
    struct device *device = context;
    size_t rest = device->index_len - (size_t)offset;
    len = len < rest ? len : rest;
    memcpy(into, device->index + offset, len);
    return (ptrdiff_t)len;
}

static int32_t source_open(void *context, const desync_wanted *wanted) {
    struct device *device = context;
    char path[4096];
    int end = snprintf(path, sizeof path, "%s/", device->store);
    for (size_t i = 0; i < sizeof wanted->id; i++) {
        end += snprintf(path + end, sizeof path - (size_t)end, "%02x", wanted->id[i]);
    }
    if (device->chunk != NULL) {
        fclose(device->chunk);
    }
    device->chunk = fopen(path, "rb");
    return device->chunk != NULL ? 1 : -2;
}

static ptrdiff_t source_read(void *context, uint8_t *into, size_t len) {
    struct device *device = context;
    return (ptrdiff_t)fread(into, 1, len, device->chunk);
}

static void show(void *context, const desync_progress *progress) {
    ((struct device *)context)->progress = *progress;
}

static void fatal(const char *file, size_t file_len, uint32_t line) {
    fprintf(stderr, "fatal: %.*s:%u\n", (int)file_len, file, (unsigned)line);
    exit(3);
}

static int is(desync_status status, const char *name) {
    if (strcmp(desync_status_name(status), name) != 0) {
        fprintf(stderr, "%s, not %s\n", desync_status_name(status), name);
        return 0;
    }
    return 1;
}

int main(int argc, char **argv) {
    CHECK(argc == 6);
    desync_set_fatal(fatal);
    struct device device = {.len = 0x300000, .store = argv[3]};
    desync_config config = {
        .layout = {
            .journal = {0, 4 * SECTOR},
            .indexes = {{4 * SECTOR, 16 * SECTOR}, {20 * SECTOR, 16 * SECTOR}},
            .slots = {{0x100000, 0x100000}, {0x200000, 0x100000}},
        },
        .chunk_len_max = 256 * 1024,
        .index_chunks_max = 1000,
        .zstd_window_max = 4096,
        .digest = DESYNC_DIGEST_SHA512_256,
        .trial_boots = 1,
        .lookup_key = 1,
    };
    const desync_flash flash = {&device, SECTOR, UNIT, flash_read, flash_program, flash_erase, flash_sync};
    const desync_source source = {&device, source_index, source_open, source_read};

    device.cells = malloc(device.len);
    CHECK(device.cells != NULL);
    memset(device.cells, 0xff, device.len);
    size_t old_len, new_len;
    uint8_t *old = whole_file(argv[4], &old_len), *new = whole_file(argv[5], &new_len);
    memcpy(device.cells + config.layout.slots[0].start, old, old_len);
    device.index = whole_file(argv[1], &device.index_len);
    desync_offer offer = {.index_len = device.index_len, .digest = DESYNC_DIGEST_SHA512_256, .zstd_window = 4096};
    for (size_t i = 0; i < sizeof offer.index_id; i++) {
        unsigned byte;
        CHECK(sscanf(argv[2] + 2 * i, "%2x", &byte) == 1);
        offer.index_id[i] = (uint8_t)byte;
    }

    size_t needed = 0;
    CHECK(is(desync_updater_memory_len(&config, &flash, device.index_len, &needed), "OK"));
    uint8_t *memory = aligned_alloc(8, (needed + 7) / 8 * 8);
    CHECK(memory != NULL);
    desync_updater *updater = NULL;
    CHECK(is(desync_updater_new(NULL, needed, &config, &flash, &updater), "NULL_POINTER"));
    CHECK(is(desync_updater_new(memory + 1, needed, &config, &flash, &updater), "MISALIGNED"));
    CHECK(is(desync_updater_new(memory, 10, &config, &flash, &updater), "MEMORY_TOO_SHORT"));
    CHECK(is(desync_updater_new(memory, needed - 8, &config, &flash, &updater), "OK"));
    CHECK(is(desync_updater_run(updater, &offer, &source, NULL, NULL, NULL), "MEMORY_TOO_SHORT"));
    CHECK(is(desync_updater_new(memory, needed, &config, &flash, &updater), "OK"));
    desync_report report;
    CHECK(is(desync_updater_run(updater, &offer, &source, show, &device, &report), "OK"));
    CHECK(memcmp(device.cells + config.layout.slots[1].start, new, new_len) == 0);
    CHECK(memcmp(device.cells + config.layout.slots[0].start, old, old_len) == 0);
    CHECK(report.copied.bytes > 0 && report.fetched.bytes > 0);
    CHECK(device.progress.slot_bytes >= new_len);

    uint32_t slot = 9, was_on_trial = 9;
    CHECK(is(desync_boot_start(&config.layout, &flash, &slot), "OK") && slot == 1);
    CHECK(is(desync_boot_confirm(&config.layout, &flash, &was_on_trial), "OK") && was_on_trial == 1);
    printf("needed %zu bytes of memory, fetched %llu bytes\n", needed,
           (unsigned long long)device.progress.fetched_bytes);
    fclose(device.chunk);
    free(memory);
    free(device.index);
    free(device.cells);
    free(old);
    free(new);
    return 0;
}
