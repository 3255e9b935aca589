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
 * What the next CODE_TABLE_BITS bits begin with: one or two symbols, before each of them
 * end-of-band symbols with their extra bits.  The extra bits of the last one may lie
 * behind; the one before has its value here.
 */
struct first_step {
	u16 before; /* blocks that end, before the symbol before the last one */
	u8 before_nbits; /* all up to that one; 0: it is the only one */
	u8 before_run, before_advance;
	s8 before_value; /* of its coefficient */
	s8 before_is_coef;

	u8 nbits;       /* all */
	u8 code_nbits;  /* all but the extra bits of the last one */
	u8 run;         /* zeros before the coefficient */
	u16 num_blocks; /* end, before the last one */
	u8 advance;     /* from its place to the next symbol's */
	s8 is_coef;     /* all bits set, or none */
	s8 is_run;      /* the extra bits tell how many blocks end */
};
STATIC_ASSERT(sizeof(struct first_step) == 16);

/* From anywhere, it leads out of the band. */
#define STEP_TO_END BLOCK_COEFS

/* The last symbol is 'found', after what 'step' has. */
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

/* 'found' is the symbol before the last, and the first of what 'bits' are its extra bits. */
static struct first_step
put_before(struct first_step step, u32 found, u64 bits)
{
	const u32 run = found >> 12, size = found >> 8 & 15;
	const u32 nbits = step.nbits + (found & 0xFF) + size;

	return (struct first_step){
		.before = step.num_blocks,
		.before_nbits = (u8)nbits,
		.before_run = (u8)(size != 0 ? run : 0),
		.before_advance = size != 0 ? 1 : 16,
		.before_value = (s8)huff_extend(bits, size),
		.before_is_coef = (s8) - (s8)(size != 0),
		.nbits = (u8)nbits,
		.code_nbits = (u8)nbits,
	};
}

/* For what is to be made: the codes, and what they may not have. */
struct first_maker {
	const struct huff_codes *codes;
	u32 max_size; /* coefficients of more extra bits are for others */
};

static void
append_first_steps(const struct first_maker *maker, struct first_step *steps,
		   struct first_step step, u32 room);

/* The entries that begin with 'step' and an end-of-band symbol, code and extra bits. */
static void
append_first_eobs(const struct first_maker *maker, struct first_step *steps,
		  struct first_step step, u32 found, u32 room)
{
	const u32 run = found >> 12, nbits = (found & 0xFF) + run;
	const u32 num_blocks = step.num_blocks + (1u << run);

	room -= nbits;
	step.run = 0;
	step.nbits = step.code_nbits = (u8)(step.nbits + nbits);
	for (u32 extra = 0; extra < 1u << run; extra++) {
		step.num_blocks = (u16)(num_blocks + extra);
		append_first_steps(maker, steps + (extra << room), step, room);
	}
}

/* The entries that begin with 'step' and a symbol, and perhaps have another one. */
static void
append_first_pairs(const struct first_maker *maker, struct first_step *steps,
		   struct first_step step, u32 found, u32 room)
{
	const u32 size = found >> 8 & 15;

	room -= (found & 0xFF) + size;
	for (u32 extra = 0; extra < 1u << size; extra++)
		append_first_steps(
			maker, steps + (extra << room),
			put_before(step, found, (u64)extra << 1 << (63 - size)),
			room);
}

/* Values are eight bits, and a pair that has no room for a symbol is none. */
static bool
may_come_before(const struct first_maker *maker, const struct first_step *step,
		u32 found, u32 room)
{
	const u32 size = found >> 8 & 15;

	return step->before_nbits == 0 && size <= maker->max_size && size < 8 &&
	       (found & 0xFF) + size < room;
}

/* The entries that begin with what 'step' has; 'room' bits are left. */
static void
append_first_steps(const struct first_maker *maker, struct first_step *steps,
		   struct first_step step, u32 room)
{
	u32 x = 0;

	while (x < 1u << room) {
		const u32 found =
			maker->codes->fast[x << (CODE_TABLE_BITS - room)];
		const u32 len = found & 0xFF, run = found >> 12;
		const bool fits = found != 0 && len <= room;
		const bool is_run = (found >> 8 & 15) == 0 && run != 15;
		const u32 span = fits ? 1u << (room - len) : 1;

		if (fits && is_run && len + run <= room) {
			append_first_eobs(maker, steps + x, step, found, room);
		} else if (fits && !is_run &&
			   may_come_before(maker, &step, found, room)) {
			append_first_pairs(maker, steps + x, step, found, room);
		} else {
			const struct first_step longer =
				fits ? append_first_symbol(step, found,
							   maker->max_size) :
				       step;

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
	const struct first_maker maker = { codes, max_size };
	const struct first_step none = { .run = STEP_TO_END };

	append_first_steps(&maker, steps, none, CODE_TABLE_BITS);
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

/* False if it is, or the last symbol of it, for others to do. */
static ALWAYS_INLINE bool
take_first_step(struct first_loop *loop)
{
	const struct first_step *const step =
		&loop->steps[loop->bits.buf >> (64 - CODE_TABLE_BITS)];
	const u64 extra = loop->bits.buf << step->code_nbits;
	const u32 size = (u32)step->nbits - step->code_nbits;
	const u64 raw = extra >> 1 >> (~size & 63);
	const u64 mask = ~(u64)0 << size;
	/* As huff_extend(). */
	const u64 value = raw + ((mask + 1) & ~(u64)((s64)extra >> 63));
	struct first_place at = { loop->i, loop->k };
	struct first_place next;

	pass_first(loop, &at, step->before, step->before_run);
	if (unlikely(at.i >= loop->num_blocks))
		return false;
	if (unlikely(at.k > loop->se))
		return false;
	store_first(loop, at, (u64)(s64)step->before_value,
		    (u64)(s64)step->before_is_coef);
	advance_first(loop, &at, step->before_advance);
	next = at;
	pass_first(loop, &next, step->num_blocks, step->run);
	if (unlikely(next.i >= loop->num_blocks || next.k > loop->se)) {
		bits_consume(&loop->bits, step->before_nbits);
		loop->i = at.i;
		loop->k = at.k;
		return false;
	}
	store_first(loop, next, value, (u64)(s64)step->is_coef);
	next.i += (raw + ~mask) & (u64)(s64)step->is_run;
	advance_first(loop, &next, step->advance);
	bits_consume(&loop->bits, step->nbits);
	loop->i = next.i;
	loop->k = next.k;
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
