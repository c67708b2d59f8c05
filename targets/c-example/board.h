/* What this board has: a line to the host, a clock, semihosting. Nothing of the updater lives here. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* Sets the line and the clock up. */
void board_init(void);

/* Milliseconds since board_init. */
uint64_t board_now(void);

/* Writes all of these bytes to the line. */
void board_send(const uint8_t *bytes, size_t len);

/* What the line has brought, at most len bytes; waits for the first one until the clock shows `deadline`. */
size_t board_receive(uint8_t *into, size_t len, uint64_t deadline);

/* Prints text, and a number behind it, on the emulator's terminal. */
void board_print(const char *text);
void board_print_number(const char *text, uint64_t number);

/* Ends the emulator with this code. */
_Noreturn void board_exit(int code);

#endif
