/* SPDX-License-Identifier: MIT */
/* header.h - everything in a file that is not entropy-coded */
#ifndef DCTLOAD_HEADER_H
#define DCTLOAD_HEADER_H

#include "../common.h"
#include "info.h"
#include "markers.h"

/* A Huffman table as DHT states it: 16 counts, then the symbols. */
struct huff_ref {
	const u8 *counts; /* NULL: not defined */
	const u8 *symbols;
};

/* A quantisation table as DQT states it, in zigzag order. */
struct quant_ref {
	const u8 *entries; /* NULL: not defined */
	u32 entry_nbytes;  /* 1 or 2 */
};

/* What one SOS segment says. */
struct scan_header {
	u32 num_components;
	u8 component[DCTLOAD_MAX_COMPONENTS]; /* indices into the frame */
	u8 dc_slot[DCTLOAD_MAX_COMPONENTS], ac_slot[DCTLOAD_MAX_COMPONENTS];
	u8 ss, se; /* first and last zigzag index coded */
	u8 ah, al; /* successive approximation, high and low bit */
};

/*
 * Reads segments in order.  'in' must outlive it: tables are kept as references into
 * the file.
 */
struct header {
	const u8 *in;
	size_t in_nbytes;
	size_t pos; /* the next byte to read */
	size_t error_offset;
	size_t junk_pos; /* the first long junk, see header_note_junk(); or 0 */
	struct dctload_limits limits;

	struct dctload_info info;
	bool saw_frame;
	bool quant_latched[DCTLOAD_MAX_COMPONENTS];

	/* Tables in force, as of 'pos'. */
	struct quant_ref quant[NUM_TABLE_SLOTS];
	struct huff_ref dc[NUM_TABLE_SLOTS], ac[NUM_TABLE_SLOTS];
	u32 restart_interval;

	struct scan_header scan;
};

/* 'limits', or the defaults for NULL. */
static inline struct dctload_limits
limits_in_force(const struct dctload_limits *limits)
{
	struct dctload_limits out;

	if (limits != NULL)
		return *limits;
	dctload_default_limits(&out);
	return out;
}

/* Begin with SOI. */
enum dctload_status
header_begin(struct header *h, const u8 *in, size_t in_nbytes,
	     const struct dctload_limits *limits);

enum header_event { HEADER_SCAN, HEADER_EOI, HEADER_END_OF_DATA };

/*
 * Read segments up to and including the next SOS ('scan' is set and 'pos' is
 * the first entropy-coded byte) or EOI, or to where the data end between two
 * segments.
 */
enum dctload_status header_next(struct header *h, enum header_event *event_ret);

/*
 * Note 'nbytes' at 'pos' that belong to no segment.  One damaged marker turns a
 * table, or a scan's header and its data, into such junk.  If it is long enough for
 * that, the tables of earlier scans are in force no more: new ones may be lost.
 */
void header_note_junk(struct header *h, size_t pos, size_t nbytes);

/* A table that a scan needs is bad or missing: after long junk, it was there. */
enum dctload_status
header_fail_table(struct header *h, size_t offset, enum dctload_status status);

/* What dctload_read_info() says of the first event. */
enum dctload_status
header_finish_info(struct header *h, enum dctload_status status,
		   enum header_event event, struct dctload_info *info_ret,
		   size_t *error_offset_ret);

/* MCUs are one block in a scan of one component (T.81 A.2.2). */
static inline bool
scan_is_interleaved(const struct scan_header *scan)
{
	return scan->num_components > 1;
}

#endif /* DCTLOAD_HEADER_H */
