/* SPDX-License-Identifier: MIT */
/*
 * scan_template.h - the hot loop of sequential scans
 *
 * Included once for each CPU variant and number of lanes, with
 *
 *   SCAN_NAME	  the function's name
 *   SCAN_LANES	  1, 2 or 3
 *   SCAN_TARGET  its target attribute, or nothing
 *   SCAN_STORE_PAIR(dst, entry)  store the two values of an entry
 *
 * What a step needs of a lane is in locals:
 *
 *   buf, next	as in struct bitreader
 *   progress	its 'used', and the offset: see struct scan_lane
 *   block	the block being decoded
 *   table	what to look the next bits up in
 *
 * The end of a block cannot be predicted, and a branch on it would cost more
 * than the block's other work.  So a step has no branch but for what is rare: it
 * goes on to the next block, and from the table of AC to that of DC and back, by
 * conditional moves.  A DC coefficient takes a step like any other.
 *
 * After the last block of a run the "next DC" table is one that has nothing but
 * misses, which ends the loop.
 */

#define LANE_LOCALS(i)               \
	u64 buf##i, progress##i;     \
	const u8 *next##i;           \
	struct scan_block *block##i; \
	const huff_run_entry *table##i

#define LANE_LOAD(i)                                                     \
	do {                                                             \
		buf##i = lanes[i]->bits.buf;                             \
		next##i = lanes[i]->bits.next;                           \
		progress##i = (u64)lanes[i]->offset << PROGRESS_OFFSET | \
			      lanes[i]->bits.used;                       \
		block##i = lanes[i]->block;                              \
		table##i = lanes[i]->table;                              \
	} while (0)

#define LANE_SAVE(i)                                                        \
	do {                                                                \
		lanes[i]->bits =                                            \
			(struct bitreader){ buf##i, next##i,                \
					    progress##i & PROGRESS_NBITS }; \
		lanes[i]->block = block##i;                                 \
		lanes[i]->offset = (u32)(progress##i >> PROGRESS_OFFSET);   \
		lanes[i]->table = table##i;                                 \
	} while (0)

/* As bits_refill(). */
#define LANE_REFILL(i)                                               \
	do {                                                         \
		buf##i |= load_be64(next##i) >> (~progress##i & 63); \
		next##i += (progress##i & PROGRESS_NBITS) / 8;       \
		progress##i &= ~(u64)(PROGRESS_NBITS & ~7);          \
	} while (0)

#define LANE_STEP(i)                                                 \
	do {                                                         \
		const huff_run_entry *after = block##i->ac;          \
		u8 *dst = (u8 *)block##i->coefs +                    \
			  (progress##i >> PROGRESS_OFFSET);          \
		u32 last;                                            \
                                                                     \
		entry = &table##i[buf##i >> (64 - RUN_TABLE_BITS)];  \
		SCAN_STORE_PAIR(dst + run_first(entry), entry);      \
		last = run_last_value(buf##i, entry);                \
		progress##i += run_progress(entry);                  \
		buf##i <<= run_progress(entry) & 63;                 \
		if (unlikely(progress##i > PROGRESS_MAX))            \
			goto rare##i;                                \
		store_s16((u8 *)block##i->coefs +                    \
				  (progress##i >> PROGRESS_OFFSET) - \
				  sizeof(s16),                       \
			  last);                                     \
		NEXT_BLOCK_IF_DONE(block##i, after, progress##i);    \
		table##i = after;                                    \
	} while (0)

#define LANE_RARE(i)                               \
	rare##i : LANE_SAVE(i);                    \
	if (block##i == lanes[i]->run_end)         \
		goto stop##i;                      \
	if (!scan_finish_step(lanes[i], *entry)) { \
		lanes[i]->failed = true;           \
		goto stop##i;                      \
	}                                          \
	LANE_LOAD(i);                              \
	goto top;                                  \
	stop##i : stopped = i;                     \
	goto out

/* Bits that come after sixteen bytes past the end are surely not in the file. */
#define LANE_CHECK_INPUT(i)                                                 \
	do {                                                                \
		if (unlikely(next##i >= lanes[i]->end + 2 * sizeof(u64))) { \
			lanes[i]->failed = true;                            \
			goto stop##i;                                       \
		}                                                           \
	} while (0)

#if SCAN_LANES == 1
#define ALL_LANES(DO) DO(0)
#elif SCAN_LANES == 2
#define ALL_LANES(DO) \
	DO(0);        \
	DO(1)
#else
#define ALL_LANES(DO) \
	DO(0);        \
	DO(1);        \
	DO(2)
#endif

static SCAN_TARGET u32
SCAN_NAME(struct scan_lane *const lanes[])
{
	ALL_LANES(LANE_LOCALS);
	const huff_run_entry *entry;
	u32 stopped;

	ALL_LANES(LANE_LOAD);
top:
	ALL_LANES(LANE_CHECK_INPUT);
	ALL_LANES(LANE_REFILL);
	ALL_LANES(LANE_STEP);
	ALL_LANES(LANE_STEP);
	ALL_LANES(LANE_STEP);
	goto top;

	ALL_LANES(LANE_RARE);
out:
	ALL_LANES(LANE_SAVE);
	return stopped;
}

#undef ALL_LANES
#undef LANE_CHECK_INPUT
#undef LANE_RARE
#undef LANE_STEP
#undef LANE_REFILL
#undef LANE_SAVE
#undef LANE_LOAD
#undef LANE_LOCALS
#undef SCAN_NAME
#undef SCAN_LANES
#undef SCAN_TARGET
#undef SCAN_STORE_PAIR
