/* The machine's clock, which may be set, and wrong. For durations there is loop_now_ms(). */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

int64_t clock_now_ms(void); /* since the epoch. Any thread */

#endif
