/* SPDX-License-Identifier: MIT */
/*
 * scan_refine.h - refinement scans of AC coefficients (T.81 G.1.2.3), for
 * scan_progressive.c
 */
#ifndef DCTLOAD_SCAN_REFINE_H
#define DCTLOAD_SCAN_REFINE_H

#include "refine_mixed.h"
#include "refine_windows.h"

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

/* Making steps takes as long as decoding so many bytes otherwise. */
#define REFINE_STEPS_NBYTES 128

/* Blocks at most that go without steps after these were of no use. */
#define MAX_BACKOFF 31

/* The hot loops of a scan, and what they need. */
struct refine_steps {
	struct refine_step steps[1 << CODE_TABLE_BITS];
	struct first_steps first_steps;
	struct refine_loop loop;
	struct first_loop first;
	bool has_first_steps;
	bool is_long;      /* enough for first steps to pay */
	u32 untouched_end; /* blocks up to here have nothing in the band */
	u32 last_run;      /* the block in which a run was met, or 0 */
	bool is_mixed;     /* runs and coefficients take turns */
	bool has_mixed;    /* 'mixed' has been used */
	u32 mixed_after;   /* not before this block: it had not got far */
	u32 backoff, skip; /* blocks to go without steps, and left of them */
	struct mixed_blocks mixed;
};

/* Blocks are taken as mixed if a run comes so soon after another, */
#define RUN_AMONG_BLOCKS 8

/* and go on to be if that got so far. */
#define MIXED_MIN_BLOCKS 16

static ALWAYS_INLINE void
begin_refine_steps(const struct progressive_scan *s, u64 band,
		   struct refine_steps *steps)
{
	const u8 *const end = s->end - STEPS_NBYTES_LEFT;

	make_refine_steps(steps->steps, s->ac);
	steps->has_first_steps = false;
	steps->is_long = s->end - s->start > STEPS_NBYTES;
	steps->untouched_end = 0;
	steps->last_run = 0;
	steps->is_mixed = false;
	steps->has_mixed = false;
	steps->backoff = 0;
	steps->skip = 0;
	steps->mixed_after = 0;
	steps->loop = (struct refine_loop){ .end = end,
					    .steps = steps->steps,
					    .se = s->header->se,
					    .band = band };
	steps->first = (struct first_loop){ .end = end,
					    .steps = &steps->first_steps,
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
	const u32 c = scan->s->header->component[0];
	u32 n;

	if (!steps->has_first_steps)
		make_first_steps(&steps->first_steps, scan->s->ac, 1,
				 (size_t)(scan->s->end - scan->s->start));
	steps->has_first_steps = true;
	first->bits = loop->bits;
	first->block = (struct ac_block){
		scan->s->grid[c] + (size_t)scan->i * BLOCK_COEFS,
		scan->first.nonzero + scan->i,
	};
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

/* The code of an EOB of one block, in bits, if that is what comes next; else 0. */
static ALWAYS_INLINE u32
next_eob_nbits(struct refine_loop *loop)
{
	const struct refine_step *step;

	bits_refill(&loop->bits);
	step = &loop->steps[loop->bits.buf >> (64 - CODE_TABLE_BITS)];
	return step->kind == STEP_EOB ? step->nbits : 0;
}

/*
 * Nothing new in many blocks: perhaps the next ones have nothing but EOBs, of one code or
 * of several.
 */
static ALWAYS_INLINE void
refine_more_eobs(struct refine_scan *scan, struct refine_loop *loop)
{
	const u32 nbits = next_eob_nbits(loop);

	if (nbits != 0)
		scan->loops->eobs(scan, &loop->bits, nbits);
	if (scan->i < scan->end && next_eob_nbits(loop) != 0)
		scan->loops->eob_runs(scan, &loop->bits);
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

/* The same, without a look at what has been looked at: a scan changes no later block. */
static ALWAYS_INLINE u32
known_untouched(const struct refine_scan *scan, struct refine_steps *steps)
{
	if (steps->untouched_end <= scan->i)
		steps->untouched_end = scan->i + count_untouched(scan);
	return steps->untouched_end - scan->i;
}

/* A run comes next, or it is nothing for steps. */
static ALWAYS_INLINE bool
is_run_next(struct refine_loop *loop)
{
	bits_refill(&loop->bits);
	return loop->steps[loop->bits.buf >> (64 - CODE_TABLE_BITS)].kind ==
	       STEP_RUN;
}

/* So many blocks, of which the first has 'todo'; false if there is more to one of them. */
static ALWAYS_INLINE bool
refine_mixed_blocks(struct refine_scan *scan, struct refine_steps *steps,
		    u64 todo)
{
	struct refine_loop *const loop = &steps->loop;
	const u32 n = min_u32(scan->end - scan->i, MIXED_BLOCKS);
	u32 done, passed;

	loop->block = refine_block_at(&scan->first, scan->i);
	loop->num_blocks = n;
	loop->todo = todo;
	if (!steps->has_mixed)
		memset(steps->mixed.nonzero, 0, sizeof(steps->mixed.nonzero));
	steps->has_mixed = true;
	steps->mixed.touched =
		scan->ops->find_touched(loop->block.nonzero, n, scan->band) &
		~(u64)0 >> (64 - n);
	done = refine_mixed(loop, &steps->mixed);
	passed = min_u32(done, n);
	scan->i += passed;
	steps->is_mixed =
		passed >= min_u32(n, MIXED_MIN_BLOCKS) && loop->is_mixed;
	if (!steps->is_mixed)
		steps->mixed_after = scan->i + MIXED_BLOCKS;
	scan->loops->run(scan, &loop->bits,
			 min_u32(done - passed, scan->end - scan->i));
	return done >= n;
}

/* A run has stopped the usual steps; true if it was soon after another, and all went on. */
static ALWAYS_INLINE bool
refine_from_run(struct refine_scan *scan, struct refine_steps *steps)
{
	const bool is_near = scan->i - steps->last_run < RUN_AMONG_BLOCKS &&
			     scan->i >= steps->mixed_after;

	steps->last_run = scan->i;
	return is_near && refine_mixed_blocks(scan, steps, steps->loop.todo);
}

/* Steps were of use, or the next blocks are better taken another way. */
static ALWAYS_INLINE void
back_off(struct refine_steps *steps, bool was_of_use)
{
	steps->backoff =
		was_of_use ? 0 : min_u32(2 * steps->backoff + 1, MAX_BACKOFF);
	steps->skip = steps->backoff;
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
	const u64 position = bits_position(br, scan->s->start);
	u32 n, done;

	if (steps->skip != 0) {
		steps->skip--;
		return scan->band;
	}
	loop->bits = *br;
	do {
		const u32 begin = scan->i;
		u64 touched;

		if (steps->is_mixed) {
			n = 0;
			done = 0;
			if (!refine_mixed_blocks(scan, steps, scan->band))
				break;
			continue;
		}
		loop->block = refine_block_at(&scan->first, begin);
		n = min_u32(scan->end - begin, STEP_BLOCKS);
		touched = scan->ops->find_touched(loop->block.nonzero, n,
						  scan->band) &
			  ~(u64)0 >> (64 - n);
		if ((touched & (BIT(MANY_UNTOUCHED) - 1)) == 0 &&
		    n >= MANY_UNTOUCHED &&
		    (steps->has_first_steps ||
		     (touched == 0 && steps->is_long))) {
			if (touched != 0)
				n = (u32)__builtin_ctzll(touched);
			else
				n = max_u32(n, known_untouched(scan, steps));
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
		if (done < n && is_run_next(loop) &&
		    refine_from_run(scan, steps))
			done = n;
	} while (done >= n && scan->i < scan->end);
	*br = loop->bits;
	back_off(steps, bits_position(br, scan->s->start) != position);
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
	const bool by_steps =
		ops->has_pdep && s->end - s->start > REFINE_STEPS_NBYTES;

	if (by_steps)
		begin_refine_steps(s, scan.band, &steps);
#endif

	while (scan.i < end && status == DCTLOAD_OK) {
		u64 todo = scan.band;

#if ARCH_X86_64
		if (by_steps) {
			todo = refine_by_steps(&scan, br, &steps);
			/* Runs and EOBs may have taken bits that are not there. */
			status = check_end(s, br);
		}
		if (scan.i == end || status != DCTLOAD_OK)
			break;
#endif
		status = refine_next(&scan, br, todo);
	}
	return status;
}

#endif /* DCTLOAD_SCAN_REFINE_H */
