/* From reset to main: the same for the bootloader and for the images that it starts. */
#include <stdint.h>

#include "board.h"

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[], stack_top[];

int main(void);

static void reset(void) {
    /* Floating point is used by the library: CPACR, coprocessors 10 and 11. */
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20;
    __asm__ volatile("dsb\nisb");
    for (uint32_t *from = data_load, *to = data_start; to < data_end;) {
        *to++ = *from++;
    }
    for (uint32_t *to = bss_start; to < bss_end;) {
        *to++ = 0;
    }
    board_exit(main());
}

static void fault(void) {
    board_print("fault\n");
    board_exit(70);
}

__attribute__((section(".vectors"), used)) const void *const vectors[16] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};
