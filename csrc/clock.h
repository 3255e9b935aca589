/* SPDX-License-Identifier: MIT */
/* clock.h - time that only goes forward */
#ifndef DCTLOAD_CLOCK_H
#define DCTLOAD_CLOCK_H

#include <time.h>

#include "common.h"

static inline u64
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

#endif /* DCTLOAD_CLOCK_H */
