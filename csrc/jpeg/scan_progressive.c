/* SPDX-License-Identifier: MIT */
/*
 * scan_progressive.c - spectral selection and successive approximation
 * (T.81 annex G)
 */

#include "scan_progressive.h"

#include "../cpu.h"
#include "std_tables.h"

#if ARCH_X86_64
#include <immintrin.h>
#endif

#define MAX_AL 13 /* T.81 table B.3 */

/* See struct progressive_scan. */
#define LANE(k) (BLOCK_COEFS - 1 - (k))
#define DC_LANE LANE(0)
#define BIT(i) ((u64)1 << (i))

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
		block->coefs[LANE(k)] = (s16)value;
		*block->nonzero |= BIT(LANE(k));
	}
	return DCTLOAD_OK;
}

/* ---- AC, refinement (T.81 G.1.2.3) ------------------------------------- */

/*
 * T.81 walks over the coefficients one by one: one that is zero counts, any other
 * takes a bit.  Here the walk is arithmetic on words with a bit for each lane.
 * The place where a run of zeros ends is a bit of the word of zeros; the
 * coefficients passed over are a mask, and as many bits of the file are deposited
 * into it.  What a block gets is collected in words and added at the end.
 */
struct refinement {
	u64 grow;        /* one step away from zero */
	u64 plus, minus; /* from zero to one step */
};

/* Bit i of 'bits' to the place of the i-th bit of 'mask', the lowest first. */
static ALWAYS_INLINE u64
deposit(u64 bits, u64 mask, bool has_pdep)
{
	u64 out = 0;

#if ARCH_X86_64
	if (has_pdep) {
		/* The intrinsic wants a target that callers cannot all have. */
		__asm__("pdep %[mask], %[bits], %[out]"
			: [out] "=r"(out)
			: [mask] "rm"(mask), [bits] "r"(bits));
		return out;
	}
#endif
	(void)has_pdep;
	for (; mask != 0; mask &= mask - 1, bits >>= 1)
		if ((bits & 1) != 0)
			out |= mask & -mask;
	return out;
}

/* Bits for the coefficients 'which'; 32 have to be there. */
static ALWAYS_INLINE u64
next_corrections(struct bitreader *br, u64 which, bool has_pdep)
{
	const u32 n = (u32)__builtin_popcountll(which);
	u64 bits;

	if (likely(n <= 32)) {
		bits = next_bits(br, n);
	} else {
		bits = (u64)next_bits(br, 32) << (n - 32);
		bits_refill(br);
		bits |= next_bits(br, n - 32);
	}
	return deposit(bits, which, has_pdep);
}
STATIC_ASSERT(REFILL_MIN_BITS >= MAX_CODE_BITS + 1 + 32);

/* The band has no new coefficients from 'todo' on. */
static ALWAYS_INLINE void
refine_rest(struct bitreader *br, const struct ac_block *block, u64 todo,
	    struct refinement *r, bool has_pdep)
{
	const u64 which = todo & *block->nonzero;

	bits_refill(br);
	r->grow |= next_corrections(br, which, has_pdep);
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

/* A block that begins with a symbol: what it gets, to '*r'. */
static ALWAYS_INLINE enum dctload_status
decode_ac_refine(struct progressive_scan *s, struct bitreader *br,
		 const struct ac_block *block, u64 band, u32 *eob_run,
		 struct refinement *r, bool has_pdep)
{
	const u64 nonzero = *block->nonzero;
	u64 todo = band;

	while (todo != 0) {
		const s32 symbol = next_symbol(s, br, s->ac);
		const u32 run = (u32)symbol >> 4, size = (u32)symbol & 15;
		const u64 zeros = todo & ~nonzero;
		const u32 num_zeros = (u32)__builtin_popcountll(zeros);
		bool negative = false;
		u64 place = 0, passed = todo;

		if (unlikely(symbol < 0))
			return fail(s, br, DCTLOAD_BAD_CODE);
		if (size == 0 && run != 15) {
			/* This block is the first of the run. */
			*eob_run = next_eob_run(br, run) + 1;
			refine_rest(br, block, todo, r, has_pdep);
			return DCTLOAD_OK;
		}
		if (size != 0) {
			/* libjpeg warns and takes it for 1. */
			if (unlikely(size != 1 && !is_forgiven(s, br)))
				return fail(s, br, DCTLOAD_BAD_COEFFICIENT);
			negative = next_bits(br, 1) == 0;
		}
		if (likely(run < num_zeros)) {
			place = deposit(BIT(num_zeros - 1 - run), zeros,
					has_pdep);
			passed = todo & -(place << 1);
		}
		r->grow |= next_corrections(br, passed & nonzero, has_pdep);
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
			r->plus |= negative ? 0 : place;
			r->minus |= negative ? place : 0;
		}
	}
	return DCTLOAD_OK;
}

typedef void (*refine_fn)(s16 *coefs, s16 step, const struct refinement *r);

static ALWAYS_INLINE void
add_steps(s16 *coefs, s32 step, u64 which, bool away_from_zero)
{
	for (; which != 0; which &= which - 1) {
		s16 *const coef = &coefs[__builtin_ctzll(which)];

		*coef = (s16)(*coef +
			      (away_from_zero && *coef < 0 ? -step : step));
	}
}

static ALWAYS_INLINE void
refine_portable(s16 *coefs, s16 step, const struct refinement *r)
{
	add_steps(coefs, step, r->grow, true);
	add_steps(coefs, step, r->plus, false);
	add_steps(coefs, -step, r->minus, false);
}

#if ARCH_X86_64
/* Sixteen lanes: all ones where the bit of 'word' from 'first' on is set. */
static ALWAYS_INLINE TARGET("avx2") __m256i lanes_of(u64 word, u32 first)
{
	const __m256i each =
		_mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024,
				  2048, 4096, 8192, 16384, (s16)32768);
	const __m256i bits = _mm256_set1_epi16((s16)(word >> first));

	return _mm256_cmpeq_epi16(_mm256_and_si256(bits, each), each);
}

static ALWAYS_INLINE TARGET("avx2") void refine_avx2(s16 *coefs, s16 step,
						     const struct refinement *r)
{
	const __m256i steps = _mm256_set1_epi16(step);

	for (u32 i = 0; i < BLOCK_COEFS; i += 16) {
		__m256i *const p = (__m256i *)(void *)(coefs + i);
		const __m256i v = _mm256_loadu_si256(p);
		const __m256i away = _mm256_sign_epi16(steps, v);
		const __m256i grow =
			_mm256_and_si256(away, lanes_of(r->grow, i));
		const __m256i plus =
			_mm256_and_si256(steps, lanes_of(r->plus, i));
		const __m256i minus =
			_mm256_and_si256(steps, lanes_of(r->minus, i));

		_mm256_storeu_si256(
			p, _mm256_sub_epi16(
				   _mm256_add_epi16(_mm256_add_epi16(v, grow),
						    plus),
				   minus));
	}
}
#endif

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
		      u32 end, refine_fn refine, bool has_pdep)
{
	const u32 ss = s->header->ss, se = s->header->se;
	const u64 band = ~(u64)0 >> ss & ~(u64)0 << LANE(se);
	u32 eob_run = 0; /* blocks to come without new coefficients */
	enum dctload_status status = DCTLOAD_OK;

	for (; i < end && status == DCTLOAD_OK; i++) {
		const struct ac_block block = ac_block_at(s, i);
		struct refinement r = { 0 };

		if (eob_run == 0)
			status = decode_ac_refine(s, br, &block, band, &eob_run,
						  &r, has_pdep);
		else
			refine_rest(br, &block, band, &r, has_pdep);
		eob_run -= eob_run != 0;
		if ((r.grow | r.plus | r.minus) != 0)
			refine(block.coefs, (s16)(1 << s->header->al), &r);
		*block.nonzero |= r.plus | r.minus;
		if (status == DCTLOAD_OK)
			status = check_end(s, br);
	}
	return status;
}

/* The bit reader is a local, so that it stays in registers. */
static ALWAYS_INLINE enum dctload_status
decode_segment(struct progressive_scan *s, u32 mcu, u32 end, refine_fn refine,
	       bool has_pdep)
{
	struct bitreader br = s->bits;
	enum dctload_status status;

	if (s->header->ss == 0)
		status = decode_dc_mcus(s, &br, mcu, end);
	else if (s->header->ah == 0)
		status = decode_first_blocks(s, &br, mcu, end);
	else
		status = decode_refined_blocks(s, &br, mcu, end, refine,
					       has_pdep);
	s->bits = br;
	return status;
}

static enum dctload_status
decode_segment_portable(struct progressive_scan *s, u32 mcu, u32 end)
{
	return decode_segment(s, mcu, end, refine_portable, false);
}

#if ARCH_X86_64
static TARGET("bmi,bmi2,movbe,popcnt,avx2") enum dctload_status
	decode_segment_avx2(struct progressive_scan *s, u32 mcu, u32 end)
{
	return decode_segment(s, mcu, end, refine_avx2, true);
}

/* AMD's Zen and Zen 2 take some 20 to 250 cycles for PDEP. */
static bool
has_fast_pdep(void)
{
	return cpu_has(CPU_BMI2) && cpu_has(CPU_AVX2) &&
	       !__builtin_cpu_is("znver1") && !__builtin_cpu_is("znver2");
}
#endif

enum dctload_status
progressive_decode(struct progressive_scan *s, u32 mcu, u32 num_mcus)
{
#if ARCH_X86_64
	if (has_fast_pdep())
		return decode_segment_avx2(s, mcu, mcu + num_mcus);
#endif
	return decode_segment_portable(s, mcu, mcu + num_mcus);
}

/* ---- the end ----------------------------------------------------------- */

/* A block from lanes to natural order. */
static void
order_block(s16 *block, u64 nonzero)
{
	s16 lanes[BLOCK_COEFS];

	if (nonzero == 0) {
		block[0] = block[DC_LANE];
		block[DC_LANE] = 0;
		return;
	}
	memcpy(lanes, block, sizeof(lanes));
	memset(block, 0, BLOCK_NBYTES);
	block[0] = lanes[DC_LANE];
	for (; nonzero != 0; nonzero &= nonzero - 1) {
		const u32 lane = (u32)__builtin_ctzll(nonzero);

		block[zigzag_to_natural[LANE(lane)]] = lanes[lane];
	}
}

void
progressive_finish(struct progressive_scan *s)
{
	for (u32 c = 0; c < s->info->num_components; c++) {
		const struct dctload_component *const comp =
			&s->info->components[c];
		const size_t n = (size_t)comp->blocks_w * comp->blocks_h;

		for (size_t i = 0; i < n; i++)
			order_block(s->grid[c] + i * BLOCK_COEFS,
				    s->nonzero[c][i]);
	}
}
