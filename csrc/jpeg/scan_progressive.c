/* SPDX-License-Identifier: MIT */
/*
 * scan_progressive.c - spectral selection and successive approximation
 * (T.81 annex G)
 */

#include "scan_progressive.h"

#include "../cpu.h"
#include "refine.h"

/* ---- symbols ----------------------------------------------------------- */

/* Whether bits that are not in the file have been used. */
static ALWAYS_INLINE bool
is_past_end(const struct progressive_scan *s, const struct bitreader *br)
{
	return bits_position(br, s->start) > (u64)(s->end - s->start) * 8;
}

static ALWAYS_INLINE enum dctload_status
fail(struct progressive_scan *s, struct bitreader *br,
     enum dctload_status status)
{
	const u64 position = bits_position(br, s->start);
	const u64 end = (u64)(s->end - s->start) * 8;

	s->error_position = position < end ? position : end;
	return position > end && !s->zero_fill ? DCTLOAD_TRUNCATED : status;
}

/* Where zeros stand in for a code's missing bits, do as libjpeg does. */
static ALWAYS_INLINE bool
is_forgiven(const struct progressive_scan *s, const struct bitreader *br)
{
	return s->zero_fill && is_past_end(s, br);
}

/*
 * The next symbol << 8 and its code's length; 0 if the bits are no code.  They
 * stay, so that its extra bits can be consumed with it, in one step.
 */
static ALWAYS_INLINE u32
peek_symbol(struct progressive_scan *s, struct bitreader *br,
	    const struct huff_codes *codes)
{
	u32 found;

	bits_refill(br);
	found = huff_find(codes, br->buf);
	if (likely(found != 0))
		return found;
	if (!s->zero_fill || bits_position(br, s->start) + MAX_CODE_BITS <=
				     (u64)(s->end - s->start) * 8)
		return 0;
	return MAX_CODE_BITS; /* symbol 0, as in libjpeg */
}

/* The next 'n' bits, at most 32, as a number. */
static ALWAYS_INLINE u32
next_bits(struct bitreader *br, u32 n)
{
	const u32 value = (u32)(br->buf >> 1 >> (63 - n));

	bits_consume(br, n);
	return value;
}

/* ---- DC ---------------------------------------------------------------- */

static ALWAYS_INLINE enum dctload_status
decode_dc_first(struct progressive_scan *s, struct bitreader *br, u32 i,
		s32 *pred, s16 *block)
{
	const u32 found = peek_symbol(s, br, s->dc[i]);
	const u32 len = found & 0xFF, size = found >> 8;
	s32 value;

	if (unlikely(found == 0))
		return fail(s, br, DCTLOAD_BAD_CODE);
	*pred += huff_extend(br->buf << len, size);
	bits_consume(br, len + size);
	value = (s32)((u32)*pred << s->header->al);
	if (unlikely(*pred != (s16)*pred || value != (s16)value))
		return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
	block[DC_LANE] = (s16)value;
	return DCTLOAD_OK;
}

static ALWAYS_INLINE enum dctload_status
decode_dc_refine(struct progressive_scan *s, struct bitreader *br, s16 *block)
{
	bits_refill(br);
	block[DC_LANE] =
		(s16)(block[DC_LANE] | (s32)next_bits(br, 1) << s->header->al);
	return DCTLOAD_OK;
}

/* Where block (x, y) of component 'c' is; a dummy if it only pads an MCU. */
static ALWAYS_INLINE s16 *
block_at(const struct progressive_scan *s, u32 c, u32 x, u32 y, s16 *dummy)
{
	const struct dctload_component *const comp = &s->info->components[c];

	if (x >= comp->blocks_w || y >= comp->blocks_h) {
		memset(dummy, 0, BLOCK_NBYTES);
		return dummy;
	}
	return s->grid[c] + ((size_t)y * comp->blocks_w + x) * BLOCK_COEFS;
}

static ALWAYS_INLINE enum dctload_status
decode_dc_mcu(struct progressive_scan *s, struct bitreader *br, u32 mcu,
	      s32 pred[DCTLOAD_MAX_COMPONENTS])
{
	const u32 mcu_x = mcu % s->mcus_w, mcu_y = mcu / s->mcus_w;
	const bool interleaved = scan_is_interleaved(s->header);
	s16 dummy[BLOCK_COEFS];

	for (u32 i = 0; i < s->header->num_components; i++) {
		const u32 c = s->header->component[i];
		const u32 h = interleaved ? s->info->components[c].h : 1;
		const u32 v = interleaved ? s->info->components[c].v : 1;

		for (u32 j = 0; j < h * v; j++) {
			s16 *const block = block_at(s, c, mcu_x * h + j % h,
						    mcu_y * v + j / h, dummy);
			const enum dctload_status status =
				s->header->ah == 0 ?
					decode_dc_first(s, br, i, &pred[i],
							block) :
					decode_dc_refine(s, br, block);

			if (unlikely(status != DCTLOAD_OK))
				return status;
		}
	}
	return DCTLOAD_OK;
}

/* ---- AC, first scan of a band (T.81 G.1.2.2) --------------------------- */

/* Consume an end-of-band symbol of category 'run': how many blocks it ends. */
static ALWAYS_INLINE u32
take_eob_run(struct bitreader *br, u32 len, u32 run)
{
	const u32 extra = (u32)(br->buf << len >> 1 >> (63 - run));

	bits_consume(br, len + run);
	return (1u << run) + extra;
}

/* A symbol that ends a band; 0, which is none, does not. */
static ALWAYS_INLINE bool
is_eob(u32 found)
{
	return found != 0 && (found >> 8 & 15) == 0 && found >> 12 != 15;
}

/* A block and which of its coefficients are not zero. */
struct ac_block {
	s16 *coefs;
	u64 *nonzero;
};

static ALWAYS_INLINE enum dctload_status
decode_ac_first(struct progressive_scan *s, struct bitreader *br,
		const struct ac_block *block, u32 *eob_run)
{
	const u32 al = s->header->al, se = s->header->se;

	for (u32 k = s->header->ss; k <= se; k++) {
		const u32 found = peek_symbol(s, br, s->ac);
		const u32 run = found >> 12, size = found >> 8 & 15;
		u32 len = found & 0xFF;
		s32 value;

		if (unlikely(found == 0))
			return fail(s, br, DCTLOAD_BAD_CODE);
		k += run;
		if (size == 0) {
			if (run != 15) {
				*eob_run = take_eob_run(br, len, run) - 1;
				break;
			}
			bits_consume(br, len);
			continue; /* sixteen zeros */
		}
		if (unlikely(k > se)) {
			bits_consume(br, len);
			len = 0;
			if (!is_forgiven(s, br))
				return fail(s, br, DCTLOAD_BAD_RUN);
			k = min_u32(k, BLOCK_COEFS - 1);
		}
		value = (s32)((u32)huff_extend(br->buf << len, size) << al);
		bits_consume(br, len + size);
		if (unlikely(value != (s16)value))
			return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
		block->coefs[LANE(k)] = (s16)value;
		*block->nonzero |= BIT(LANE(k));
	}
	return DCTLOAD_OK;
}

/* ---- AC, refinement (T.81 G.1.2.3) ------------------------------------- */

/* A bit for each coefficient of 'which'; 32 have to be there. */
static ALWAYS_INLINE u64
next_corrections(struct bitreader *br, u64 which, bool has_pdep)
{
	u64 bits = 0;
	u32 n = 0;

	if (has_pdep) {
		n = (u32)__builtin_popcountll(which);
		if (unlikely(n > 32)) {
			bits = (u64)next_bits(br, 32) << (n - 32);
			bits_refill(br);
			n -= 32;
		}
		return deposit(bits | next_bits(br, n), which);
	}
	for (; which != 0; which &= ~highest_bit(which)) {
		if (unlikely(n++ == 32))
			bits_refill(br);
		bits |= highest_bit(which) & -(u64)next_bits(br, 1);
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
	   const struct refine_ops *ops)
{
	u64 place, passed = todo, left = todo & nonzero;
	u32 n = 0;

	if (ops->has_pdep) {
		place = find_place(todo & ~nonzero, run);
		if (likely(place != 0))
			passed = todo & -(place << 1);
		/*
		 * Three times out of four there is none, and then the next
		 * symbol need not wait for the count.
		 */
		if ((passed & nonzero) != 0)
			*grow |= next_corrections(br, passed & nonzero, true);
		return place;
	}
	/* As if all were zeros, and one further for each that is not. */
	place = highest_bit(todo) >> run;
	while (left != 0 && left >= place) {
		const u64 here = highest_bit(left);

		if (unlikely(n++ == 32))
			bits_refill(br);
		*grow |= here & -(u64)next_bits(br, 1);
		left &= ~here;
		place >>= 1;
	}
	return place & todo;
}

/* The band has no new coefficients from 'todo' on. */
static ALWAYS_INLINE void
refine_rest(struct bitreader *br, const struct ac_block *block, u64 todo,
	    struct refinement *r, const struct refine_ops *ops)
{
	const u64 which = todo & *block->nonzero;

	bits_refill(br);
	r->grow |= next_corrections(br, which, ops->has_pdep);
}

/*
 * Where data are missing libjpeg stores one past the band, or in the last place,
 * whatever is there.
 */
static u64
forgiven_place(const struct progressive_scan *s, const struct ac_block *block,
	       struct refinement *r)
{
	const u32 k = min_u32(s->header->se + 1u, BLOCK_COEFS - 1);

	block->coefs[LANE(k)] = 0;
	r->grow &= ~BIT(LANE(k));
	return BIT(LANE(k));
}

/* A block that begins with 'found', which is no EOB: what it gets, to '*r'. */
static ALWAYS_INLINE enum dctload_status
decode_ac_refine(struct progressive_scan *s, struct bitreader *br, u32 found,
		 const struct ac_block *block, u64 band, u32 *eob_run,
		 struct refinement *r, const struct refine_ops *ops)
{
	const u64 nonzero = *block->nonzero;
	u64 todo = band;

	for (;;) {
		const u32 run = found >> 12, size = found >> 8 & 15;
		const u32 len = found & 0xFF;
		u64 place;
		u64 positive = 0; /* all ones if the new one is */

		if (unlikely(found == 0))
			return fail(s, br, DCTLOAD_BAD_CODE);
		if (is_eob(found)) {
			/* This block is the first of the run. */
			*eob_run = take_eob_run(br, len, run);
			refine_rest(br, block, todo, r, ops);
			return DCTLOAD_OK;
		}
		bits_consume(br, len);
		if (size != 0) {
			/* libjpeg warns and takes it for 1. */
			if (unlikely(size != 1 && !is_forgiven(s, br)))
				return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
			/* As a mask: any branch on a sign is half wrong. */
			positive = -(u64)next_bits(br, 1);
		}
		place = pass_zeros(br, todo, nonzero, run, &r->grow, ops);
		todo &= place - 1;
		if (unlikely(place == 0)) {
			todo = 0;
			if (size == 0)
				break;
			if (!is_forgiven(s, br))
				return fail(s, br, DCTLOAD_BAD_RUN);
			place = forgiven_place(s, block, r);
		}
		if (size != 0) {
			r->plus |= place & positive;
			r->minus |= place & ~positive;
		}
		if (todo == 0)
			break;
		found = peek_symbol(s, br, s->ac);
	}
	return DCTLOAD_OK;
}

/* ---- a segment --------------------------------------------------------- */

static ALWAYS_INLINE enum dctload_status
check_end(struct progressive_scan *s, struct bitreader *br)
{
	const u64 end = (u64)(s->end - s->start) * 8;

	if (likely(bits_position(br, s->start) <= end))
		return DCTLOAD_OK;
	s->error_position = end;
	return DCTLOAD_TRUNCATED;
}

static ALWAYS_INLINE enum dctload_status
decode_dc_mcus(struct progressive_scan *s, struct bitreader *br, u32 mcu,
	       u32 end)
{
	s32 pred[DCTLOAD_MAX_COMPONENTS] = { 0 };
	enum dctload_status status = DCTLOAD_OK;

	for (; mcu < end && status == DCTLOAD_OK; mcu++) {
		status = decode_dc_mcu(s, br, mcu, pred);
		if (status == DCTLOAD_OK)
			status = check_end(s, br);
	}
	return status;
}

/* AC scans have one component, so an MCU is a block. */
static ALWAYS_INLINE struct ac_block
ac_block_at(const struct ac_block *first, u32 i)
{
	return (struct ac_block){ first->coefs + (size_t)i * BLOCK_COEFS,
				  first->nonzero + i };
}

static ALWAYS_INLINE struct ac_block
first_ac_block(const struct progressive_scan *s)
{
	const u32 c = s->header->component[0];

	return (struct ac_block){ s->grid[c], s->nonzero[c] };
}

static ALWAYS_INLINE enum dctload_status
decode_first_blocks(struct progressive_scan *s, struct bitreader *br, u32 i,
		    u32 end)
{
	const struct ac_block first = first_ac_block(s);
	enum dctload_status status = DCTLOAD_OK;

	while (i < end && status == DCTLOAD_OK) {
		const struct ac_block block = ac_block_at(&first, i);
		u32 eob_run = 0; /* blocks to come without coefficients */
		u32 eobs;

		/* One by one, such blocks would take far too long a bit. */
		bits_refill(br);
		eobs = s->ac->eobs[br->buf >> (64 - EOB_TABLE_BITS)];
		if (eobs != 0 && EOB_NUM_BLOCKS(eobs) <= end - i) {
			bits_consume(br, EOB_NBITS(eobs));
			i += EOB_NUM_BLOCKS(eobs);
		} else {
			status = decode_ac_first(s, br, &block, &eob_run);
			i += 1 + min_u32(eob_run, end - i - 1);
		}
		if (status == DCTLOAD_OK)
			status = check_end(s, br);
	}
	return status;
}

/*
 * Blocks [i, i + n) of an end-of-band run: corrections are all they get.  A scan of
 * two bytes can pass over all blocks of an image, and a file can have hundreds of
 * such scans.
 */
static ALWAYS_INLINE void
refine_eob_run(struct progressive_scan *s, struct bitreader *br, u32 i, u32 n,
	       const struct ac_block *first, s16 step, u64 band,
	       const struct refine_ops *ops)
{
	const u64 *const words = first->nonzero;

	/* Looking for them would be mispredicted more than it saves. */
	if (n == 1) {
		const struct ac_block block = ac_block_at(first, i);
		struct refinement r = { 0 };

		refine_rest(br, &block, band, &r, ops);
		ops->refine(block.coefs, step, &r, band);
		return;
	}
	while (n != 0 && !is_past_end(s, br)) {
		const u32 num = min_u32(n, 64);
		u64 left = ops->find_touched(words + i, num, band) &
			   ~(u64)0 >> (64 - num);

		for (; left != 0; left &= left - 1) {
			const struct ac_block block = ac_block_at(
				first, i + (u32)__builtin_ctzll(left));
			struct refinement r = { 0 };

			refine_rest(br, &block, band, &r, ops);
			ops->refine(block.coefs, step, &r, band);
		}
		i += num;
		n -= num;
	}
}

/*
 * A block is nothing but an EOB of its own, and so were some before it: how many of
 * up to 'max' blocks are, as far as a look-up goes.
 */
static ALWAYS_INLINE u32
count_empty_blocks(const struct huff_codes *codes, u64 bits, const u64 *words,
		   u32 max, u64 band, const struct refine_ops *ops)
{
	const u32 eobs = codes->eobs[bits >> (64 - EOB_TABLE_BITS)];
	const u64 touched = ops->find_touched(words, 8, band) | BIT(8);
	const u32 n = min_u32(EOB_NUM_SINGLE(eobs), max);

	return max_u32(1, min_u32(n, (u32)__builtin_ctzll(touched)));
}

/* So many in a row, and it pays to look for more. */
#define EMPTY_STREAK 4

static ALWAYS_INLINE enum dctload_status
decode_refined_blocks(struct progressive_scan *s, struct bitreader *br, u32 i,
		      u32 end, const struct refine_ops *ops)
{
	const u32 ss = s->header->ss, se = s->header->se;
	const u64 band = ~(u64)0 >> ss & ~(u64)0 << LANE(se);
	const s16 step = (s16)(1 << s->header->al);
	const struct ac_block first = first_ac_block(s);
	enum dctload_status status = DCTLOAD_OK;
	u32 streak = 0; /* blocks that were nothing but an EOB */

	while (i < end && status == DCTLOAD_OK) {
		const struct ac_block block = ac_block_at(&first, i);
		const u32 found = peek_symbol(s, br, s->ac);
		u32 eob_run = 0; /* from here on */
		u32 n;

		if (is_eob(found)) {
			const u64 which = *block.nonzero & band;

			streak = (streak + 1) &
				 -(u32)((which | found >> 8) == 0);
			if (unlikely(streak >= EMPTY_STREAK)) {
				n = count_empty_blocks(s->ac, br->buf,
						       block.nonzero, end - i,
						       band, ops);
				bits_consume(br, n * (found & 0xFF));
				i += n;
			} else {
				eob_run = take_eob_run(br, found & 0xFF,
						       found >> 12);
			}
		} else {
			struct refinement r = { 0 };

			status = decode_ac_refine(s, br, found, &block, band,
						  &eob_run, &r, ops);
			if ((r.grow | r.plus | r.minus) != 0)
				ops->refine(block.coefs, step, &r,
					    band | r.plus | r.minus);
			*block.nonzero |= r.plus | r.minus;
			i++;
			eob_run -= eob_run != 0;
		}
		n = min_u32(eob_run, end - i);
		refine_eob_run(s, br, i, n, &first, step, band, ops);
		i += n;
		if (status == DCTLOAD_OK)
			status = check_end(s, br);
	}
	return status;
}

/* The bit reader is a local, so that it stays in registers. */
static ALWAYS_INLINE enum dctload_status
decode_segment(struct progressive_scan *s, u32 mcu, u32 end,
	       const struct refine_ops *ops)
{
	struct bitreader br = s->bits;
	enum dctload_status status;

	if (s->header->ss == 0)
		status = decode_dc_mcus(s, &br, mcu, end);
	else if (s->header->ah == 0)
		status = decode_first_blocks(s, &br, mcu, end);
	else
		status = decode_refined_blocks(s, &br, mcu, end, ops);
	s->bits = br;
	return status;
}

static enum dctload_status
decode_segment_portable(struct progressive_scan *s, u32 mcu, u32 end)
{
	return decode_segment(s, mcu, end, &ops_portable);
}

#if ARCH_X86_64
#define TARGET_AVX2 TARGET("bmi,bmi2,movbe,popcnt,avx2")
#define TARGET_AVX512 TARGET("bmi,bmi2,movbe,popcnt,avx512f,avx512bw")

static TARGET_AVX2 enum dctload_status
decode_segment_pdep(struct progressive_scan *s, u32 mcu, u32 end)
{
	return decode_segment(s, mcu, end, &ops_pdep);
}

static TARGET_AVX512 enum dctload_status
decode_segment_avx512(struct progressive_scan *s, u32 mcu, u32 end)
{
	return decode_segment(s, mcu, end, &ops_avx512);
}

static TARGET_AVX2 enum dctload_status
decode_segment_avx2(struct progressive_scan *s, u32 mcu, u32 end)
{
	return decode_segment(s, mcu, end, &ops_avx2);
}

#endif

enum dctload_status
progressive_decode(struct progressive_scan *s, u32 mcu, u32 num_mcus)
{
#if ARCH_X86_64
	const bool has_pdep = cpu_has(CPU_PDEP);

	if (cpu_has(CPU_BMI2) && cpu_has(CPU_AVX512) && has_pdep)
		return decode_segment_avx512(s, mcu, mcu + num_mcus);
	if (cpu_has(CPU_BMI2) && cpu_has(CPU_AVX2))
		return has_pdep ? decode_segment_pdep(s, mcu, mcu + num_mcus) :
				  decode_segment_avx2(s, mcu, mcu + num_mcus);
#endif
	return decode_segment_portable(s, mcu, mcu + num_mcus);
}
