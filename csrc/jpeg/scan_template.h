/* SPDX-License-Identifier: MIT */
/*
 * scan_template.h - the hot loop of sequential scans
 *
 * Included once for each CPU variant and number of lanes, with
 *
 *   SCAN_NAME	  the function's name
 *   SCAN_LANES	  1 or 2
 *   SCAN_TARGET  its target attribute, or nothing
 *   SCAN_STORE(dst, entry)  store the four values of an entry
 *
 * What a step needs of a lane is in locals:
 *
 *   buf, used, next	as in struct bitreader
 *   block	the block being decoded
 *   offset	in bytes: where in it the next coefficient goes
 *   table	what to look it up in
 *
 * The end of a block cannot be predicted, and a branch on it would cost more
 * than the block's other work.  So a step has no branch but for what is rare: it
 * goes on to the next block, and from the table of AC to that of DC and back, by
 * conditional moves.  A DC coefficient takes a step like any other.
 *
 * After the last block of a run the "next DC" table is one that has nothing but
 * misses, which ends the loop.
 */

/* Steps between refills never use more than a refill guarantees. */
#define STEPS_PER_REFILL 5
STATIC_ASSERT(STEPS_PER_REFILL *RUN_TABLE_BITS <= REFILL_MIN_BITS);

#define LANE_LOCALS(i)                  \
	u64 buf##i, used##i, offset##i; \
	const u8 *next##i;              \
	struct scan_block *block##i;    \
	const huff_run_entry *table##i

#define LANE_LOAD(i)                           \
	do {                                   \
		buf##i = lanes[i]->bits.buf;   \
		next##i = lanes[i]->bits.next; \
		used##i = lanes[i]->bits.used; \
		block##i = lanes[i]->block;    \
		offset##i = lanes[i]->offset;  \
		table##i = lanes[i]->table;    \
	} while (0)

#define LANE_SAVE(i)                               \
	do {                                       \
		lanes[i]->bits.buf = buf##i;       \
		lanes[i]->bits.next = next##i;     \
		lanes[i]->bits.used = used##i;     \
		lanes[i]->block = block##i;        \
		lanes[i]->offset = (u32)offset##i; \
		lanes[i]->table = table##i;        \
	} while (0)

/* bits_refill() */
#define LANE_REFILL(i)                                           \
	do {                                                     \
		buf##i |= load_be64(next##i) >> (~used##i & 63); \
		next##i += used##i >> 3;                         \
		used##i &= 7;                                    \
	} while (0)

#define LANE_STEP(i)                                               \
	do {                                                       \
		const huff_run_entry *after = block##i->ac;        \
                                                                   \
		entry = table##i[buf##i >> (64 - RUN_TABLE_BITS)]; \
		SCAN_STORE((u8 *)block##i->coefs + offset##i +     \
				   entry[RUN_FIRST],               \
			   entry);                                 \
		buf##i <<= entry[RUN_NBITS] & 63;                  \
		used##i += entry[RUN_NBITS];                       \
		offset##i += entry[RUN_ADVANCE];                   \
		if (unlikely(offset##i > BLOCK_NBYTES))            \
			goto rare##i;                              \
		NEXT_BLOCK_IF_DONE(block##i, after, offset##i);    \
		table##i = after;                                  \
	} while (0)

/* An AC miss whose code's length, run and size are known, as most often. */
#define LANE_RARE(i)                                                      \
	rare##i : if (entry[RUN_ADVANCE] == RUN_MISS)                     \
	{                                                                 \
		const u32 code_nbits = entry[RUN_CODE_NBITS];             \
		const u32 size = entry[RUN_SIZE];                         \
		const u64 at = offset##i - RUN_MISS + entry[RUN_FIRST];   \
		s16 *const coef = (void *)((u8 *)block##i->coefs + at);   \
                                                                          \
		if (block##i == lanes[i]->run_end)                        \
			goto stop##i;                                     \
		if (code_nbits != 0 && at < BLOCK_NBYTES - sizeof(s16)) { \
			LANE_REFILL(i);                                   \
			used##i += code_nbits + size;                     \
			buf##i <<= code_nbits & 63;                       \
			memset(coef, 0, RUN_NUM_VALUES * sizeof(s16));    \
			*coef = (s16)huff_extend(buf##i, size & 63);      \
			buf##i <<= size & 63;                             \
			offset##i = at + sizeof(s16);                     \
			goto top;                                         \
		}                                                         \
	}                                                                 \
	LANE_SAVE(i);                                                     \
	if (!scan_finish_step(lanes[i], entry)) {                         \
		lanes[i]->failed = true;                                  \
		goto stop##i;                                             \
	}                                                                 \
	LANE_LOAD(i);                                                     \
	goto top;                                                         \
	stop##i : stopped = i;                                            \
	goto out

/* Eight bytes past the end are surely not in the file. */
#define LANE_CHECK_INPUT(i)                                             \
	do {                                                            \
		if (unlikely(next##i >= lanes[i]->end + sizeof(u64))) { \
			lanes[i]->failed = true;                        \
			goto stop##i;                                   \
		}                                                       \
	} while (0)

#if SCAN_LANES == 1
#define ALL_LANES(DO) DO(0)
#else
#define ALL_LANES(DO) \
	DO(0);        \
	DO(1)
#endif

static SCAN_TARGET u32
SCAN_NAME(struct scan_lane *const lanes[])
{
	ALL_LANES(LANE_LOCALS);
	const u8 *entry;
	u32 stopped;

	ALL_LANES(LANE_LOAD);
top:
	ALL_LANES(LANE_CHECK_INPUT);
	ALL_LANES(LANE_REFILL);
	ALL_LANES(LANE_STEP);
	ALL_LANES(LANE_STEP);
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
#undef STEPS_PER_REFILL
#undef SCAN_NAME
#undef SCAN_LANES
#undef SCAN_TARGET
#undef SCAN_STORE
