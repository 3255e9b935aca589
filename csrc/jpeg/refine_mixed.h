/* SPDX-License-Identifier: MIT */
/*
 * refine_mixed.h - coefficients among end-of-band runs in refinement scans, for
 * scan_refine.h
 *
 * Where one comes after the other, neither the loop of refine_steps.h nor the windows of
 * refine_windows.h get far.  This is the former with the latter's way to correct: what
 * blocks have is counted beforehand, corrections are put one behind the other, and all is
 * dealt out at the end.  A step takes longer than in either, so it is for such files alone.
 */
#ifndef DCTLOAD_REFINE_MIXED_H
#define DCTLOAD_REFINE_MIXED_H

#include "refine_steps.h"

#if ARCH_X86_64
/* Blocks at a time, and how many of a run may be behind them. */
#define MIXED_BLOCKS 64
#define MIXED_BEHIND (STEP_MAX_MORE + 1)

/* It pays if one of so many symbols is no EOB, and there are more blocks than symbols. */
#define MIXED_SYMBOLS 12

/* Corrections of a step; the next one's code and sign are there after the same refill. */
#define MIXED_MAX_BITS 40
STATIC_ASSERT(MIXED_MAX_BITS + CODE_TABLE_BITS + 1 <= REFILL_MIN_BITS);

struct mixed_blocks {
	u64 touched; /* with something to correct, perhaps */
	/* As they were; what those behind have does not matter. */
	u64 nonzero[MIXED_BLOCKS + MIXED_BEHIND];
	/* Corrections of the blocks before each; those behind have none. */
	u16 before[MIXED_BLOCKS + MIXED_BEHIND + 1];
	/* All of them, in the order of the file, and more words than can be read. */
	u8 bits[MIXED_BLOCKS * BLOCK_COEFS / 8 + 2 * 8];
};

static ALWAYS_INLINE void
open_mixed(struct mixed_blocks *blocks, const struct refine_loop *loop)
{
	const u64 band = loop->band;
	const u32 num = loop->num_blocks;
	u32 total = 0;

	for (u32 i = 0; i < num; i++) {
		const u64 nonzero = loop->block.nonzero[i] & band;

		blocks->nonzero[i] = nonzero;
		blocks->before[i] = (u16)total;
		total += (u32)__builtin_popcountll(nonzero);
	}
	/* What the first block has does not count: it may have begun. */
	blocks->nonzero[0] &= loop->todo;
	for (u32 i = num; i < num + MIXED_BEHIND + 1; i++)
		blocks->before[i] = (u16)total;
}

/* Corrections of coefficients 'which', from bit 'at' on. */
static ALWAYS_INLINE u64
mixed_corrections(const struct mixed_blocks *blocks, u32 at, u64 which)
{
	const u8 *const next = blocks->bits + at / 8;
	const u64 bits = load_be64(next) << at % 8;

	if (likely((u32)__builtin_popcountll(which) <= STEP_MAX_BITS))
		return deposit(bits_reversed[bits >> 56], which);
	return deposit(reverse_32(bits) |
			       reverse_32(load_be64(next + 4) << at % 8) << 32,
		       which);
}

/* To the first 'done' blocks, and to those of the next one that are not 'left'. */
static ALWAYS_INLINE void
close_mixed(struct mixed_blocks *blocks, const struct refine_loop *loop,
	    u32 done, u64 left)
{
	u64 touched = blocks->touched;
	u32 at = 0;

	if (done < loop->num_blocks) {
		blocks->nonzero[done] &= ~left;
		touched &= ~(u64)0 >> (63 - done);
	}
	for (; touched != 0; touched &= touched - 1) {
		const u32 i = (u32)__builtin_ctzll(touched);
		const u64 which = blocks->nonzero[i];

		loop->block.level[i] |= mixed_corrections(blocks, at, which);
		at += (u32)__builtin_popcountll(which);
	}
}

/* Bits one behind the other: those of 'buf' that are not in a byte yet. */
struct bitwriter {
	u64 buf;
	u8 *next;
	u32 used;
};

/* The first 'n' <= MIXED_MAX_BITS of 'bits'. */
static ALWAYS_INLINE void
bits_append(struct bitwriter *bw, u64 bits, u32 n)
{
	const u32 used = bw->used + n;

	bw->buf |= (bits & ~(~(u64)0 >> n)) >> bw->used;
	store_be64(bw->next, bw->buf);
	bw->next += used / 8;
	bw->buf <<= used / 8 * 8;
	bw->used = used % 8;
}

/* What may be read behind the last bit is zero. */
static ALWAYS_INLINE void
bits_finish(const struct bitwriter *bw)
{
	store_be64(bw->next, bw->buf);
	store_be64(bw->next + 8, 0);
}

/*
 * Decode blocks, the first one from 'todo' on, as refine_blocks() does: how many, with
 * those of a run that goes on behind the last one.
 */
static NOINLINE TARGET("bmi,bmi2,lzcnt,movbe,popcnt") u32
	refine_mixed(struct refine_loop *loop, struct mixed_blocks *blocks)
{
	const u64 band = loop->band;
	const u64 last = ~(u64)0 >> (BLOCK_COEFS - 1 - loop->se);
	const struct refine_step *const steps = loop->steps;
	const struct refine_block block = loop->block;
	const u64 num = loop->num_blocks;
	const u8 *const end = loop->end;
	struct bitreader br = loop->bits;
	struct bitwriter bw = { .next = blocks->bits };
	u64 nonzero, zeros, i = 0;
	u64 num_steps = 0, num_others = 0;

	open_mixed(blocks, loop);
	nonzero = blocks->nonzero[0];
	zeros = loop->todo & ~nonzero;
	bits_refill(&br);
	while (likely(i < num && br.next < end)) {
		const struct refine_step *const step =
			&steps[br.buf >> (64 - CODE_TABLE_BITS)];
		const u64 place = deposit(step->place, zeros);
		const u64 reached = up_to(place);
		const u64 passed = nonzero & reached;
		const u64 next = i + 1 + step->num_more;
		const u32 n = (u32)__builtin_popcountll(passed) +
			      blocks->before[next] - blocks->before[i + 1];
		u64 positive, coef, more_zeros, more_nonzero;

		if (unlikely(step->mixed_kind + (u32)(place == 0) > STEP_COEF))
			break;
		if (unlikely(n > MIXED_MAX_BITS))
			break;
		positive = (u64)((s64)(br.buf << (step->nbits - 1)) >> 63);
		bits_consume(&br, step->nbits);
		bits_refill(&br);
		coef = place & (u64)(s64)step->is_coef;
		block.level[i] |= coef;
		block.negative[i] |= coef & ~positive;
		block.nonzero[i] |= coef;
		bits_append(&bw, br.buf, n);
		bits_consume(&br, n);

		more_nonzero = blocks->nonzero[next];
		more_zeros = band & ~more_nonzero;
		zeros &= ~reached;
		nonzero &= ~reached;
		NEXT_BLOCK_IF_DONE(reached, last, zeros, more_zeros, nonzero,
				   more_nonzero, i);
		i += step->num_more;
		num_others += step->mixed_kind != STEP_EOB;
		num_steps++;
	}
	bits_finish(&bw);
	loop->bits = br;
	loop->is_mixed =
		i > num_steps && num_others * MIXED_SYMBOLS >= num_steps;
	loop->todo = i < num ? zeros | nonzero : band;
	close_mixed(blocks, loop, (u32)i, nonzero);
	return (u32)i;
}
#endif

#endif /* DCTLOAD_REFINE_MIXED_H */
