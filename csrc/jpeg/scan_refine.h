/* SPDX-License-Identifier: MIT */
/*
 * scan_refine.h - refinement scans of AC coefficients (T.81 G.1.2.3), for
 * scan_progressive.c
 *
 * T.81 walks over the coefficients one by one: one that is zero counts, any other
 * takes a bit.  Here the walk is arithmetic on the words of a block.  The place where a
 * run of zeros ends is a bit of the word of zeros; the coefficients passed over are a
 * mask, and as many bits of the file are deposited into it.
 *
 * This goes symbol by symbol; refine_steps.h does what is usual.
 */
#ifndef DCTLOAD_SCAN_REFINE_H
#define DCTLOAD_SCAN_REFINE_H

#include "first_steps.h"
#include "progressive_symbols.h"
#include "refine.h"

/* The words of a block. */
struct refine_block {
	u64 *nonzero, *negative, *level;
};

static ALWAYS_INLINE struct refine_block
refine_block_at(const struct refine_block *first, u32 i)
{
	return (struct refine_block){ first->nonzero + i, first->negative + i,
				      first->level + i };
}

#include "refine_steps.h"

struct refine_scan;

/* Loops over blocks, each a function of its own for the sake of its registers. */
struct progressive_loops {
	void (*first)(struct first_loop *loop);
	void (*run)(struct refine_scan *scan, struct bitreader *br, u32 n);
	void (*eobs)(struct refine_scan *scan, struct bitreader *br, u32 nbits);
	void (*eob_runs)(struct refine_scan *scan, struct bitreader *br);
};

/* A scan, and where in it: blocks from 'i' to before 'end'. */
struct refine_scan {
	struct progressive_scan *s;
	const struct refine_ops *ops;
	const struct progressive_loops *loops;
	struct refine_block first; /* of the image */
	u64 band;		   /* coefficients that the scan codes */
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

/* The next bits correct what there is of a block in the band; up to eight of them. */
#define FEW_BITS 8

/* All that is left for a block is corrections; 32 bits have to be there. */
static ALWAYS_INLINE void
correct_block(struct bitreader *br, const struct refine_block *block, u64 band,
	      const struct refine_ops *ops)
{
	const u64 which = *block->nonzero & band;

	if (ops->has_pdep &&
	    likely((u32)__builtin_popcountll(which) <= FEW_BITS)) {
		*block->level |= deposit(bits_reversed[br->buf >> 56], which);
		bits_consume(br, (u32)__builtin_popcountll(which));
	} else {
		*block->level |= next_corrections(br, which, ops->has_pdep);
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
			const struct refine_block touched =
				refine_block_at(&block, (u32)__builtin_ctzll(left));

			bits_refill(&br);
			correct_block(&br, &touched, band, ops);
		}
		block = refine_block_at(&block, num);
		n -= num;
	}
	*reader = br;
}

/* One code after the other. */
struct eob_codes {
	struct bitreader bits;
	u32 nbits;     /* of one */
	u64 pattern;   /* as many as there is room for */
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
		correct_block(&codes->bits, &block, band, ops);
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
				   .pattern = br->buf >> (64 - nbits)
							 << (64 - nbits) };
	bool more = true;

	for (u32 n = nbits; n < 64; n *= 2)
		codes.pattern |= codes.pattern >> n;
	/* Bits that are not there are zeros, and correct nothing. */
	while (more && scan->i < scan->end && !is_past_end(scan->s, &codes.bits)) {
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
			const struct refine_block block = refine_block_at(&first, n);
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

/* A run of more is not for refine_eob_runs(). */
#define SHORT_RUN 8

/* After so many blocks other ways are tried again. */
#define MANY_EOBS 64

/*
 * Blocks that are in end-of-band runs, as long as these are short, and follow each
 * other.  How long they are cannot be predicted, so that a step is a block, and has
 * a symbol or not.
 */
static ALWAYS_INLINE void
refine_eob_runs(struct refine_scan *scan, struct bitreader *reader,
		const struct refine_ops *ops)
{
	const struct huff_codes *const codes = scan->s->ac;
	const u32 end = min_u32(scan->end, scan->i + MANY_EOBS);
	struct bitreader br = *reader;
	u32 i = scan->i, left = 0; /* blocks of the run */

	while (i < end || left != 0) {
		const struct refine_block block =
			refine_block_at(&scan->first, i);
		const u32 has_symbol = -(u32)(left == 0);
		u32 found, len, run;

		bits_refill(&br);
		found = codes->fast[br.buf >> (64 - CODE_TABLE_BITS)];
		run = found >> 12 & has_symbol;
		len = found & 0xFF & has_symbol;
		/* One condition, for a branch on either is half wrong. */
		if (unlikely((has_symbol & (u32)(!is_eob(found) |
						 is_past_end(scan->s, &br))) !=
			     0))
			break;
		left += (1u << run & has_symbol) +
			((u32)(br.buf << len >> 1 >> (63 - run)));
		bits_consume(&br, len + run);
		if (unlikely(left > SHORT_RUN)) {
			scan->i = i;
			refine_run(scan, &br, min_u32(left, scan->end - i),
				   ops);
			i = scan->i;
			left = 0;
			continue;
		}
		if (unlikely(i == scan->end))
			break;
		correct_block(&br, &block, scan->band, ops);
		left--;
		i++;
	}
	scan->i = i;
	*reader = br;
}

/* The rest of a block, and of the run that may begin there. */
static ALWAYS_INLINE enum dctload_status
refine_next(struct refine_scan *scan, struct bitreader *br, u64 todo)
{
	struct progressive_scan *const s = scan->s;
	const u32 found = peek_symbol(s, br, s->ac);
	const u32 i = scan->i;
	u32 eob_run = 0; /* from here on */
	enum dctload_status status = DCTLOAD_OK;

	if (todo == scan->band && is_eob(found)) {
		scan->loops->eob_runs(scan, br);
		if (scan->i != i)
			return check_end(s, br);
		/* A code that is longer than that looks for. */
		eob_run = take_eob_run(br, found & 0xFF, found >> 12);
	} else {
		status = refine_symbols(scan, br, found, todo, &eob_run);
		scan->i++;
		eob_run -= eob_run != 0;
	}
	scan->loops->run(scan, br, min_u32(eob_run, scan->end - scan->i));
	return status == DCTLOAD_OK ? check_end(s, br) : status;
}

#if ARCH_X86_64
/* Blocks that are looked at together, and how many it pays to take another way. */
#define STEP_BLOCKS 64
#define MANY_UNTOUCHED 16

/* The hot loops of a scan, and what they need. */
struct refine_steps {
	struct refine_step steps[1 << CODE_TABLE_BITS];
	struct first_step first_steps[1 << CODE_TABLE_BITS];
	struct refine_loop loop;
	struct first_loop first;
	bool has_first_steps;
};

static ALWAYS_INLINE void
begin_refine_steps(const struct progressive_scan *s, u64 band,
		   struct refine_steps *steps)
{
	const u8 *const end = s->end - STEPS_NBYTES_LEFT;

	make_refine_steps(steps->steps, s->ac);
	steps->has_first_steps = false;
	steps->loop = (struct refine_loop){ .end = end,
					    .steps = steps->steps,
					    .se = s->header->se,
					    .band = band };
	steps->first = (struct first_loop){ .end = end,
					    .steps = steps->first_steps,
					    .ss = s->header->ss,
					    .se = s->header->se,
					    .al = s->header->al };
}

/*
 * To 'num' blocks that have nothing in the band yet, this is what a first scan is.  As
 * far as whole blocks go; what the next one has to do is left in the loop.
 */
static ALWAYS_INLINE void
refine_untouched(struct refine_scan *scan, struct refine_steps *steps, u32 num)
{
	struct first_loop *const first = &steps->first;
	struct refine_loop *const loop = &steps->loop;
	u32 n;

	if (!steps->has_first_steps)
		make_first_steps(steps->first_steps, scan->s->ac, 1);
	steps->has_first_steps = true;
	first->bits = loop->bits;
	first->block = ac_block_at(&(struct ac_block){ scan->s->grid[scan->s->header->component[0]], scan->first.nonzero }, scan->i);
	first->num_blocks = num;
	first->i = 0;
	first->k = first->ss;
	scan->loops->first(first);
	loop->bits = first->bits;
	loop->todo = scan->band & ~(u64)0 << first->k;
	n = min_u32((u32)first->i, num);
	scan->i += n;
	/* A run may go on. */
	scan->loops->run(scan, &loop->bits,
			 min_u32((u32)first->i - n, scan->end - scan->i));
}

/* Nothing new in many blocks: perhaps the next ones have nothing but EOBs. */
static ALWAYS_INLINE void
refine_more_eobs(struct refine_scan *scan, struct refine_loop *loop)
{
	const struct refine_step *step;

	bits_refill(&loop->bits);
	step = &loop->steps[loop->bits.buf >> (64 - CODE_TABLE_BITS)];
	if (step->kind == STEP_EOB)
		scan->loops->eobs(scan, &loop->bits, step->nbits);
}

/* Blocks that follow, a multiple of STEP_BLOCKS unless they are the last. */
static ALWAYS_INLINE u32
count_untouched(const struct refine_scan *scan)
{
	const u32 max = scan->end - scan->i;
	u32 n = 0;

	while (n < max) {
		const u32 num = min_u32(max - n, STEP_BLOCKS);
		const u64 touched = scan->ops->find_touched(
			scan->first.nonzero + scan->i + n, num, scan->band);

		if ((touched & ~(u64)0 >> (64 - num)) != 0)
			break;
		n += num;
	}
	return n;
}

/*
 * What is usual, as far as it goes.  Returns what the next block has still to do, if
 * it has begun.
 */
static ALWAYS_INLINE u64
refine_by_steps(struct refine_scan *scan, struct bitreader *br,
		struct refine_steps *steps)
{
	struct refine_loop *const loop = &steps->loop;
	u32 n, done;

	loop->bits = *br;
	do {
		const u32 begin = scan->i;
		u64 touched;

		loop->block = refine_block_at(&scan->first, begin);
		n = min_u32(scan->end - begin, STEP_BLOCKS);
		touched = scan->ops->find_touched(loop->block.nonzero, n,
						  scan->band) &
			  ~(u64)0 >> (64 - n);
		if ((touched & (BIT(MANY_UNTOUCHED) - 1)) == 0 &&
		    n >= MANY_UNTOUCHED) {
			if (touched != 0)
				n = (u32)__builtin_ctzll(touched);
			else
				n = count_untouched(scan);
			refine_untouched(scan, steps, n);
			done = scan->i - begin;
			continue;
		}
		loop->num_blocks = n;
		done = refine_blocks(loop);
		scan->i += done;
		if (done == STEP_BLOCKS &&
		    scan->ops->find_touched(loop->block.nonzero, n,
					    scan->band) == touched)
			refine_more_eobs(scan, loop);
	} while (done >= n && scan->i < scan->end);
	*br = loop->bits;
	return loop->todo;
}
#endif

static ALWAYS_INLINE struct refine_block
first_refine_block(const struct progressive_scan *s)
{
	const size_t i = s->first_block[s->header->component[0]];

	return (struct refine_block){
		s->words->nonzero.words + i,
		s->words->negative.words + i,
		s->words->levels[s->header->al].words + i,
	};
}

static ALWAYS_INLINE enum dctload_status
decode_refined_blocks(struct progressive_scan *s, struct bitreader *br, u32 i,
		      u32 end, const struct refine_ops *ops,
		      const struct progressive_loops *loops)
{
	const u32 ss = s->header->ss, se = s->header->se;
	struct refine_scan scan = {
		.s = s,
		.ops = ops,
		.loops = loops,
		.first = first_refine_block(s),
		.band = ~(u64)0 << ss & ~(u64)0 >> (BLOCK_COEFS - 1 - se),
		.i = i,
		.end = end,
	};
	enum dctload_status status = DCTLOAD_OK;
#if ARCH_X86_64
	struct refine_steps steps;
	const bool by_steps = ops->has_pdep && s->end - s->start > STEPS_NBYTES;

	if (by_steps)
		begin_refine_steps(s, scan.band, &steps);
#endif

	while (scan.i < end && status == DCTLOAD_OK) {
		u64 todo = scan.band;

#if ARCH_X86_64
		if (by_steps)
			todo = refine_by_steps(&scan, br, &steps);
		if (scan.i == end)
			break;
#endif
		status = refine_next(&scan, br, todo);
	}
	return status;
}

#endif /* DCTLOAD_SCAN_REFINE_H */
