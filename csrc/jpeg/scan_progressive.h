/* SPDX-License-Identifier: MIT */
/* scan_progressive.h - scans of progressive files (T.81 annex G) */
#ifndef DCTLOAD_SCAN_PROGRESSIVE_H
#define DCTLOAD_SCAN_PROGRESSIVE_H

#include "../common.h"
#include "bitreader.h"
#include "header.h"
#include "huffman.h"
#include "progressive_words.h"

struct progressive_scan {
	const struct dctload_info *info;
	const struct scan_header *header;
	const struct huff_codes *dc[DCTLOAD_MAX_COMPONENTS];
	const struct huff_codes *ac;
	/*
	 * Whole planes, all zero before the first scan, in zigzag order until
	 * progressive_finish().
	 */
	s16 *grid[DCTLOAD_MAX_COMPONENTS];
	/* Where they go in natural order, past the cache if that is elsewhere. */
	s16 *out[DCTLOAD_MAX_COMPONENTS];
	/* The words of a component begin with that of 'first_block'. */
	struct progressive_words *words;
	size_t first_block[DCTLOAD_MAX_COMPONENTS];
	bool has_level[DCTLOAD_MAX_COMPONENTS]
		      [NUM_LEVELS]; /* some scan of it */
	u32 mcus_w;

	/* The segment. */
	struct bitreader bits;
	const u8 *start, *end;
	bool zero_fill; /* missing data are zeros, not an error */
	u64 error_position;
};

/*
 * Decode MCUs [mcu, mcu + num_mcus) from a segment, the bits of which are set.
 * TRUNCATED once an MCU ends past its end: that one has been decoded with zero
 * bits, the others are untouched.
 */
enum dctload_status
progressive_decode(struct progressive_scan *s, u32 mcu, u32 num_mcus);

/* All scans are decoded: bring the blocks to 'out' in natural order. */
void progressive_finish(struct progressive_scan *s);

#endif /* DCTLOAD_SCAN_PROGRESSIVE_H */
