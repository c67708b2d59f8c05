/* The bootloader: asks the library which slot to start, copies its image into RAM and starts it there. */
#include "board.h"
#include "desync.h"
#include "flash.h"

/* Where images are linked, and how long they may be; see image.ld. */
#define IMAGE 0x20000000u
#define IMAGE_LEN 0x100000u

int main(void) {
    uint32_t slot = 0;
    desync_status status = desync_boot_start(&layout, &flash, &slot);
    if (status != DESYNC_STATUS_OK) {
        /* Better the first slot than none. */
        board_print(desync_status_name(status));
        slot = 0;
    }
    board_print_number("bootloader: slot", slot);
    const volatile uint32_t *from = (const volatile uint32_t *)flash_at(layout.slots[slot].start);
    volatile uint32_t *to = (volatile uint32_t *)IMAGE;
    for (size_t i = 0; i < IMAGE_LEN / sizeof *to; i++) {
        to[i] = from[i];
    }
    uint32_t stack = to[0], entry = to[1];
    if (stack == UINT32_MAX || entry == UINT32_MAX) {
        board_print("bootloader: no image\n");
        return 72;
    }
    /* VTOR, then the image's stack and its reset handler. */
    *(volatile uint32_t *)0xe000ed08 = IMAGE;
    __asm__ volatile("dsb\nisb\nmsr msp, %0\nbx %1" : : "r"(stack), "r"(entry) : "memory");
    return 73;
}
