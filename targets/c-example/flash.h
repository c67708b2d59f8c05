/* The flash of the example: the board's PSRAM with the rules of NOR flash, and the map of what lies in it. */
#ifndef FLASH_H
#define FLASH_H

#include "desync.h"

/* A bootloader and its images agree on this. */
#define FLASH_SECTOR 4096u
#define FLASH_LAYOUT                                                              \
    {                                                                             \
        .journal = {0, 4 * FLASH_SECTOR},                                         \
        .indexes = {{4 * FLASH_SECTOR, 8 * FLASH_SECTOR},                         \
                    {12 * FLASH_SECTOR, 8 * FLASH_SECTOR}},                       \
        .slots = {{0x100000, 0x100000}, {0x200000, 0x100000}},                    \
    }

/* The whole flash as the library sees it; addresses count from 0. */
extern const desync_flash flash;
extern const desync_layout layout;

/* Where a byte of the flash can be read by the processor. */
const uint8_t *flash_at(uint64_t at);

#endif
