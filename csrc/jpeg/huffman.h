/* SPDX-License-Identifier: MIT */
/* huffman.h - decode tables made from DHT, shared by all scans that use them */
#ifndef DCTLOAD_HUFFMAN_H
#define DCTLOAD_HUFFMAN_H

#include "../common.h"
#include "markers.h"

struct huff_ref;

/*
 * Codes alone: one lookup for the short ones, a search by length for the rest.
 *
 *   fast[x]      x: the next CODE_TABLE_BITS bits.  symbol << 8 | code length,
 *                or 0 if the code is longer or none.
 *   limit[len]   codes of up to 'len' bits, left-aligned to 16, are below it
 *   base[len]    add to a code of 'len' bits: its place in 'symbols'
 */
#define CODE_TABLE_BITS 9
struct huff_codes {
	u16 fast[1 << CODE_TABLE_BITS];
	u32 limit[MAX_CODE_BITS + 1];
	s32 base[MAX_CODE_BITS + 1];
	u8 symbols[MAX_HUFF_SYMBOLS];
};

/*
 * Whole coefficients, several to an entry: as many symbols, with their extra
 * bits, as RUN_TABLE_BITS bits hold.  The bytes of an entry:
 *
 *   RUN_NBITS     bits to consume
 *   RUN_FIRST     from the current coefficient to the first of the values
 *   RUN_ADVANCE   from the current coefficient to the next; RUN_EOB more if the
 *                 block ends here
 *   RUN_VALUES    four consecutive coefficients, most often with zeros at the
 *                 end; whatever lies behind the last is written again later
 *
 * So one step stores four coefficients in zigzag order, in one instruction.
 * Distances are in bytes, which makes them even and leaves room for a flag.
 *
 * What does not fit is a miss: nothing is consumed, and the advance is RUN_MISS.
 * If the code at least is known, RUN_FIRST is its run, and in place of values
 * are its length and its size; else they are 0.
 *
 * A DC table has one value in each entry, the difference.
 */
#define RUN_TABLE_BITS 11
#define RUN_NUM_VALUES 4
#define RUN_EOB 1
#define RUN_MISS 255
enum {
	RUN_NBITS = 0,
	RUN_FIRST = 1,
	RUN_ADVANCE = 2,
	RUN_VALUES = 4,
	RUN_CODE_NBITS = 4,
	RUN_SIZE = 5
};
#define RUN_ENTRY_NBYTES 8
typedef u8 huff_run_entry[RUN_ENTRY_NBYTES];

/* symbol << 8 | code length of the code that 'bits' begin with; 0 if none. */
u32 huff_find_long(const struct huff_codes *codes, u32 bits16);

static ALWAYS_INLINE u32
huff_find(const struct huff_codes *codes, u64 bits)
{
	const u32 found = codes->fast[bits >> (64 - CODE_TABLE_BITS)];

	if (likely(found != 0))
		return found;
	return huff_find_long(codes, (u32)(bits >> 48));
}

/*
 * The value whose 'size' extra bits 'bits' begin with (T.81 F.2.2.1, EXTEND).
 * Without branches: a leading 0 means that 2^size - 1 has to be taken off.
 */
static ALWAYS_INLINE s32
huff_extend(u64 bits, u32 size)
{
	const s32 raw = (s32)(bits >> 1 >> (63 - size));
	const s32 negative = (s32)(~(s64)bits >> 63);

	return raw + (negative & (1 - (1 << size)));
}

/* ---- interning --------------------------------------------------------- */

/* One AC or DC table; made once for all images of a decoder that have it. */
struct huff_table {
	u8 counts[MAX_CODE_BITS];
	u8 symbols[MAX_HUFF_SYMBOLS];
	u32 num_symbols;
	u64 last_use;
	u32 num_users; /* images being decoded with it */
	bool is_dc, has_runs;
	struct huff_codes codes;
	huff_run_entry runs[1 << RUN_TABLE_BITS]; /* see huff_need_runs() */
};

#define HUFF_CACHE_LEN 48
struct huff_cache {
	struct huff_table *tables[HUFF_CACHE_LEN];
	u64 clock;
};

void huff_free_cache(struct huff_cache *cache);

/*
 * The decode table for 'ref', counted as in use until huff_release().  NULL in
 * '*table_ret' with BAD_HUFFMAN_TABLE if 'ref' is missing, over-full, has the
 * all-ones code, or, for DC, a symbol above 15 (libjpeg refuses the same).
 */
enum dctload_status
huff_acquire(struct huff_cache *cache, const struct huff_ref *ref, bool is_dc,
	     struct huff_table **table_ret);
void huff_release(struct huff_table *table);

/* Make 'table->runs' if that has not been done. */
void huff_need_runs(struct huff_table *table);

#endif /* DCTLOAD_HUFFMAN_H */
