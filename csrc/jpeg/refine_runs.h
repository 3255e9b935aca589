/* SPDX-License-Identifier: MIT */
/*
 * refine_runs.h - end-of-band runs of refinement scans, for scan_refine.h
 *
 * A block in such a run gets corrections and nothing else, so that a block takes one
 * bit of a file or less, and there may be hundreds of such scans.  They are what takes
 * longest for its bytes.
 */
#ifndef DCTLOAD_REFINE_RUNS_H
#define DCTLOAD_REFINE_RUNS_H

#include "refine_symbols.h"

/* The next bits correct what there is of a block in the band; up to eight of them. */
#define FEW_BITS 8

/* All that is left for a block is corrections; 32 bits have to be there. */
static ALWAYS_INLINE void
correct_block(struct bitreader *br, const struct refine_block *block, u64 band,
	      bool has_pdep)
{
	const u64 which = *block->nonzero & band;

	if (has_pdep && likely((u32)__builtin_popcountll(which) <= FEW_BITS)) {
		*block->level |= deposit(bits_reversed[br->buf >> 56], which);
		bits_consume(br, (u32)__builtin_popcountll(which));
	} else {
		*block->level |= next_corrections(br, which, has_pdep);
	}
}

/*
 * So many blocks of an end-of-band run: corrections are all they get.  A scan of
 * two bytes can pass over all blocks of an image, and a file can have hundreds of
 * such scans.
 */
static ALWAYS_INLINE void
refine_run(struct refine_scan *scan, struct bitreader *reader, u32 n,
	   const struct refine_ops *ops)
{
	const u64 band = scan->band;
	struct refine_block block = refine_block_at(&scan->first, scan->i);
	struct bitreader br = *reader;

	scan->i += n;
	while (n != 0 && !is_past_end(scan->s, &br)) {
		const u32 num = min_u32(n, 64);
		u64 left = ops->find_touched(block.nonzero, num, band) &
			   ~(u64)0 >> (64 - num);

		for (; left != 0; left &= left - 1) {
			const struct refine_block touched = refine_block_at(
				&block, (u32)__builtin_ctzll(left));

			bits_refill(&br);
			correct_block(&br, &touched, band, ops->has_pdep);
		}
		block = refine_block_at(&block, num);
		n -= num;
	}
	*reader = br;
}

/* One code after the other. */
struct eob_codes {
	struct bitreader bits;
	u32 nbits;   /* of one */
	u64 pattern; /* as many as there is room for */
};

/* So many codes, as far as they are there, for blocks with nothing to correct. */
static ALWAYS_INLINE u32
pass_eobs(struct eob_codes *codes, u32 num)
{
	const u32 at_once = REFILL_MIN_BITS / codes->nbits;
	u32 passed = 0;

	while (passed < num) {
		const u32 n = min_u32(num - passed, at_once);
		u64 differs;

		bits_refill(&codes->bits);
		differs = (codes->bits.buf ^ codes->pattern) >>
			  (64 - n * codes->nbits);
		if (unlikely(differs != 0))
			break;
		bits_consume(&codes->bits, n * codes->nbits);
		passed += n;
	}
	return passed;
}

/* A code and corrections for each of up to 'num' blocks: how many. */
static ALWAYS_INLINE u32
correct_blocks(struct eob_codes *codes, const struct refine_block *first,
	       u32 num, u64 band, const struct refine_ops *ops)
{
	const u32 rest = 64 - codes->nbits;
	const u64 code = codes->pattern >> rest;
	u32 i;

	for (i = 0; i < num; i++) {
		const struct refine_block block = refine_block_at(first, i);

		bits_refill(&codes->bits);
		if (codes->bits.buf >> rest != code)
			break;
		bits_consume(&codes->bits, codes->nbits);
		correct_block(&codes->bits, &block, band, ops->has_pdep);
	}
	return i;
}
STATIC_ASSERT(REFILL_MIN_BITS >= CODE_TABLE_BITS + 14 + 32);

/* As many of 64 blocks with something to correct, and passing others pays no more. */
#define FEW_TOUCHED 12

/*
 * Blocks that are nothing but an EOB each, with a code of 'nbits' that comes next.
 * Such a file is small for its blocks, so that it has to be quick; and it is, since
 * where the next code begins is known before a code has been looked at.
 */
static ALWAYS_INLINE void
refine_eobs(struct refine_scan *scan, struct bitreader *br, u32 nbits,
	    const struct refine_ops *ops)
{
	const u64 band = scan->band;
	struct eob_codes codes = { .bits = *br,
				   .nbits = nbits,
				   .pattern = br->buf >>
					      (64 - nbits) << (64 - nbits) };
	bool more = true;

	for (u32 n = nbits; n < 64; n *= 2)
		codes.pattern |= codes.pattern >> n;
	/* Bits that are not there are zeros, and correct nothing. */
	while (more && scan->i < scan->end &&
	       !is_past_end(scan->s, &codes.bits)) {
		const struct refine_block first =
			refine_block_at(&scan->first, scan->i);
		const u32 num = min_u32(scan->end - scan->i, 64);
		const u64 touched = ops->find_touched(first.nonzero, num, band);
		u32 n = 0;

		if (__builtin_popcountll(touched) >= FEW_TOUCHED) {
			n = correct_blocks(&codes, &first, num, band, ops);
			more = n == num;
		}
		while (more && n < num) {
			const struct refine_block block =
				refine_block_at(&first, n);
			const u64 ahead = touched >> n;
			const u32 run = min_u32(
				ahead != 0 ? (u32)__builtin_ctzll(ahead) : 64,
				num - n);

			if (run != 0) {
				const u32 passed = pass_eobs(&codes, run);

				n += passed;
				more = passed == run;
			} else {
				more = correct_blocks(&codes, &block, 1, band,
						      ops);
				n += more;
			}
		}
		scan->i += n;
	}
	*br = codes.bits;
}

#endif /* DCTLOAD_REFINE_RUNS_H */
