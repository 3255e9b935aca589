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

/*
 * Before that, in pairs, another such symbol that ends no band, with its value; all zero
 * if there is but one.
 */
struct first_before {
	u16 num_blocks;
	u8 nbits; /* a step has them too */
	u8 run, advance;
	s8 value;
	s8 is_coef;
};

struct first_pair {
	struct first_before before;
	struct first_step step;
};

struct first_steps {
	struct first_step step[1 << CODE_TABLE_BITS];
	struct first_before before[1 << CODE_TABLE_BITS];
	bool has_pairs; /* else nothing is before */
};

/* Pairs pay in so many bytes; it takes twice as long to make them. */
#define PAIRS_NBYTES 4096

/* Extra bits of the symbol before: more are too many values to make entries of. */
#define BEFORE_MAX_SIZE 3

/* From anywhere, it leads out of the band. */
#define STEP_TO_END BLOCK_COEFS

/* What steps are made of. */
struct first_maker {
	struct first_steps *steps;
	const struct huff_codes *codes;
	u32 max_size;  /* coefficients of more extra bits are for others */
	u32 min_nbits; /* of a code */
};

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

/* The same with its value, which 'bits' begin with, and before another step. */
static struct first_pair
put_before(struct first_step step, u32 found, u64 bits)
{
	const u32 run = found >> 12, size = found >> 8 & 15;
	const u8 nbits = (u8)(step.nbits + (found & 0xFF) + size);

	return (struct first_pair){
		.before = { .num_blocks = step.num_blocks,
			    .nbits = nbits,
			    .run = (u8)(size != 0 ? run : 0),
			    .advance = size != 0 ? 1 : 16,
			    .value = (s8)huff_extend(bits, size),
			    .is_coef = (s8) - (s8)(size != 0) },
		.step = { .code_nbits = nbits, .nbits = nbits },
	};
}

static void append_first_steps(const struct first_maker *maker, u32 x,
			       struct first_pair pair, u32 room);

/* The entries from 'x' on that begin with 'pair' and an end-of-band symbol, all of it. */
static void
append_first_eobs(const struct first_maker *maker, u32 x,
		  struct first_pair pair, u32 found, u32 room)
{
	const u32 run = found >> 12, nbits = (found & 0xFF) + run;
	const u32 num_blocks = pair.step.num_blocks + (1u << run);

	room -= nbits;
	pair.step.run = 0;
	pair.step.nbits = pair.step.code_nbits = (u8)(pair.step.nbits + nbits);
	for (u32 extra = 0; extra < 1u << run; extra++) {
		pair.step.num_blocks = (u16)(num_blocks + extra);
		append_first_steps(maker, x + (extra << room), pair, room);
	}
}

/* The entries from 'x' on that begin with 'step' and 'found', before another symbol. */
static void
append_first_pairs(const struct first_maker *maker, u32 x,
		   struct first_step step, u32 found, u32 room)
{
	const u32 size = found >> 8 & 15;

	room -= (found & 0xFF) + size;
	for (u32 extra = 0; extra < 1u << size; extra++) {
		const u64 bits = (u64)extra << 1 << (63 - size);

		append_first_steps(maker, x + (extra << room),
				   put_before(step, found, bits), room);
	}
}

/* Nothing is before it yet, and there is room for a symbol behind. */
static bool
may_come_before(const struct first_maker *maker, const struct first_pair *pair,
		u32 found, u32 room)
{
	const u32 size = found >> 8 & 15;

	return maker->steps->has_pairs && pair->before.nbits == 0 &&
	       size <= min_u32(maker->max_size, BEFORE_MAX_SIZE) &&
	       (found & 0xFF) + size + maker->min_nbits <= room;
}

/* The entries from 'x' on that begin with what 'pair' has; 'room' bits are left. */
static void
append_first_steps(const struct first_maker *maker, u32 x,
		   struct first_pair pair, u32 room)
{
	const u32 end = x + (1u << room), begin = x;

	while (x < end) {
		const u32 found =
			maker->codes
				->fast[(x - begin) << (CODE_TABLE_BITS - room)];
		const u32 len = found & 0xFF, run = found >> 12;
		const bool fits = found != 0 && len <= room;
		const u32 span = fits ? 1u << (room - len) : 1;

		if (fits && is_eob(found) && len + run <= room) {
			append_first_eobs(maker, x, pair, found, room);
		} else if (fits && !is_eob(found) &&
			   may_come_before(maker, &pair, found, room)) {
			append_first_pairs(maker, x, pair.step, found, room);
		} else {
			const struct first_step step =
				fits ? append_first_symbol(pair.step, found,
							   maker->max_size) :
				       pair.step;

			for (u32 i = x; i < x + span; i++)
				maker->steps->step[i] = step;
			for (u32 i = x; i < x + span && maker->steps->has_pairs;
			     i++)
				maker->steps->before[i] = pair.before;
		}
		x += span;
	}
}

/*
 * A symbol of two bits that is no EOB: of a file that is made to take long, it can be
 * nearly all.
 */
static bool
has_short_symbol(const struct huff_codes *codes)
{
	const u32 found = codes->fast[0], len = found & 0xFF;

	return found != 0 && !is_eob(found) && len + (found >> 8 & 15) <= 2;
}

/*
 * The steps of a segment of 'nbytes'; coefficients of more extra bits than 'max_size' are
 * for others.
 */
static void
make_first_steps(struct first_steps *steps, const struct huff_codes *codes,
		 u32 max_size, size_t nbytes)
{
	const struct first_maker maker = { steps, codes, max_size,
					   codes->fast[0] & 0xFF };
	const struct first_pair none = { .step = { .run = STEP_TO_END } };

	steps->has_pairs = nbytes >= PAIRS_NBYTES || has_short_symbol(codes);
	append_first_steps(&maker, 0, none, CODE_TABLE_BITS);
}

struct first_loop {
	struct bitreader bits;
	const u8 *end; /* steps begin before this byte */
	const struct first_steps *steps;
	struct ac_block block; /* the first */
	u64 num_blocks;
	u64 ss, se, al;
	u64 i, k; /* where the next symbol belongs */
};

/* A place in the image. */
struct first_place {
	u64 i, k;
};

/* Past blocks that end, and zeros. */
static ALWAYS_INLINE void
pass_first(const struct first_loop *loop, struct first_place *at,
	   u64 num_blocks, u64 run)
{
	at->i += num_blocks;
	at->k = (num_blocks != 0 ? loop->ss : at->k) + run;
}

/* Nothing can be there yet, so zero may be stored anywhere. */
static ALWAYS_INLINE void
store_first(const struct first_loop *loop, struct first_place at, u64 value,
	    u64 is_coef)
{
	loop->block.coefs[at.i * BLOCK_COEFS + at.k] =
		(s16)(value << loop->al & is_coef);
	loop->block.nonzero[at.i] |= BIT(at.k) & is_coef;
}

/* To where the next symbol belongs: in the next block if this one's band is done. */
static ALWAYS_INLINE void
advance_first(const struct first_loop *loop, struct first_place *at, u64 n)
{
	u64 done;

	at->k += n;
	done = (u64)((s64)(loop->se - at->k) >> 63);
	at->k ^= (at->k ^ loop->ss) & done;
	at->i -= done;
}

/* False if it is, or its last symbol is, for others to do. */
static ALWAYS_INLINE bool
take_first_step(struct first_loop *loop, bool has_pairs)
{
	const u64 x = loop->bits.buf >> (64 - CODE_TABLE_BITS);
	const struct first_before *const before = &loop->steps->before[x];
	const struct first_step *const step = &loop->steps->step[x];
	const u64 extra = loop->bits.buf << step->code_nbits;
	const u32 size = (u32)step->nbits - step->code_nbits;
	const u64 raw = extra >> 1 >> (~size & 63);
	const u64 mask = ~(u64)0 << size;
	/* As huff_extend(). */
	const u64 value = raw + ((mask + 1) & ~(u64)((s64)extra >> 63));
	struct first_place at = { loop->i, loop->k };

	if (has_pairs) {
		pass_first(loop, &at, before->num_blocks, before->run);
		if (unlikely(at.i >= loop->num_blocks || at.k > loop->se))
			return false;
		store_first(loop, at, (u64)(s64)before->value,
			    (u64)(s64)before->is_coef);
		advance_first(loop, &at, before->advance);
	}
	loop->i = at.i;
	loop->k = at.k;
	pass_first(loop, &at, step->num_blocks, step->run);
	if (unlikely(at.i >= loop->num_blocks || at.k > loop->se)) {
		if (has_pairs)
			bits_consume(&loop->bits, before->nbits);
		return false;
	}
	store_first(loop, at, value, (u64)(s64)step->is_coef);
	bits_consume(&loop->bits, step->nbits);
	at.i += (raw + ~mask) & (u64)(s64)step->is_run;
	advance_first(loop, &at, step->advance);
	loop->i = at.i;
	loop->k = at.k;
	return true;
}

static ALWAYS_INLINE void
decode_first_steps(struct first_loop *restrict ret, bool has_pairs)
{
	struct first_loop loop = *ret;

	while (loop.bits.next < loop.end) {
		bits_refill(&loop.bits);
		if (!take_first_step(&loop, has_pairs) ||
		    !take_first_step(&loop, has_pairs))
			break;
	}
	*ret = loop;
}

#endif /* DCTLOAD_FIRST_STEPS_H */
