/* Arm MPS2 with the AN386 image. Registers: Arm Cortex-M System Design Kit, APB UART and APB timer. */
#include "board.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define UART0_DATA REGISTER(0x40004000)
#define UART0_STATE REGISTER(0x40004004) /* bit 0: the send buffer is full, bit 1: a byte has come */
#define UART0_CTRL REGISTER(0x40004008)  /* bit 0: send, bit 1: receive */
#define UART0_BAUDDIV REGISTER(0x40004010)

#define TIMER0_CTRL REGISTER(0x40000000) /* bit 0: count */
#define TIMER0_VALUE REGISTER(0x40000004)
#define TIMER0_RELOAD REGISTER(0x40000008)
#define TICKS_PER_MS 25000u

static uint32_t last_ticks;
static uint64_t ticks;

void board_init(void) {
    UART0_BAUDDIV = 16;
    UART0_CTRL = 3;
    TIMER0_RELOAD = UINT32_MAX;
    TIMER0_VALUE = UINT32_MAX;
    TIMER0_CTRL = 1;
    last_ticks = UINT32_MAX;
    ticks = 0;
}

uint64_t board_now(void) {
    /* It counts down and starts anew after 171 seconds; it is asked much more often than that. */
    uint32_t value = TIMER0_VALUE;
    ticks += last_ticks - value;
    last_ticks = value;
    return ticks / TICKS_PER_MS;
}

void board_send(const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        while (UART0_STATE & 1) {
        }
        UART0_DATA = bytes[i];
    }
}

size_t board_receive(uint8_t *into, size_t len, uint64_t deadline) {
    size_t got = 0;
    while (got < len) {
        if (UART0_STATE & 2) {
            into[got++] = (uint8_t)UART0_DATA;
        } else if (got > 0 || board_now() >= deadline) {
            break;
        }
    }
    return got;
}

/* Source: Arm, Semihosting for AArch32 and AArch64. */
static uint32_t semihosting(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void board_print(const char *text) {
    semihosting(0x04, text);
}

void board_print_number(const char *text, uint64_t number) {
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = 0;
    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    board_print(text);
    board_print(" ");
    board_print(&digits[at]);
}

void board_exit(int code) {
    const uint32_t reason_and_code[2] = {0x20026 /* the application ends */, (uint32_t)code};
    semihosting(0x20, reason_and_code);
    for (;;) {
    }
}
