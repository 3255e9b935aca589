/* SPDX-License-Identifier: MIT */
/* unstuff.h - entropy-coded bytes without their stuffing (T.81 B.1.1.5) */
#ifndef DCTLOAD_UNSTUFF_H
#define DCTLOAD_UNSTUFF_H

#include "../common.h"

/*
 * Copy entropy-coded data from 'in' to 'out', dropping the zero after each 0xFF,
 * up to the next marker or 'end'.  Returns the bytes written, never more than
 * were read; '*in' becomes the marker's first 0xFF, or 'end'.
 *
 * 'out' must have room for end - *in + UNSTUFF_SLACK bytes: whole vectors are
 * stored.
 */
#define UNSTUFF_SLACK 64
size_t unstuff_segment(const u8 **in, const u8 *end, u8 *out);

/* The first byte of the next marker from 'in' on, or 'end'. */
const u8 *unstuff_find_marker(const u8 *in, const u8 *end);

/*
 * Where byte 'index' of what unstuff_segment() writes comes from: the inverse
 * mapping, walked slowly, for error offsets.
 */
const u8 *unstuff_locate(const u8 *in, const u8 *end, size_t index);

#endif /* DCTLOAD_UNSTUFF_H */
