/* NOR flash made of PSRAM, which the emulator keeps in a file: who breaks a rule of NOR ends the emulator. */
#include "flash.h"

#include "board.h"

/* 16 MiB of PSRAM. Source: Arm application note AN386, memory map. */
#define PSRAM 0x21000000u
#define FLASH_LEN 0x400000u
#define SECTOR FLASH_SECTOR
#define UNIT 8u

const uint8_t *flash_at(uint64_t at) {
    return (const uint8_t *)(PSRAM + (uintptr_t)at);
}

static volatile uint8_t *cell(uint64_t at) {
    return (volatile uint8_t *)(PSRAM + (uintptr_t)at);
}

static void rule(int kept, const char *broken) {
    if (!kept) {
        board_print(broken);
        board_exit(71);
    }
}

static int in_flash(uint64_t at, uint64_t len) {
    return at <= FLASH_LEN && len <= FLASH_LEN - at;
}

static int flash_read(void *context, uint64_t at, uint8_t *into, size_t len) {
    (void)context;
    if (!in_flash(at, len)) {
        return -1;
    }
    for (size_t i = 0; i < len; i++) {
        into[i] = flash_at(at)[i];
    }
    return 0;
}

static int flash_program(void *context, uint64_t at, const uint8_t *bytes, size_t len) {
    (void)context;
    rule(in_flash(at, len) && at % UNIT == 0 && len % UNIT == 0, "flash rule broken: units\n");
    for (size_t i = 0; i < len; i++) {
        rule(*cell(at + i) == 0xff, "flash rule broken: not blank\n");
    }
    for (size_t i = 0; i < len; i++) {
        *cell(at + i) = bytes[i];
    }
    return 0;
}

static int flash_erase(void *context, uint64_t sector) {
    (void)context;
    rule(in_flash(sector, SECTOR) && sector % SECTOR == 0, "flash rule broken: sectors\n");
    for (size_t i = 0; i < SECTOR; i++) {
        *cell(sector + i) = 0xff;
    }
    return 0;
}

static int flash_sync(void *context) {
    (void)context; /* Stores are in the file at once. */
    return 0;
}

const desync_flash flash = {
    .erase_len = SECTOR,
    .write_len = UNIT,
    .read = flash_read,
    .program = flash_program,
    .erase = flash_erase,
    .sync = flash_sync,
};

const desync_layout layout = FLASH_LAYOUT;
