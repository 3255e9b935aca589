/* SPDX-License-Identifier: MIT */
/*
 * scan_template.h - the hot loop of sequential scans
 *
 * Included once for each CPU variant and number of lanes, with
 *
 *   SCAN_NAME	  the function's name
 *   SCAN_LANES	  1 or 2
 *   SCAN_TARGET  its target attribute, or nothing
 *   SCAN_STORE(dst, entry)  store the four values of 'entry', a const u8 *
 *
 * The state of a lane that a step needs is kept in five locals, so that two
 * lanes fit the registers of x86-64:
 *
 *   buf	bits, as in struct bitreader
 *   acc	'used' in the low byte, k from bit 8 on.  The low two bytes of a
 *		run entry are bits and advance: one addition counts both.
 *   next	as in struct bitreader
 *   block	where coefficient 0 goes
 *   runs	the run table of this block
 *
 * A step cannot fail and has one branch, taken when k passes 63: the block ends,
 * or ran over its end, or the symbol was not in the table (see huffman.h for the
 * numbers that tell these apart).  Whatever happens then jumps back to the top,
 * where all lanes refill; a refill too many does no harm.
 */

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

/* STEPS_PER_REFILL steps never use more than a refill guarantees. */
#define STEPS_PER_REFILL 5
STATIC_ASSERT(STEPS_PER_REFILL * RUN_TABLE_BITS <= REFILL_MIN_BITS);

#define LANE_LOCALS(i)                                                      \
	struct scan_lane *const lane##i = lanes[i];                         \
	u64 buf##i;                                                         \
	u32 acc##i;                                                         \
	const u8 *next##i;                                                  \
	s16 *block##i;                                                      \
	const u64 *runs##i

#define LANE_LOAD(i)                                                        \
	do {                                                                \
		buf##i = lane##i->bits.buf;                                 \
		next##i = lane##i->bits.next;                               \
		acc##i = lane##i->bits.used | lane##i->k << 8;              \
		block##i = lane##i->block;                                  \
		runs##i = lane##i->slot->runs;                              \
	} while (0)

#define LANE_SAVE(i)                                                        \
	do {                                                                \
		lane##i->bits.buf = buf##i;                                 \
		lane##i->bits.next = next##i;                               \
		lane##i->bits.used = acc##i & 0xFF;                         \
		lane##i->k = acc##i >> 8;                                   \
		lane##i->block = block##i;                                  \
	} while (0)

/* bits_refill(), leaving k alone. */
#define LANE_REFILL(i)                                                      \
	do {                                                                \
		buf##i |= load_be64(next##i) >> (~acc##i & 63);             \
		next##i += acc##i >> 3 & 7;                                 \
		acc##i &= ~(u32)0x38;                                       \
	} while (0)

#define LANE_STEP(i)                                                        \
	do {                                                                \
		const u8 *const e =                                         \
		    (const u8 *)&runs##i[buf##i >> (64 - RUN_TABLE_BITS)];  \
		const u32 at = (acc##i >> 8) + e[2];                        \
                                                                            \
		entry = load_le16(e);                                       \
		SCAN_STORE(&block##i[at], e);                               \
		buf##i <<= entry & 63;                                      \
		acc##i += entry;                                            \
		if (acc##i >= BLOCK_COEFS << 8)                             \
			goto end_block##i;                                  \
	} while (0)

/* What follows a block, and the next block's DC coefficient. */
#define LANE_END_BLOCK(i)                                                   \
	end_block##i: {                                                     \
		const u32 k = acc##i >> 8;                                  \
		const struct scan_slot *slot;                               \
		u32 found, size;                                            \
		s32 dc;                                                     \
                                                                            \
		if (unlikely(k != BLOCK_COEFS &&                            \
			     k - (RUN_EOB + 1) >= BLOCK_COEFS - 1)) {       \
			enum scan_outcome outcome;                          \
                                                                            \
			LANE_SAVE(i);                                       \
			outcome = scan_finish_step(lane##i, entry);         \
			LANE_LOAD(i);                                       \
			if (outcome == SCAN_BLOCK_GOES_ON)                  \
				goto top;                                   \
			if (outcome == SCAN_FAILED)                         \
				goto failed##i;                             \
		}                                                           \
		block##i += BLOCK_COEFS;                                    \
		if (unlikely((u64)(uintptr_t)next##i * 8 + (acc##i & 0xFF) > \
			     lane##i->limit)) {                             \
			lane##i->status = DCTLOAD_TRUNCATED;                \
			goto stop##i;                                       \
		}                                                           \
		slot = lane##i->slot->next;                                 \
		lane##i->slot = slot;                                       \
		runs##i = slot->runs;                                       \
		if (--lane##i->blocks_left == 0)                            \
			goto stop##i;                                       \
		LANE_REFILL(i);                                             \
		found = slot->dc->fast[buf##i >> (64 - CODE_TABLE_BITS)];   \
		size = found >> 8;                                          \
		dc = *slot->dc_pred +                                       \
		     huff_extend(buf##i << (found & 63), size);             \
		if (unlikely(found == 0 || dc != (s16)dc)) {                \
			LANE_SAVE(i);                                       \
			if (!scan_decode_dc(lane##i))                       \
				goto failed##i;                             \
			LANE_LOAD(i);                                       \
			goto top;                                           \
		}                                                           \
		*slot->dc_pred = dc;                                        \
		block##i[0] = (s16)dc;                                      \
		size += found & 63;                                         \
		buf##i <<= size;                                            \
		acc##i = (acc##i & 0xFF) + size + (1 << 8);                 \
		goto top;                                                   \
	}                                                                   \
	stop##i:                                                            \
	LANE_SAVE(i);                                                       \
	failed##i:                                                          \
	stopped = i;                                                        \
	goto out

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
	u32 entry, stopped;

	ALL_LANES(LANE_LOAD);
top:
	ALL_LANES(LANE_REFILL);
	ALL_LANES(LANE_STEP);
	ALL_LANES(LANE_STEP);
	ALL_LANES(LANE_STEP);
	ALL_LANES(LANE_STEP);
	ALL_LANES(LANE_STEP);
	goto top;

	ALL_LANES(LANE_END_BLOCK);
out:
	/* The others are in the middle of a block. */
#if SCAN_LANES == 2
	if (stopped == 0)
		LANE_SAVE(1);
	else
		LANE_SAVE(0);
#endif
	return stopped;
}

#undef ALL_LANES
#undef LANE_END_BLOCK
#undef LANE_STEP
#undef LANE_REFILL
#undef LANE_SAVE
#undef LANE_LOAD
#undef LANE_LOCALS
#undef STEPS_PER_REFILL
#undef JOIN
#undef JOIN_
#undef SCAN_NAME
#undef SCAN_LANES
#undef SCAN_TARGET
#undef SCAN_STORE
