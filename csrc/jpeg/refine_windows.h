/* SPDX-License-Identifier: MIT */
/*
 * refine_windows.h - end-of-band runs of a few blocks in refinement scans, for
 * scan_refine.h
 *
 * A run is a symbol and the corrections of its blocks, and nothing of that can be
 * predicted: not how long it is, and not which of its blocks have something to correct.
 * So a step is a symbol, or two if the first one's blocks have nothing to correct; how
 * many corrections follow it was counted beforehand, for a window of blocks; and they are
 * kept one behind the other, to be dealt out when the window is done.
 */
#ifndef DCTLOAD_REFINE_WINDOWS_H
#define DCTLOAD_REFINE_WINDOWS_H

#include "refine_runs.h"

#define WINDOW_MAX_BLOCKS 64

/* Corrections of a window; with a pair of symbols they are there after a refill. */
#define WINDOW_MAX_BITS 40
STATIC_ASSERT(2 * EOB_TABLE_BITS + WINDOW_MAX_BITS <= REFILL_MIN_BITS);

/*
 * Counts from the window's end on have this too, so that no pair goes on there: its second
 * symbol would be the next window's.  Shifts do not see it.
 */
#define WINDOW_END 0x80
STATIC_ASSERT(WINDOW_MAX_BITS < 64 && WINDOW_END % 64 == 0);

/* 'x' == 0 ? 'yes' : 'no', of which compilers make a branch. */
static ALWAYS_INLINE u32
if_zero(u32 x, u32 yes, u32 no)
{
#if ARCH_X86_64
	__asm__("test %[x_], %[x_]\n\t"
		"cmovz %[yes_], %[no_]"
		: [no_] "+&r"(no)
		: [x_] "r"(x), [yes_] "r"(yes)
		: "cc");
	return no;
#else
	return no ^ ((no ^ yes) & -(u32)(x == 0));
#endif
}

struct eob_window {
	u32 num; /* blocks */
	/* Corrections of the blocks before each; runs may end behind the window. */
	u8 before[WINDOW_MAX_BLOCKS + EOB_MAX_BLOCKS + 1];
};

/* Up to 'max' blocks, as far as there is room for their corrections. */
static ALWAYS_INLINE void
open_window(struct eob_window *window, const u64 *nonzero, u32 max, u64 band)
{
	u32 n = 0, total = 0;

	for (; n + 8 <= max; n += 8)
		for (u32 k = 0; k < 8; k++) {
			window->before[n + k] = (u8)total;
			total += (u32)__builtin_popcountll(nonzero[n + k] &
							   band);
		}
	for (; n < max; n++) {
		window->before[n] = (u8)total;
		total += (u32)__builtin_popcountll(nonzero[n] & band);
	}
	while (total > WINDOW_MAX_BITS)
		total -= (u32)__builtin_popcountll(nonzero[--n] & band);
	memset(window->before + n, (int)(total | WINDOW_END), EOB_MAX_BLOCKS);
	window->num = n;
}

/* Corrections of the blocks of a window, the first in the lowest bit, go to levels. */
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

/*
 * Blocks that are in runs, at most 'max' with 'touched' among them: first 'left' of a
 * run that has begun, then those of symbols, as long as they are ends of short runs.
 * Returns how many blocks behind these are left of the last one.
 */
static ALWAYS_INLINE u32
refine_window(struct refine_scan *scan, struct bitreader *reader, u32 max,
	      u64 touched, u32 left, bool has_pdep)
{
	const struct eob_pairs *const pairs = &scan->s->ac->eob_pairs;
	/* Not before the data end: a refill has at most seven bytes behind them. */
	const u8 *const last = scan->s->end + 7;
	const struct refine_block first =
		refine_block_at(&scan->first, scan->i);
	struct bitreader br = *reader;
	struct eob_window window;
	u64 corrections;
	u32 n, done, i = left;

	open_window(&window, first.nonzero, max, scan->band);
	bits_refill(&br);
	n = window.before[i] % WINDOW_END;
	corrections = br.buf >> 1 >> (63 - n);
	bits_consume(&br, n);
	while (i < window.num) {
		const u8 *const before = &window.before[i];
		/* There are as many bits before a refill, and so none is waited for. */
		const u64 x = br.buf >> (64 - EOB_TABLE_BITS);
		const u32 first_num = pairs->num_blocks[x];
		u32 one, both, nbits, total;

		bits_refill(&br);
		if (unlikely(first_num == 0 || br.next > last))
			break;
		one = (u32)before[first_num] - before[0];
		both = (u32)before[pairs->num_both[x]] - before[0];
		total = if_zero(one, pairs->nbits_both[x] + both,
				pairs->nbits[x] + one);
		nbits = if_zero(one, pairs->nbits_both[x], pairs->nbits[x]);
		i += if_zero(one, pairs->num_both[x], first_num);
		n = (total - nbits) % 64;
		corrections =
			corrections << n | br.buf << nbits >> 1 >> (63 - n);
		br.buf <<= total % 64;
		br.used += total;
	}
	done = min_u32(i, window.num);
	if (left < done && i >= window.num)
		br.used -= WINDOW_END;
	*reader = br;
	if (done == 0)
		return i;
	n = window.before[done] % WINDOW_END;
	deal_out(reverse_bits(corrections << 1 << (63 - n)),
		 touched & ~(u64)0 >> (64 - done), &first, scan->band,
		 has_pdep);
	scan->i += done;
	return i - done;
}

/* What follows may be anything, and is looked at only once it has proved to be runs. */
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
	return s->ac->eob_pairs.num_blocks[br->buf >> (64 - EOB_TABLE_BITS)] !=
	       0;
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
	const struct eob_pairs *const pairs = &scan->s->ac->eob_pairs;
	const u64 x = br->buf >> (64 - EOB_TABLE_BITS);
	const u32 num = pairs->num_blocks[x];

	bits_consume(br, pairs->nbits[x]);
	refine_run(scan, br, min_u32(num, scan->end - scan->i), ops);
}

/* Blocks from one that begins with an EOB on, as long as these follow each other. */
static ALWAYS_INLINE void
refine_eob_runs(struct refine_scan *scan, struct bitreader *br,
		const struct refine_ops *ops)
{
	const u32 end = min_u32(scan->end, scan->i + MANY_EOBS);
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
		if (scan->i == begin)
			left = scan->loops->window(scan, br, num, touched,
						   left);
		if (scan->i == begin)
			break;
		max = min_u32(2 * max, WINDOW_MAX_BLOCKS);
	}
	refine_run(scan, br, min_u32(left, scan->end - scan->i), ops);
}

#endif /* DCTLOAD_REFINE_WINDOWS_H */
