/* SPDX-License-Identifier: MIT */
/*
 * refine_windows.h - end-of-band runs of a few blocks in refinement scans, for
 * scan_refine.h
 *
 * A run is a symbol and the corrections of its blocks, and nothing of that can be
 * predicted: not how long it is, and not which of its blocks have something to correct.
 * So a step is as many symbols as the next bits begin with, up to the one that has blocks
 * with something to correct.  How many corrections follow is counted beforehand for a
 * window of blocks, or is a count of bits where no block has more than one; and they are
 * kept one behind the other, to be dealt out when the window is done.
 */
#ifndef DCTLOAD_REFINE_WINDOWS_H
#define DCTLOAD_REFINE_WINDOWS_H

#include "refine_runs.h"

#define WINDOW_MAX_BLOCKS 56 /* fewer than a word has bits */

/* Corrections of a window; with the symbols of a step they are there after a refill. */
#define WINDOW_MAX_BITS 40
STATIC_ASSERT(2 * EOB_TABLE_BITS + WINDOW_MAX_BITS <= REFILL_MIN_BITS);

struct eob_window {
	u32 num; /* blocks */
	u32 i;   /* of them are done, or more: a run may end behind the last */
	u64 touched; /* blocks with something to correct */
	u64 corrections; /* of those that are done, the last one in the lowest bit */
	bool is_single; /* no block has more than one */
	/* Else how many those before a block have; those behind the window have none. */
	u8 before[WINDOW_MAX_BLOCKS + EOB_MAX_BLOCKS + 1];
};

static ALWAYS_INLINE u64
bits_below(u32 i)
{
	return BIT(i) - 1;
}

/* Corrections of the first 'i' < 64 blocks. */
static ALWAYS_INLINE u32
corrections_before(const struct eob_window *window, u32 i, bool is_single)
{
	if (is_single)
		return (u32)__builtin_popcountll(window->touched &
						 bits_below(i));
	return window->before[i];
}

/* Of blocks that may have several; as many blocks as there is room for. */
static ALWAYS_INLINE void
count_corrections(struct eob_window *window, const u64 *nonzero, u64 band)
{
	u32 n = 0, total = 0;

	for (; n + 8 <= window->num; n += 8)
		for (u32 k = 0; k < 8; k++) {
			window->before[n + k] = (u8)total;
			total += (u32)__builtin_popcountll(nonzero[n + k] &
							   band);
		}
	for (; n < window->num; n++) {
		window->before[n] = (u8)total;
		total += (u32)__builtin_popcountll(nonzero[n] & band);
	}
	while (total > WINDOW_MAX_BITS)
		total -= (u32)__builtin_popcountll(nonzero[--n] & band);
	memset(window->before + n, (int)total, EOB_MAX_BLOCKS + 1);
	window->num = n;
}

/* Up to 'num' blocks, with 'touched' among them; the first 'left' are in a run. */
static ALWAYS_INLINE void
open_window(struct eob_window *window, const struct refine_scan *scan, u32 num,
	    u64 touched, u32 left, const struct refine_ops *ops)
{
	const u64 *const nonzero = scan->first.nonzero + scan->i;

	window->num = num;
	window->i = left;
	window->is_single =
		(ops->find_several(nonzero, num, scan->band) & touched) == 0;
	if (!window->is_single)
		count_corrections(window, nonzero, scan->band);
	else if (__builtin_popcountll(touched) > WINDOW_MAX_BITS)
		window->num = WINDOW_MAX_BITS;
	window->touched = touched & bits_below(window->num);
}

/*
 * Pass blocks that are in runs: first those of the run that has begun, then those of
 * symbols, as long as they are ends of short runs.
 */
static ALWAYS_INLINE void
pass_window(const struct refine_scan *scan, struct bitreader *reader,
	    struct eob_window *window, bool is_single)
{
	const struct eob_ends *const codes = &scan->s->ac->eob_ends;
	/* Not before the data end: a refill has at most seven bytes behind them. */
	const u8 *const last = scan->s->end + 7;
	const u32 num = window->num;
	struct bitreader br = *reader;
	u64 touched = window->touched;
	/* What follows the symbol of the last block is none of ours. */
	u64 stops = touched | ~(bits_below(num) >> 1);
	u32 i = window->i, n = corrections_before(window, i, is_single);
	u64 corrections;

	bits_refill(&br);
	corrections = br.buf >> 1 >> (63 - n);
	bits_consume(&br, n);
	touched >>= i;
	stops >>= i;
	while (i < num) {
		/* There are as many bits before a refill, and so none is waited for. */
		const u64 x = br.buf >> (64 - EOB_TABLE_BITS);
		const u64 ends = codes->ends[x], until = codes->until[x];
		const u64 reached = up_to(until & (stops | -stops));
		const u64 passed = reached & (ends | ~until);
		const u32 num_symbols =
			(u32)__builtin_popcountll(ends & reached);
		const u32 num_blocks = (u32)__builtin_popcountll(passed);
		/* Of the lowest byte; shifts see six bits, and no count has more. */
		const u64 nbits = codes->nbits[x] >> 8 * num_symbols;
		const u8 *const before = &window->before[i];

		bits_refill(&br);
		if (unlikely(ends == 0 || br.next > last))
			break;
		n = is_single ? (u32)__builtin_popcountll(touched & passed) :
				(u32)before[num_blocks] - before[0];
		corrections = corrections << n |
			      br.buf << nbits % 64 >> 1 >> (63 - n);
		/* Not by the sum: the number of corrections is known earlier. */
		br.buf = br.buf << n << nbits % 64;
		br.used += nbits % 64 + n;
		i += num_blocks;
		touched >>= num_blocks;
		stops >>= num_blocks;
	}
	window->i = i;
	window->corrections = corrections;
	*reader = br;
}

/* 'bits', the first in the lowest, go to the only coefficient of each block. */
static ALWAYS_INLINE void
deal_out_singly(u64 bits, u64 touched, const struct refine_block *first,
		u64 band, const struct refine_ops *ops)
{
	u64 which = 0;

	if (ops->has_pdep)
		which = deposit(bits, touched);
	for (; touched != 0 && !ops->has_pdep; touched &= touched - 1) {
		which |= touched & -touched & -(bits & 1);
		bits >>= 1;
	}
	ops->correct(first->level, first->nonzero, which, band);
}

/* The same to all coefficients of blocks. */
static ALWAYS_INLINE void
deal_out(u64 bits, u64 touched, const struct refine_block *first, u64 band,
	 bool has_pdep)
{
	for (; touched != 0; touched &= touched - 1) {
		const struct refine_block block =
			refine_block_at(first, (u32)__builtin_ctzll(touched));
		u64 which = *block.nonzero & band;

		if (has_pdep) {
			*block.level |= deposit(bits, which);
			bits >>= __builtin_popcountll(which);
			continue;
		}
		for (; which != 0; which &= which - 1, bits >>= 1)
			*block.level |= which & -which & -(bits & 1);
	}
}

/* How many blocks behind the window are left of the last run. */
static ALWAYS_INLINE u32
close_window(struct refine_scan *scan, const struct eob_window *window,
	     const struct refine_ops *ops)
{
	const struct refine_block first =
		refine_block_at(&scan->first, scan->i);
	const u32 done = min_u32(window->i, window->num);
	const u32 n = corrections_before(window, done, window->is_single);
	const u64 bits = reverse_bits(window->corrections << 1 << (63 - n));
	const u64 touched = window->touched & bits_below(done);

	if (window->is_single)
		deal_out_singly(bits, touched, &first, scan->band, ops);
	else
		deal_out(bits, touched, &first, scan->band, ops->has_pdep);
	scan->i += done;
	return window->i - done;
}

/* What follows may be anything: more is looked at once these have proved to be runs. */
#define FIRST_WINDOW 8

/* After so many blocks other ways are tried again. */
#define MANY_EOBS 1024

/* So many blocks have nothing to correct: the first ones, as far as runs end in them. */
static ALWAYS_INLINE u32
pass_eob_runs(const struct progressive_scan *s, struct bitreader *br, u32 num)
{
	u32 passed = 0;

	for (;;) {
		u32 eobs;

		bits_refill(br);
		eobs = s->ac->eobs[br->buf >> (64 - EOB_TABLE_BITS)];
		if (eobs == 0 || EOB_NUM_BLOCKS(eobs) > num - passed)
			return passed;
		bits_consume(br, EOB_NBITS(eobs));
		passed += EOB_NUM_BLOCKS(eobs);
	}
}

static ALWAYS_INLINE bool
has_short_run(const struct progressive_scan *s, struct bitreader *br)
{
	bits_refill(br);
	return s->ac->eobs[br->buf >> (64 - EOB_TABLE_BITS)] != 0;
}

/* With a block of more, a window holds so few that it does not pay to open one. */
#define MANY_CORRECTIONS 6

static ALWAYS_INLINE bool
is_dense(const struct refine_scan *scan)
{
	return __builtin_popcountll(scan->first.nonzero[scan->i] & scan->band) >
	       MANY_CORRECTIONS;
}

/* Such a run comes next. */
static ALWAYS_INLINE void
refine_short_run(struct refine_scan *scan, struct bitreader *br,
		 const struct refine_ops *ops)
{
	const struct eob_ends *const codes = &scan->s->ac->eob_ends;
	const u64 x = br->buf >> (64 - EOB_TABLE_BITS);
	const u32 num = (u32)__builtin_ctzll(codes->ends[x]) + 1;

	bits_consume(br, codes->nbits[x] >> 8 & 0xFF);
	refine_run(scan, br, min_u32(num, scan->end - scan->i), ops);
}

/* Blocks from one that begins with an EOB on, as long as these follow each other. */
static ALWAYS_INLINE void
refine_eob_runs(struct refine_scan *scan, struct bitreader *br,
		const struct refine_ops *ops)
{
	const u32 end = min_u32(scan->end, scan->i + MANY_EOBS);
	struct eob_window window;
	u32 max = FIRST_WINDOW, left = 0;

	while (scan->i < end && (left != 0 || has_short_run(scan->s, br))) {
		const u32 num = min_u32(end - scan->i, max);
		const u32 begin = scan->i;
		u64 touched;

		if (left == 0 && is_dense(scan)) {
			refine_short_run(scan, br, ops);
			continue;
		}
		touched = ops->find_touched(scan->first.nonzero + begin, num,
					    scan->band) &
			  ~(u64)0 >> (64 - num);
		if (touched == 0 && left == 0)
			scan->i += pass_eob_runs(scan->s, br, num);
		if (scan->i == begin) {
			open_window(&window, scan, num, touched, left, ops);
			scan->loops->window(scan, br, &window);
			left = close_window(scan, &window, ops);
		}
		if (scan->i == begin)
			break;
		max = WINDOW_MAX_BLOCKS;
	}
	refine_run(scan, br, min_u32(left, scan->end - scan->i), ops);
}

#endif /* DCTLOAD_REFINE_WINDOWS_H */
