/* SPDX-License-Identifier: MIT */
/*
 * first_steps.h - the hot loop of first scans of a band, for scan_progressive.c
 *
 * As in sequential scans, no branch asks whether a block ends, for it could not be
 * predicted; and a look-up finds all blocks that end one after the other, and the
 * symbol that follows.
 */
#ifndef DCTLOAD_FIRST_STEPS_H
#define DCTLOAD_FIRST_STEPS_H

#include "progressive_symbols.h"

/* Making steps takes as long as decoding so many bytes otherwise. */
#define STEPS_NBYTES 256

/* They end before a segment does, so that no bit is taken that is not there. */
#define STEPS_NBYTES_LEFT 16

/*
 * What the next CODE_TABLE_BITS bits begin with: end-of-band symbols with their extra
 * bits, and one symbol whose extra bits may lie behind.
 */
struct first_step {
	u16 num_blocks; /* end, before that symbol */
	u8 code_nbits;  /* all but its extra bits */
	u8 nbits;       /* all */
	u8 run;         /* zeros before the coefficient */
	u8 advance;     /* from its place to the next symbol's */
	s8 is_coef;     /* all bits set, or none */
	s8 is_run;      /* the extra bits tell how many blocks end */
};

/* From anywhere, it leads out of the band. */
#define STEP_TO_END BLOCK_COEFS

/* The symbol that 'found' is, after those that 'step' has. */
static struct first_step
append_first_symbol(struct first_step step, u32 found, u32 max_size)
{
	const u32 run = found >> 12, size = found >> 8 & 15;
	const bool is_run = size == 0 && run != 15;

	if (size > max_size)
		return step;
	step.code_nbits = (u8)(step.code_nbits + (found & 0xFF));
	step.nbits = (u8)(step.code_nbits + (is_run ? run : size));
	step.run = (u8)(size != 0 ? run : 0);
	step.advance = size != 0 ? 1 : is_run ? STEP_TO_END : 16;
	step.is_coef = (s8) - (s8)(size != 0);
	step.is_run = (s8) - (s8)is_run;
	return step;
}

/* The entries that begin with what 'step' has; 'room' bits are left. */
static void
append_first_steps(struct first_step *steps, const struct huff_codes *codes,
		   u32 max_size, struct first_step step, u32 room)
{
	u32 x = 0;

	while (x < 1u << room) {
		const u32 found = codes->fast[x << (CODE_TABLE_BITS - room)];
		const u32 len = found & 0xFF, run = found >> 12;
		const bool fits = found != 0 && len <= room;
		const u32 span = fits ? 1u << (room - len) : 1;
		struct first_step longer = step;

		if (fits && (found >> 8 & 15) == 0 && run != 15 &&
		    len + run <= room) {
			const u32 left = room - len - run;

			longer.run = 0;
			longer.nbits = (u8)(step.nbits + len + run);
			longer.code_nbits = longer.nbits;
			for (u32 extra = 0; extra < 1u << run; extra++) {
				longer.num_blocks = (u16)(step.num_blocks +
							  (1u << run) + extra);
				append_first_steps(steps + x + (extra << left),
						   codes, max_size, longer,
						   left);
			}
		} else {
			if (fits)
				longer = append_first_symbol(step, found,
							     max_size);
			for (u32 i = 0; i < span; i++)
				steps[x + i] = longer;
		}
		x += span;
	}
}

/* The steps of a scan; coefficients of more extra bits than 'max_size' are for others. */
static void
make_first_steps(struct first_step *steps, const struct huff_codes *codes,
		 u32 max_size)
{
	const struct first_step none = { .run = STEP_TO_END };

	append_first_steps(steps, codes, max_size, none, CODE_TABLE_BITS);
}

struct first_loop {
	struct bitreader bits;
	const u8 *end; /* steps begin before this byte */
	const struct first_step *steps;
	struct ac_block block; /* the first */
	u64 num_blocks;
	u64 ss, se, al;
	u64 i, k; /* where the next symbol belongs */
};

/* False if it is for others to do. */
static ALWAYS_INLINE bool
take_first_step(struct first_loop *loop)
{
	const struct first_step *const step =
		&loop->steps[loop->bits.buf >> (64 - CODE_TABLE_BITS)];
	const u64 i = loop->i + step->num_blocks;
	const u64 k = (step->num_blocks != 0 ? loop->ss : loop->k) + step->run;
	const u64 extra = loop->bits.buf << step->code_nbits;
	const u32 size = (u32)step->nbits - step->code_nbits;
	const u64 raw = extra >> 1 >> (~size & 63);
	const u64 mask = ~(u64)0 << size;
	/* As huff_extend(). */
	const u64 value = (raw + ((mask + 1) & ~(u64)((s64)extra >> 63)))
			  << loop->al;
	const u64 is_coef = (u64)(s64)step->is_coef;
	const u64 is_run = (u64)(s64)step->is_run;
	u64 done;

	if (unlikely(i >= loop->num_blocks))
		return false;
	if (unlikely(k > loop->se))
		return false;
	/* Nothing can be there yet, so zero may be stored anywhere. */
	loop->block.coefs[i * BLOCK_COEFS + k] = (s16)(value & is_coef);
	loop->block.nonzero[i] |= BIT(k) & is_coef;
	bits_consume(&loop->bits, step->nbits);
	loop->i = i + ((raw + ~mask) & is_run);
	loop->k = k + step->advance;
	done = (u64)((s64)(loop->se - loop->k) >> 63);
	loop->k ^= (loop->k ^ loop->ss) & done;
	loop->i -= done;
	return true;
}

static ALWAYS_INLINE void
decode_first_steps(struct first_loop *restrict ret)
{
	struct first_loop loop = *ret;

	while (loop.bits.next < loop.end) {
		bits_refill(&loop.bits);
		if (!take_first_step(&loop) || !take_first_step(&loop))
			break;
	}
	*ret = loop;
}

#endif /* DCTLOAD_FIRST_STEPS_H */
