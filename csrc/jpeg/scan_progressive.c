/* SPDX-License-Identifier: MIT */
/*
 * scan_progressive.c - spectral selection and successive approximation
 * (T.81 annex G)
 */

#include "scan_progressive.h"

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
static bool
is_past_end(const struct progressive_scan *s)
{
	return bits_position(&s->bits, s->start) > (u64)(s->end - s->start) * 8;
}

static enum dctload_status
fail(struct progressive_scan *s, enum dctload_status status)
{
	const u64 position = bits_position(&s->bits, s->start);
	const u64 end = (u64)(s->end - s->start) * 8;

	s->error_position = position < end ? position : end;
	return position > end && !s->zero_fill ? DCTLOAD_TRUNCATED : status;
}

/* Where zeros stand in for a code's missing bits, do as libjpeg does. */
static bool
is_forgiven(const struct progressive_scan *s)
{
	return s->zero_fill && is_past_end(s);
}

/* The next symbol; -1 if the bits are no code. */
static ALWAYS_INLINE s32
next_symbol(struct progressive_scan *s, const struct huff_codes *codes)
{
	u32 found;

	bits_refill(&s->bits);
	found = huff_find(codes, s->bits.buf);
	if (unlikely(found == 0)) {
		if (!s->zero_fill ||
		    bits_position(&s->bits, s->start) + MAX_CODE_BITS <=
			    (u64)(s->end - s->start) * 8)
			return -1;
		found = MAX_CODE_BITS; /* symbol 0, as in libjpeg */
	}
	bits_consume(&s->bits, found & 0xFF);
	return (s32)(found >> 8);
}

/* The next 'n' bits, at most 16, as a number. */
static ALWAYS_INLINE u32
next_bits(struct progressive_scan *s, u32 n)
{
	const u32 value = (u32)(s->bits.buf >> 1 >> (63 - n));

	bits_consume(&s->bits, n);
	return value;
}

/* ---- DC ---------------------------------------------------------------- */

static enum dctload_status
decode_dc_first(struct progressive_scan *s, u32 i, s32 *pred, s16 *block)
{
	const s32 size = next_symbol(s, s->dc[i]);
	s32 value;

	if (unlikely(size < 0))
		return fail(s, DCTLOAD_BAD_CODE);
	*pred += huff_extend(s->bits.buf, (u32)size);
	bits_consume(&s->bits, (u32)size);
	value = (s32)((u32)*pred << s->header->al);
	if (unlikely(*pred != (s16)*pred || value != (s16)value))
		return fail(s, DCTLOAD_BAD_COEFFICIENT);
	block[0] = (s16)value;
	return DCTLOAD_OK;
}

static enum dctload_status
decode_dc_refine(struct progressive_scan *s, s16 *block)
{
	bits_refill(&s->bits);
	block[0] = (s16)(block[0] | (s32)next_bits(s, 1) << s->header->al);
	return DCTLOAD_OK;
}

/* Where block (x, y) of component 'c' is; a dummy if it only pads an MCU. */
static s16 *
block_at(const struct progressive_scan *s, u32 c, u32 x, u32 y, s16 *dummy)
{
	const struct dctload_component *const comp = &s->info->components[c];

	if (x >= comp->blocks_w || y >= comp->blocks_h) {
		memset(dummy, 0, BLOCK_NBYTES);
		return dummy;
	}
	return s->grid[c] + ((size_t)y * comp->blocks_w + x) * BLOCK_COEFS;
}

static enum dctload_status
decode_dc_mcu(struct progressive_scan *s, u32 mcu,
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
					decode_dc_first(s, i, &pred[i], block) :
					decode_dc_refine(s, block);

			if (unlikely(status != DCTLOAD_OK))
				return status;
		}
	}
	return DCTLOAD_OK;
}

/* ---- AC, first scan of a band (T.81 G.1.2.2) --------------------------- */

/* The length of an end-of-band run, less one, of category 'run'. */
static u32
next_eob_run(struct progressive_scan *s, u32 run)
{
	return (1u << run) - 1 + next_bits(s, run);
}

static enum dctload_status
decode_ac_first(struct progressive_scan *s, s16 *block, u32 *eob_run)
{
	const u32 al = s->header->al, se = s->header->se;

	for (u32 k = s->header->ss; k <= se; k++) {
		const s32 symbol = next_symbol(s, s->ac);
		const u32 run = (u32)symbol >> 4, size = (u32)symbol & 15;
		s32 value;

		if (unlikely(symbol < 0))
			return fail(s, DCTLOAD_BAD_CODE);
		k += run;
		if (size == 0) {
			if (run == 15)
				continue; /* sixteen zeros */
			*eob_run = next_eob_run(s, run);
			break;
		}
		if (unlikely(k > se)) {
			if (!is_forgiven(s))
				return fail(s, DCTLOAD_BAD_RUN);
			k = min_u32(k, BLOCK_COEFS - 1);
		}
		value = (s32)((u32)huff_extend(s->bits.buf, size) << al);
		bits_consume(&s->bits, size);
		if (unlikely(value != (s16)value))
			return fail(s, DCTLOAD_BAD_COEFFICIENT);
		block[zigzag_to_natural[k]] = (s16)value;
	}
	return DCTLOAD_OK;
}

/* ---- AC, refinement (T.81 G.1.2.3) ------------------------------------- */

/* One bit for a coefficient that is not zero: grow its magnitude or not. */
static ALWAYS_INLINE void
refine(struct progressive_scan *s, s16 *coef, s32 bit)
{
	if (next_bits(s, 1) != 0 && (*coef & bit) == 0)
		*coef = (s16)(*coef + (*coef >= 0 ? bit : -bit));
}

/*
 * Pass over 'zeros' coefficients that are zero so far, refining those that are
 * not, and return the place of the next zero one, or se + 1.
 */
static u32
skip_zeros(struct progressive_scan *s, s16 *block, u32 k, u32 zeros)
{
	const s32 bit = 1 << s->header->al;

	for (; k <= s->header->se; k++) {
		s16 *const coef = &block[zigzag_to_natural[k]];

		if (*coef != 0) {
			bits_refill(&s->bits);
			refine(s, coef, bit);
		} else if (zeros-- == 0) {
			break;
		}
	}
	return k;
}

static enum dctload_status
decode_ac_refine(struct progressive_scan *s, s16 *block, u32 *eob_run)
{
	const u32 se = s->header->se;
	u32 k = s->header->ss;

	while (k <= se) {
		const s32 symbol = next_symbol(s, s->ac);
		const u32 run = (u32)symbol >> 4, size = (u32)symbol & 15;
		s32 value = 0;

		if (unlikely(symbol < 0))
			return fail(s, DCTLOAD_BAD_CODE);
		if (size == 0 && run != 15) {
			/* This block is the first of the run. */
			*eob_run = next_eob_run(s, run) + 1;
			break;
		}
		if (size != 0) {
			/* libjpeg warns and takes it for 1. */
			if (unlikely(size != 1 && !is_forgiven(s)))
				return fail(s, DCTLOAD_BAD_COEFFICIENT);
			value = next_bits(s, 1) != 0 ? 1 : -1;
		}
		k = skip_zeros(s, block, k, run);
		if (value != 0) {
			if (unlikely(k > se)) {
				if (!is_forgiven(s))
					return fail(s, DCTLOAD_BAD_RUN);
				k = min_u32(k, BLOCK_COEFS - 1);
			}
			block[zigzag_to_natural[k]] =
				(s16)(value * (1 << s->header->al));
		}
		k++;
	}
	if (*eob_run != 0) {
		skip_zeros(s, block, k, BLOCK_COEFS);
		--*eob_run;
	}
	return DCTLOAD_OK;
}

static enum dctload_status
decode_ac_block(struct progressive_scan *s, s16 *block, u32 *eob_run)
{
	if (s->header->ah == 0) {
		if (*eob_run != 0) {
			--*eob_run;
			return DCTLOAD_OK;
		}
		return decode_ac_first(s, block, eob_run);
	}
	if (*eob_run != 0) {
		skip_zeros(s, block, s->header->ss, BLOCK_COEFS);
		--*eob_run;
		return DCTLOAD_OK;
	}
	return decode_ac_refine(s, block, eob_run);
}

/* ---- a segment --------------------------------------------------------- */

enum dctload_status
progressive_decode(struct progressive_scan *s, u32 mcu, u32 num_mcus)
{
	const u64 end_position = (u64)(s->end - s->start) * 8;
	s32 pred[DCTLOAD_MAX_COMPONENTS] = { 0 };
	u32 eob_run = 0;

	for (u32 i = mcu; i < mcu + num_mcus; i++) {
		enum dctload_status status;

		if (s->header->ss == 0)
			status = decode_dc_mcu(s, i, pred);
		else
			status = decode_ac_block(
				s,
				s->grid[s->header->component[0]] +
					(size_t)i * BLOCK_COEFS,
				&eob_run);
		if (unlikely(status != DCTLOAD_OK))
			return status;
		if (unlikely(bits_position(&s->bits, s->start) >
			     end_position)) {
			s->error_position = end_position;
			return DCTLOAD_TRUNCATED;
		}
	}
	return DCTLOAD_OK;
}
