/* SPDX-License-Identifier: MIT */
/*
 * refine_symbols.h - refinement scans symbol by symbol, for scan_refine.h
 *
 * T.81 walks over the coefficients one by one: one that is zero counts, any other
 * takes a bit.  Here the walk is arithmetic on the words of a block.  The place where a
 * run of zeros ends is a bit of the word of zeros; the coefficients passed over are a
 * mask, and as many bits of the file are deposited into it.
 */
#ifndef DCTLOAD_REFINE_SYMBOLS_H
#define DCTLOAD_REFINE_SYMBOLS_H

#include "first_steps.h"
#include "refine.h"

struct refine_scan;
struct eob_window;

/* Loops over blocks, each a function of its own for the sake of its registers. */
struct progressive_loops {
	void (*first)(struct first_loop *loop);
	void (*run)(struct refine_scan *scan, struct bitreader *br, u32 n);
	void (*eobs)(struct refine_scan *scan, struct bitreader *br, u32 nbits);
	void (*eob_runs)(struct refine_scan *scan, struct bitreader *br);
	void (*window)(const struct refine_scan *scan, struct bitreader *br,
		       struct eob_window *window);
};

/* A scan, and where in it: blocks from 'i' to before 'end'. */
struct refine_scan {
	struct progressive_scan *s;
	const struct refine_ops *ops;
	const struct progressive_loops *loops;
	struct refine_block first; /* of the image */
	u64 band;                  /* coefficients that the scan codes */
	u32 i, end;
};

/* A bit for each coefficient of 'which'; 32 have to be there. */
static ALWAYS_INLINE u64
next_corrections(struct bitreader *br, u64 which, bool has_pdep)
{
	u64 bits = 0;
	u32 n = 0;

	if (has_pdep) {
		n = (u32)__builtin_popcountll(which);
		bits = reverse_32(br->buf);
		if (unlikely(n > 32)) {
			bits_consume(br, 32);
			bits_refill(br);
			n -= 32;
			bits |= reverse_32(br->buf) << 32;
		}
		bits_consume(br, n);
		return deposit(bits, which);
	}
	for (; which != 0; which &= which - 1) {
		if (unlikely(n++ == 32))
			bits_refill(br);
		bits |= which & -which & -(u64)next_bits(br, 1);
	}
	return bits;
}
STATIC_ASSERT(REFILL_MIN_BITS >= MAX_CODE_BITS + 1 + 32);

/*
 * From the first of 'todo' on, pass 'run' zeros and what is between them, which is
 * corrected: the place of the zero that follows, or 0 if there is none.
 */
static ALWAYS_INLINE u64
pass_zeros(struct bitreader *br, u64 todo, u64 nonzero, u32 run, u64 *grow,
	   bool has_pdep)
{
	u64 place, left = todo & nonzero;
	u32 n = 0;

	if (has_pdep) {
		place = deposit(BIT(run), todo & ~nonzero);
		*grow |= next_corrections(br, left & up_to(place), true);
		return place;
	}
	/* As if all were zeros, and one further for each that is not. */
	place = (todo & -todo) << run;
	while ((left & up_to(place)) != 0) {
		if (unlikely(n++ == 32))
			bits_refill(br);
		*grow |= left & -left & -(u64)next_bits(br, 1);
		left &= left - 1;
		place <<= 1;
	}
	return place & todo;
}

/*
 * Where data are missing libjpeg stores one past the band, or in the last place,
 * whatever is there.
 */
static NOINLINE u64
forgiven_place(const struct refine_scan *scan, u64 *grow)
{
	const struct progressive_scan *const s = scan->s;
	const u32 c = s->header->component[0];
	const u32 k = min_u32(s->header->se + 1u, BLOCK_COEFS - 1);
	const size_t i = s->first_block[c] + scan->i;

	s->grid[c][(size_t)scan->i * BLOCK_COEFS + k] = 0;
	s->words->negative.words[i] &= ~BIT(k);
	for (u32 al = 0; al < NUM_LEVELS; al++)
		if (s->has_level[c][al])
			s->words->levels[al].words[i] &= ~BIT(k);
	*grow &= ~BIT(k);
	return BIT(k);
}

/*
 * The symbols of a block, of which 'found' is the first, from the first coefficient
 * of 'todo' on.  A run of end-of-bands counts this block.
 */
static ALWAYS_INLINE enum dctload_status
refine_symbols(const struct refine_scan *scan, struct bitreader *br, u32 found,
	       u64 todo, u32 *eob_run)
{
	struct progressive_scan *const s = scan->s;
	const struct refine_block block =
		refine_block_at(&scan->first, scan->i);
	const bool has_pdep = scan->ops->has_pdep;
	const u64 nonzero = *block.nonzero;
	u64 grow = 0, new = 0, negative = 0;

	for (;;) {
		const u32 run = found >> 12, size = found >> 8 & 15;
		const u32 len = found & 0xFF;
		u64 place;
		u64 positive = 0; /* all ones if the new one is */

		if (unlikely(found == 0))
			return fail(s, br, DCTLOAD_BAD_CODE);
		if (is_eob(found)) {
			*eob_run = take_eob_run(br, len, run);
			bits_refill(br);
			grow |= next_corrections(br, todo & nonzero, has_pdep);
			break;
		}
		bits_consume(br, len);
		if (size != 0) {
			/* libjpeg warns and takes it for 1. */
			if (unlikely(size != 1 && !is_forgiven(s, br)))
				return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
			/* As a mask: any branch on a sign is half wrong. */
			positive = -(u64)next_bits(br, 1);
		}
		place = pass_zeros(br, todo, nonzero, run, &grow, has_pdep);
		todo &= ~up_to(place);
		if (size != 0) {
			if (unlikely(place == 0)) {
				if (!is_forgiven(s, br))
					return fail(s, br, DCTLOAD_BAD_RUN);
				place = forgiven_place(scan, &grow);
			}
			new |= place;
			negative |= place & ~positive;
		}
		if (todo == 0)
			break;
		found = peek_symbol(s, br, s->ac);
	}
	*block.level |= grow | new;
	*block.negative |= negative;
	*block.nonzero |= new;
	return DCTLOAD_OK;
}

#endif /* DCTLOAD_REFINE_SYMBOLS_H */
