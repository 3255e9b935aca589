/* SPDX-License-Identifier: MIT */
/*
 * refine_steps.h - the hot loop of refinement scans, for scan_refine.h
 *
 * What a symbol means decides how many bits of correction follow it, and so where
 * the next symbol begins: fifteen cycles, one symbol after the other.  Whether there
 * are such bits, and whether the block ends, cannot be predicted, and a branch on
 * either would cost more than that.  So a step has no branch but for what is rare.
 */
#ifndef DCTLOAD_REFINE_STEPS_H
#define DCTLOAD_REFINE_STEPS_H

#include "bitreader.h"
#include "huffman.h"
#include "refine.h"

#if ARCH_X86_64
/* A symbol by the next CODE_TABLE_BITS bits. */
struct refine_step {
	u16 place; /* bit 'run': the zero it goes to; none for an EOB */
	u8 nbits;  /* of the code, and of the sign or the extra bits */
	u8 kind;
	u8 mixed_kind; /* the same where runs are as good as other EOBs */
	u8 num_more;   /* blocks that end with this one */
	s8 is_coef;    /* all bits set, or none */
};

/* Ascending by what they need: a coefficient needs a place, and so one less. */
enum {
	STEP_EOB, /* of one block */
	STEP_ZEROS,
	STEP_COEF,
	STEP_RUN, /* EOB of several blocks */
	STEP_RARE
};
#define STEP_MAX_MORE 63

static ALWAYS_INLINE void
fill_steps(struct refine_step *steps, u32 num, struct refine_step step)
{
	for (u32 i = 0; i < num; i++)
		steps[i] = step;
}

/* The entries that begin with a code of 'len' bits, and it is an end-of-band symbol. */
static void
make_eob_steps(struct refine_step *steps, u32 len, u32 run)
{
	const struct refine_step rare = { .kind = STEP_RARE,
					  .mixed_kind = STEP_RARE };
	const u32 num = 1u << (CODE_TABLE_BITS - len);

	if (len + run > CODE_TABLE_BITS) {
		fill_steps(steps, num, rare);
		return;
	}
	for (u32 extra = 0; extra < 1u << run; extra++, steps += num >> run) {
		const u32 more = (1u << run) - 1 + extra;
		const struct refine_step step = {
			.nbits = (u8)(len + run),
			.kind = more == 0 ? STEP_EOB : STEP_RUN,
			.mixed_kind = STEP_EOB,
			.num_more = (u8)more,
		};

		fill_steps(steps, num >> run,
			   more <= STEP_MAX_MORE ? step : rare);
	}
}

static void
make_refine_steps(struct refine_step *steps, const struct huff_codes *codes)
{
	u32 num;

	for (u32 x = 0; x < ARRAY_LEN(codes->fast); x += num) {
		const u32 found = codes->fast[x], len = found & 0xFF;
		const u32 run = found >> 12, size = found >> 8 & 15;
		const u8 kind = found == 0 || size > 1 ? STEP_RARE :
				size == 0              ? STEP_ZEROS :
							 STEP_COEF;

		num = found == 0 ? 1 : 1u << (CODE_TABLE_BITS - len);
		if (found != 0 && size == 0 && run != 15) {
			make_eob_steps(&steps[x], len, run);
			continue;
		}
		fill_steps(&steps[x], num,
			   (struct refine_step){
				   .place = (u16)(1u << run),
				   .nbits = (u8)(len + size),
				   .kind = kind,
				   .mixed_kind = kind,
				   .is_coef = (s8) - (s8)(size != 0),
			   });
	}
}

/* Correction bits of a step: a look-up reverses them, and few have more. */
#define STEP_MAX_BITS 8

/* Where blocks are, and where the loop is. */
struct refine_loop {
	struct bitreader bits;
	const u8 *end; /* steps begin before this byte */
	const struct refine_step *steps;
	struct refine_block block; /* the first */
	u32 num_blocks;
	u32 se;
	u64 band;
	u64 todo; /* of the block that is not whole; refine_mixed() begins there */
	bool is_mixed; /* coefficients and runs of blocks take turns */
};

/* The block has no more: go on to the next, without a branch. */
#define NEXT_BLOCK_IF_DONE(passed, last, zeros, more_zeros, nonzero, \
			   more_nonzero, i)                          \
	__asm__("cmp %[last_], %[passed_]\n\t"                       \
		"cmovae %[more_zeros_], %[zeros_]\n\t"               \
		"cmovae %[more_nonzero_], %[nonzero_]\n\t"           \
		"cmc\n\t"                                            \
		"adc $0, %[i_]"                                      \
		: [zeros_] "+&r"(zeros), [nonzero_] "+&r"(nonzero),  \
		  [i_] "+&r"(i)                                      \
		: [passed_] "r"(passed), [last_] "r"(last),          \
		  [more_zeros_] "r"(more_zeros),                     \
		  [more_nonzero_] "r"(more_nonzero)                  \
		: "cc")

/*
 * Decode blocks: how many are whole.  The next one may have begun, and what follows
 * is for others.
 */
static NOINLINE TARGET("bmi,bmi2,lzcnt,movbe,popcnt") u32
	refine_blocks(struct refine_loop *loop)
{
	const u64 band = loop->band;
	const u64 last = ~(u64)0 >> (BLOCK_COEFS - 1 - loop->se);
	const struct refine_step *const steps = loop->steps;
	const struct refine_block block = loop->block;
	const u64 num = loop->num_blocks;
	const u8 *const end = loop->end;
	struct bitreader br = loop->bits;
	u64 zeros = band & ~block.nonzero[0];
	u64 nonzero = band & block.nonzero[0];
	u64 i = 0;

	bits_refill(&br);
	while (likely(i < num && br.next < end)) {
		const struct refine_step *const step =
			&steps[br.buf >> (64 - CODE_TABLE_BITS)];
		const u64 place = deposit(step->place, zeros);
		const u64 reached = up_to(place);
		const u64 passed = nonzero & reached;
		const u32 n = (u32)__builtin_popcountll(passed);
		struct bitreader after = br;
		u64 positive, coef, more_zeros, more_nonzero;

		if (unlikely(step->kind + (u32)(place == 0) > STEP_COEF))
			break;
		if (unlikely(n > STEP_MAX_BITS))
			break;
		positive = (u64)((s64)(br.buf << (step->nbits - 1)) >> 63);
		bits_consume(&after, step->nbits);
		bits_refill(&after);
		coef = place & (u64)(s64)step->is_coef;
		block.level[i] |=
			coef | deposit(bits_reversed[after.buf >> 56], passed);
		block.negative[i] |= coef & ~positive;
		block.nonzero[i] |= coef;
		bits_consume(&after, n);
		br = after;

		more_zeros = band & ~block.nonzero[i + 1];
		more_nonzero = band & block.nonzero[i + 1];
		zeros &= ~reached;
		nonzero &= ~reached;
		NEXT_BLOCK_IF_DONE(reached, last, zeros, more_zeros, nonzero,
				   more_nonzero, i);
	}
	loop->bits = br;
	loop->todo = zeros | nonzero;
	return (u32)i;
}
#endif

#endif /* DCTLOAD_REFINE_STEPS_H */
