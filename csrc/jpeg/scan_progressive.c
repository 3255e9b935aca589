/* SPDX-License-Identifier: MIT */
/*
 * scan_progressive.c - spectral selection and successive approximation
 * (T.81 annex G)
 */

#include "scan_progressive.h"

#include "../cpu.h"
#include "std_tables.h"

#define MAX_AL 13 /* T.81 table B.3 */

/* ---- the order of scans ------------------------------------------------ */

/* T.81 G.1.1.1: what one scan may code. */
static bool
parameters_are_legal(const struct scan_header *scan)
{
	if (scan->ss == 0 ? scan->se != 0 :
			    scan->se < scan->ss || scan->se >= BLOCK_COEFS)
		return false;
	if (scan->ss != 0 && scan->num_components != 1)
		return false;
	if (scan->ah != 0 && scan->al != scan->ah - 1)
		return false;
	return scan->al <= MAX_AL;
}

bool
progress_add_scan(struct progress *p, const struct scan_header *scan)
{
	if (!parameters_are_legal(scan))
		return false;
	for (u32 i = 0; i < scan->num_components; i++) {
		u8 *const coded = p->coded[scan->component[i]];

		if (scan->ss != 0 && coded[0] == 0)
			return false; /* AC before DC */
		for (u32 k = scan->ss; k <= scan->se; k++) {
			/* Refinement continues where the last scan stopped. */
			const u32 expected = scan->ah == 0 ? 0 : scan->ah + 1;

			if (coded[k] != expected)
				return false;
			coded[k] = (u8)(scan->al + 1);
		}
	}
	return true;
}

bool
progress_has_dc(const struct progress *p, u32 c)
{
	return p->coded[c][0] != 0;
}

bool
progress_is_complete(const struct progress *p, u32 num_components)
{
	for (u32 c = 0; c < num_components; c++)
		for (u32 k = 0; k < BLOCK_COEFS; k++)
			if (p->coded[c][k] != 1)
				return false;
	return true;
}

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

/* The next symbol; -1 if the bits are no code. */
static ALWAYS_INLINE s32
next_symbol(struct progressive_scan *s, struct bitreader *br,
	    const struct huff_codes *codes)
{
	u32 found;

	bits_refill(br);
	found = huff_find(codes, br->buf);
	if (unlikely(found == 0)) {
		if (!s->zero_fill ||
		    bits_position(br, s->start) + MAX_CODE_BITS <=
			    (u64)(s->end - s->start) * 8)
			return -1;
		found = MAX_CODE_BITS; /* symbol 0, as in libjpeg */
	}
	bits_consume(br, found & 0xFF);
	return (s32)(found >> 8);
}

/* The next 'n' bits, at most 16, as a number. */
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
	const s32 size = next_symbol(s, br, s->dc[i]);
	s32 value;

	if (unlikely(size < 0))
		return fail(s, br, DCTLOAD_BAD_CODE);
	*pred += huff_extend(br->buf, (u32)size);
	bits_consume(br, (u32)size);
	value = (s32)((u32)*pred << s->header->al);
	if (unlikely(*pred != (s16)*pred || value != (s16)value))
		return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
	block[0] = (s16)value;
	return DCTLOAD_OK;
}

static ALWAYS_INLINE enum dctload_status
decode_dc_refine(struct progressive_scan *s, struct bitreader *br, s16 *block)
{
	bits_refill(br);
	block[0] = (s16)(block[0] | (s32)next_bits(br, 1) << s->header->al);
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

/* Blocks of an end-of-band run of category 'run', but for this one. */
static ALWAYS_INLINE u32
next_eob_run(struct bitreader *br, u32 run)
{
	return (1u << run) - 1 + next_bits(br, run);
}

/* A block and which of its coefficients are not zero. */
struct ac_block {
	s16 *coefs;
	u64 *nonzero;
};

static ALWAYS_INLINE void
set_coef(const struct ac_block *block, u32 k, s32 value)
{
	block->coefs[zigzag_to_natural[k]] = (s16)value;
	*block->nonzero |= (u64)1 << k;
}

static ALWAYS_INLINE enum dctload_status
decode_ac_first(struct progressive_scan *s, struct bitreader *br,
		const struct ac_block *block, u32 *eob_run)
{
	const u32 al = s->header->al, se = s->header->se;

	for (u32 k = s->header->ss; k <= se; k++) {
		const s32 symbol = next_symbol(s, br, s->ac);
		const u32 run = (u32)symbol >> 4, size = (u32)symbol & 15;
		s32 value;

		if (unlikely(symbol < 0))
			return fail(s, br, DCTLOAD_BAD_CODE);
		k += run;
		if (size == 0) {
			if (run == 15)
				continue; /* sixteen zeros */
			*eob_run = next_eob_run(br, run);
			break;
		}
		if (unlikely(k > se)) {
			if (!is_forgiven(s, br))
				return fail(s, br, DCTLOAD_BAD_RUN);
			k = min_u32(k, BLOCK_COEFS - 1);
		}
		value = (s32)((u32)huff_extend(br->buf, size) << al);
		bits_consume(br, size);
		if (unlikely(value != (s16)value))
			return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
		set_coef(block, k, value);
	}
	return DCTLOAD_OK;
}

/* ---- AC, refinement (T.81 G.1.2.3) ------------------------------------- */

/*
 * T.81 walks over the coefficients one by one: a zero one counts, any other takes
 * a bit.  Most are zero, so here a word of bits tells the two kinds apart: the
 * place where the walk ends is found in it, and only those that take a bit are
 * visited.
 */

/* Bits 'from'..'to' - 1. */
static ALWAYS_INLINE u64
bits_between(u32 from, u32 to)
{
	const u64 below_to = to >= 64 ? ~(u64)0 : ((u64)1 << to) - 1;

	return from >= 64 ? 0 : below_to & (~(u64)0 << from);
}

/* One bit for each coefficient in 'which': grow its magnitude or not. */
static ALWAYS_INLINE void
refine_coefs(struct progressive_scan *s, struct bitreader *br, s16 *coefs,
	     u64 which)
{
	const s32 bit = 1 << s->header->al;

	for (u32 n = 0; which != 0; which &= which - 1, n++) {
		const u32 k = (u32)__builtin_ctzll(which);
		s16 *const coef = &coefs[zigzag_to_natural[k]];
		const s32 sign = *coef >> 15;
		const s32 step = (bit ^ sign) - sign;

		if (n % REFILL_MIN_BITS == 0)
			bits_refill(br);
		if (next_bits(br, 1) != 0 && (*coef & bit) == 0)
			*coef = (s16)(*coef + step);
	}
}

/*
 * Pass over 'zeros' coefficients that are zero so far, refining those that are
 * not, and return the place of the next zero one, or se + 1.
 */
static ALWAYS_INLINE u32
skip_zeros(struct progressive_scan *s, struct bitreader *br,
	   const struct ac_block *block, u32 k, u32 zeros)
{
	u64 free = ~*block->nonzero & bits_between(k, s->header->se + 1u);
	u32 end = s->header->se + 1u;

	for (; zeros != 0 && free != 0; zeros--)
		free &= free - 1;
	if (free != 0)
		end = (u32)__builtin_ctzll(free);
	refine_coefs(s, br, block->coefs,
		     *block->nonzero & bits_between(k, end));
	return end;
}

/* The rest of a block's band has no new coefficients. */
static ALWAYS_INLINE void
refine_rest(struct progressive_scan *s, struct bitreader *br,
	    const struct ac_block *block, u32 k)
{
	refine_coefs(s, br, block->coefs,
		     *block->nonzero & bits_between(k, s->header->se + 1u));
}

static ALWAYS_INLINE enum dctload_status
decode_ac_refine(struct progressive_scan *s, struct bitreader *br,
		 const struct ac_block *block, u32 *eob_run)
{
	const u32 se = s->header->se;
	u32 k = s->header->ss;

	while (k <= se) {
		const s32 symbol = next_symbol(s, br, s->ac);
		const u32 run = (u32)symbol >> 4, size = (u32)symbol & 15;
		s32 value = 0;

		if (unlikely(symbol < 0))
			return fail(s, br, DCTLOAD_BAD_CODE);
		if (size == 0 && run != 15) {
			/* This block is the first of the run. */
			*eob_run = next_eob_run(br, run);
			refine_rest(s, br, block, k);
			break;
		}
		if (size != 0) {
			/* libjpeg warns and takes it for 1. */
			if (unlikely(size != 1 && !is_forgiven(s, br)))
				return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
			value = next_bits(br, 1) != 0 ? 1 : -1;
		}
		k = skip_zeros(s, br, block, k, run);
		if (value != 0) {
			if (unlikely(k > se)) {
				if (!is_forgiven(s, br))
					return fail(s, br, DCTLOAD_BAD_RUN);
				k = min_u32(k, BLOCK_COEFS - 1);
			}
			set_coef(block, k, value * (1 << s->header->al));
		}
		k++;
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
ac_block_at(const struct progressive_scan *s, u32 i)
{
	const u32 c = s->header->component[0];

	return (struct ac_block){ s->grid[c] + (size_t)i * BLOCK_COEFS,
				  &s->nonzero[c][i] };
}

static ALWAYS_INLINE enum dctload_status
decode_first_blocks(struct progressive_scan *s, struct bitreader *br, u32 i,
		    u32 end)
{
	enum dctload_status status = DCTLOAD_OK;

	while (i < end && status == DCTLOAD_OK) {
		const struct ac_block block = ac_block_at(s, i);
		u32 eob_run = 0; /* blocks to come without coefficients */

		status = decode_ac_first(s, br, &block, &eob_run);
		if (status == DCTLOAD_OK)
			status = check_end(s, br);
		i += 1 + min_u32(eob_run, end - i - 1);
	}
	return status;
}

static ALWAYS_INLINE enum dctload_status
decode_refined_blocks(struct progressive_scan *s, struct bitreader *br, u32 i,
		      u32 end)
{
	u32 eob_run = 0; /* blocks to come without new coefficients */
	enum dctload_status status = DCTLOAD_OK;

	for (; i < end && status == DCTLOAD_OK; i++) {
		const struct ac_block block = ac_block_at(s, i);

		if (eob_run != 0) {
			refine_rest(s, br, &block, s->header->ss);
			eob_run--;
		} else {
			status = decode_ac_refine(s, br, &block, &eob_run);
		}
		if (status == DCTLOAD_OK)
			status = check_end(s, br);
	}
	return status;
}

/* The bit reader is a local, so that it stays in registers. */
static ALWAYS_INLINE enum dctload_status
decode_segment(struct progressive_scan *s, u32 mcu, u32 end)
{
	struct bitreader br = s->bits;
	enum dctload_status status;

	if (s->header->ss == 0)
		status = decode_dc_mcus(s, &br, mcu, end);
	else if (s->header->ah == 0)
		status = decode_first_blocks(s, &br, mcu, end);
	else
		status = decode_refined_blocks(s, &br, mcu, end);
	s->bits = br;
	return status;
}

static enum dctload_status
decode_segment_portable(struct progressive_scan *s, u32 mcu, u32 end)
{
	return decode_segment(s, mcu, end);
}

#if ARCH_X86_64
static TARGET("bmi,bmi2,movbe") enum dctload_status
	decode_segment_bmi2(struct progressive_scan *s, u32 mcu, u32 end)
{
	return decode_segment(s, mcu, end);
}
#endif

enum dctload_status
progressive_decode(struct progressive_scan *s, u32 mcu, u32 num_mcus)
{
#if ARCH_X86_64
	if (cpu_has(CPU_BMI2))
		return decode_segment_bmi2(s, mcu, mcu + num_mcus);
#endif
	return decode_segment_portable(s, mcu, mcu + num_mcus);
}
