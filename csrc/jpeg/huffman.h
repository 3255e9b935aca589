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
 *   eobs[x]      x: the next EOB_TABLE_BITS bits.  As many end-of-band symbols as
 *                they begin with, extra bits included: blocks << 8 that they end,
 *                and bits; 0 if they begin with none.
 *   eob_ends     of 'x' too: the same symbols, one by one
 */
#define CODE_TABLE_BITS 9
#define EOB_TABLE_BITS 6
#define EOB_NBITS(e) ((e) & 15)
#define EOB_MAX_BLOCKS 63
#define EOB_NUM_BLOCKS(e) ((u32)(e) >> 8)

/*
 * End-of-band symbols as marks in numbers, so that it takes no loop to find how many of
 * them it needs to get to some block.
 */
struct eob_ends {
	/* Bit i: block i is the last one of a symbol. */
	u64 ends[1 << EOB_TABLE_BITS];
	/* These, and all behind the last of them. */
	u64 until[1 << EOB_TABLE_BITS];
	/* Byte n, from 0 on: of n symbols. */
	u64 nbits[1 << EOB_TABLE_BITS];
};
struct huff_codes {
	/* Of AC in progressive scans: of tables without runs. */
	u16 eobs[1 << EOB_TABLE_BITS];
	struct eob_ends eob_ends;
	u16 fast[1 << CODE_TABLE_BITS];
	u32 limit[MAX_CODE_BITS + 1];
	s32 base[MAX_CODE_BITS + 1];
	u8 symbols[MAX_HUFF_SYMBOLS];
};

/*
 * Several coefficients to an entry: as many symbols as RUN_TABLE_BITS bits hold.
 * All but the last are there with their values, RUN_NUM_PAIR coefficients in a row
 * at most; of the last one only the code has to fit, and its extra bits are taken
 * from behind it by arithmetic.  So hardly anything is not in the table: it would
 * take a code longer than RUN_TABLE_BITS, or more extra bits than RUN_MAX_BITS
 * leaves.  An entry is a number; its bits, from the lowest on:
 *
 *   0..15    2^size - 1 for a last coefficient of 'size' extra bits; 0: none
 *   16..23   from the first coefficient of the entry to the last, in bits
 *   24..31   from the current coefficient to the first of the entry, in bytes
 *   32..47   the values of the first and the second coefficient, a byte each; 0
 *            for the last one, and where there is none
 *   48..54   bits to consume, the extra bits included; at most RUN_MAX_BITS
 *   55       the block ends here (EOB)
 *   56..63   from the current coefficient to the next, in bytes
 *
 * With an EOB the distance to the next leads one further, so that the coefficient
 * before "the next" is always the last one, or a zero.
 *
 * What does not fit is a miss: nothing is consumed, and the distance is RUN_MISS.
 * An entry of a DC table begins with the difference, and AC symbols follow as far as
 * there is room: it belongs to a pair of tables.
 *
 * How well this fits photographs (300 from ImageNet, some of high quality; 17 AC
 * symbols a block): whole symbols alone take 11.9 lookups and 0.83 misses a block
 * from 10 bits, this takes 10.2 and 0.07; a third value would change neither.
 */
#define RUN_TABLE_BITS 10
#define RUN_MAX_BITS 18
#define RUN_NUM_PAIR 2
#define RUN_MAX_PLACES 4 /* the last among the four that follow the first */
#define RUN_MISS (BLOCK_NBYTES + 1) /* past the end from everywhere */
typedef u64 huff_run_entry;

#define RUN_PLACE_SHIFT 16
#define RUN_FIRST_SHIFT 24
#define RUN_PAIR_SHIFT 32
#define RUN_NBITS_SHIFT 48
#define RUN_ADVANCE_SHIFT 56

#define RUN_NBITS(e) ((u32)((e) >> RUN_NBITS_SHIFT) & 0x7F)
#define RUN_ADVANCE(e) ((u32)((e) >> RUN_ADVANCE_SHIFT))
/* Bits and distance, with the EOB flag between them: see struct scan_lane. */
#define RUN_PROGRESS(e) ((e) >> RUN_NBITS_SHIFT)
#define RUN_EOB 0x80

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

/* One AC or DC table.  Nothing of it changes once it is made. */
struct huff_table {
	u8 counts[MAX_CODE_BITS];
	u8 symbols[MAX_HUFF_SYMBOLS];
	u32 num_symbols;
	u64 id;    /* no two tables have the same */
	u64 ac_id; /* of DC with runs: the table that they go on with; else 0 */
	bool is_dc, has_runs, is_narrow;
	struct huff_hold *hold; /* what a pool knows of it */
	struct huff_codes codes;
	/* Only if it has runs; one more, since vectors read past the last. */
	huff_run_entry runs[(1 << RUN_TABLE_BITS) + 1];
};

/* The codes of the table that 'runs' belongs to. */
static ALWAYS_INLINE const struct huff_codes *
huff_codes_of(const huff_run_entry *runs)
{
	return &((const struct huff_table
			  *)(const void *)((const u8 *)runs -
					   offsetof(struct huff_table, runs)))
			->codes;
}

/*
 * What decides what a table is.  Sequential scans need runs, progressive ones do not;
 * those of a DC table go on with the AC table that takes turns with it.
 *
 * In a band of sixteen coefficients at most sixteen zeros are the end of it, of
 * whatever is left of it too.  So in the codes of a narrow table ZRL is an EOB, and
 * nobody needs to know of another way to end a block.
 */
#define HUFF_NARROW_BAND 16
struct huff_key {
	const struct huff_ref *ref;
	bool is_dc, with_runs, is_narrow;
	const struct huff_table *ac; /* of DC with runs; else NULL */
};

/*
 * The table for 'key'; the caller frees it.  NULL in '*table_ret' with
 * BAD_HUFFMAN_TABLE if 'ref' is over-full, has the all-ones code, or, for DC, a
 * symbol above 15 (libjpeg refuses the same).
 */
enum dctload_status
huff_make_table(const struct huff_key *key, struct huff_table **table_ret);

/* 'table' is what that would make. */
bool huff_matches(const struct huff_table *table, const struct huff_key *key);

u32 huff_hash(const struct huff_key *key);

#endif /* DCTLOAD_HUFFMAN_H */
