/* SPDX-License-Identifier: MIT */
/*
 * reorder.c - zigzag to natural order, while the blocks are in the cache
 *
 * The hot loop stores several coefficients at a time because it stores them in
 * zigzag order; this is where that is paid for.
 */

#include "reorder.h"

#include "../cpu.h"
#include "std_tables.h"

#if ARCH_X86_64
#include <immintrin.h>
#elif ARCH_ARM64
#include <arm_neon.h>
#endif

typedef void (*move_block_fn)(s16 *dst, s16 *src, s32 dc);

/* The loop over blocks; 'move' is known when this is inlined. */
static ALWAYS_INLINE bool
reorder_with(const struct reorder *r, move_block_fn move)
{
	struct scan_block *block = r->blocks;
	bool fits = true;

	for (u32 mcu = 0; mcu < r->num_mcus; mcu++) {
		for (u32 slot = 0; slot < r->num_slots; slot++, block++) {
			s16 *const src = block->coefs;
			const s32 dc = *r->dc_pred[slot] + src[0];

			*r->dc_pred[slot] = dc;
			fits &= dc == (s16)dc;
			if (likely(mcu < r->num_wanted[slot]))
				move(r->dst[slot] + (size_t)mcu * r->step[slot],
				     src, dc);
			else
				memset(src, 0, BLOCK_NBYTES);
		}
	}
	return fits;
}

static ALWAYS_INLINE void
move_portable(s16 *dst, s16 *src, s32 dc)
{
	dst[0] = (s16)dc;
	for (u32 k = 1; k < BLOCK_COEFS; k++)
		dst[zigzag_to_natural[k]] = src[k];
	memset(src, 0, BLOCK_NBYTES);
}

static bool
reorder_portable(const struct reorder *r)
{
	return reorder_with(r, move_portable);
}

#if ARCH_X86_64 || ARCH_ARM64
/* Natural position i takes zigzag coefficient natural_to_zigzag[i]. */
static const _Alignas(64) u16 natural_to_zigzag[BLOCK_COEFS] = {
	0,  1,  5,  6,  14, 15, 27, 28, 2,  4,  7,  13, 16, 26, 29, 42,
	3,  8,  12, 17, 25, 30, 41, 43, 9,  11, 18, 24, 31, 40, 44, 53,
	10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38, 46, 51, 55, 60,
	21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63,
};
#endif

#if ARCH_X86_64
/*
 * Two rows at a time.  A shuffle picks, for both, what one eighth of the zigzag
 * has of them; these eighths have something:
 */
#define ROW_PAIRS(DO)                                                          \
	DO(0, (0, 1, 5, 6, 14, 15, 27, 28), (2, 4, 7, 13, 16, 26, 29, 42))     \
	DO(1, (3, 8, 12, 17, 25, 30, 41, 43), (9, 11, 18, 24, 31, 40, 44, 53)) \
	DO(2, (10, 19, 23, 32, 39, 45, 52, 54),                                \
	   (20, 22, 33, 38, 46, 51, 55, 60))                                   \
	DO(3, (21, 34, 37, 47, 50, 56, 59, 61),                                \
	   (35, 36, 48, 49, 57, 58, 62, 63))

#define PICK(k, eighth)                           \
	(k) / 8 == (eighth) ? (k) % 8 * 2 : 0x80, \
		(k) / 8 == (eighth) ? (k) % 8 * 2 + 1 : 0x80
#define PICK_ROW(e, a, b, c, d, f, g, h, i)                         \
	PICK(a, e), PICK(b, e), PICK(c, e), PICK(d, e), PICK(f, e), \
		PICK(g, e), PICK(h, e), PICK(i, e)
#define UNPACK(...) __VA_ARGS__
#define PICK_ROW_(...) PICK_ROW(__VA_ARGS__)
#define PICK_PAIR(e, upper, lower) \
	{ PICK_ROW_(e, UNPACK upper), PICK_ROW_(e, UNPACK lower) },
#define PICK_EIGHTHS(pair, upper, lower)                                   \
	{ PICK_PAIR(0, upper, lower) PICK_PAIR(1, upper, lower) PICK_PAIR( \
		2, upper, lower) PICK_PAIR(3, upper, lower)                \
		  PICK_PAIR(4, upper, lower) PICK_PAIR(5, upper, lower)    \
			  PICK_PAIR(6, upper, lower)                       \
				  PICK_PAIR(7, upper, lower) },

static const _Alignas(32) u8 picks[4][8][32] = { ROW_PAIRS(PICK_EIGHTHS) };

#define TARGET_AVX2 TARGET("avx2")

static ALWAYS_INLINE TARGET_AVX2 __m256i
pick_avx2(u32 pair, u32 eighth, const __m256i zigzag[8])
{
	return _mm256_shuffle_epi8(
		zigzag[eighth],
		_mm256_load_si256((const __m256i *)picks[pair][eighth]));
}

static ALWAYS_INLINE TARGET_AVX2 void
store_rows_avx2(s16 *dst, __m256i rows, bool bypass_cache)
{
	if (bypass_cache)
		_mm256_stream_si256((__m256i *)(void *)dst, rows);
	else
		_mm256_storeu_si256((__m256i *)(void *)dst, rows);
}

static ALWAYS_INLINE TARGET_AVX2 void
move_avx2(s16 *dst, s16 *src, s32 dc, bool bypass_cache)
{
	const __m256i zero = _mm256_setzero_si256();
	__m256i z[8], rows[4];

	for (u32 i = 0; i < 8; i++)
		z[i] = _mm256_broadcastsi128_si256(
			_mm_load_si128((const __m128i *)(src + 8 * i)));
	z[0] = _mm256_blend_epi16(z[0], _mm256_set1_epi16((s16)dc), 1);

#define OR(a, b) _mm256_or_si256(a, b)
#define P(pair, eighth) pick_avx2(pair, eighth, z)
	rows[0] = OR(OR(OR(P(0, 0), P(0, 1)), OR(P(0, 2), P(0, 3))), P(0, 5));
	rows[1] = OR(OR(OR(P(1, 0), P(1, 1)), OR(P(1, 2), P(1, 3))),
		     OR(P(1, 5), P(1, 6)));
	rows[2] = OR(OR(OR(P(2, 1), P(2, 2)), OR(P(2, 4), P(2, 5))),
		     OR(P(2, 6), P(2, 7)));
	rows[3] = OR(OR(OR(P(3, 2), P(3, 4)), OR(P(3, 5), P(3, 6))), P(3, 7));
#undef P
#undef OR
	for (u32 i = 0; i < 4; i++) {
		store_rows_avx2(dst + 16 * i, rows[i], bypass_cache);
		_mm256_store_si256((__m256i *)(void *)(src + 16 * i), zero);
	}
}

static ALWAYS_INLINE TARGET_AVX2 void
move_cached_avx2(s16 *dst, s16 *src, s32 dc)
{
	move_avx2(dst, src, dc, false);
}

static ALWAYS_INLINE TARGET_AVX2 void
move_past_cache_avx2(s16 *dst, s16 *src, s32 dc)
{
	move_avx2(dst, src, dc, true);
}

static TARGET_AVX2 bool
reorder_avx2(const struct reorder *r)
{
	return r->bypass_cache ? reorder_with(r, move_past_cache_avx2) :
				 reorder_with(r, move_cached_avx2);
}

#define TARGET_AVX512 TARGET("avx512f,avx512bw")

/* A whole block is two registers, and one instruction picks from both. */
static ALWAYS_INLINE TARGET_AVX512 void
move_avx512(s16 *dst, s16 *src, s32 dc, bool bypass_cache)
{
	const __m512i lo =
		_mm512_mask_set1_epi16(_mm512_load_si512(src), 1, (s16)dc);
	const __m512i hi = _mm512_load_si512(src + 32);
	const __m512i pick_lo = _mm512_load_si512(natural_to_zigzag);
	const __m512i pick_hi = _mm512_load_si512(natural_to_zigzag + 32);
	const __m512i out_lo = _mm512_permutex2var_epi16(lo, pick_lo, hi);
	const __m512i out_hi = _mm512_permutex2var_epi16(lo, pick_hi, hi);

	if (bypass_cache) {
		_mm512_stream_si512((void *)dst, out_lo);
		_mm512_stream_si512((void *)(dst + 32), out_hi);
	} else {
		_mm512_storeu_si512(dst, out_lo);
		_mm512_storeu_si512(dst + 32, out_hi);
	}
	_mm512_store_si512(src, _mm512_setzero_si512());
	_mm512_store_si512(src + 32, _mm512_setzero_si512());
}

static ALWAYS_INLINE TARGET_AVX512 void
move_cached_avx512(s16 *dst, s16 *src, s32 dc)
{
	move_avx512(dst, src, dc, false);
}

static ALWAYS_INLINE TARGET_AVX512 void
move_past_cache_avx512(s16 *dst, s16 *src, s32 dc)
{
	move_avx512(dst, src, dc, true);
}

static TARGET_AVX512 bool
reorder_avx512(const struct reorder *r)
{
	return r->bypass_cache ? reorder_with(r, move_past_cache_avx512) :
				 reorder_with(r, move_cached_avx512);
}
#elif ARCH_ARM64
/* Half of a block. */
static ALWAYS_INLINE uint8x16x4_t
load_half_neon(const s16 *src)
{
	uint8x16x4_t half;

	for (u32 i = 0; i < 4; i++)
		half.val[i] = vreinterpretq_u8_s16(vld1q_s16(src + 8 * i));
	return half;
}

/*
 * An instruction picks bytes from half a block, and gives zero, or leaves what is
 * there, for those of the other half.
 */
static ALWAYS_INLINE void
move_neon(s16 *dst, s16 *src, s32 dc)
{
	uint8x16x4_t lo = load_half_neon(src);
	const uint8x16x4_t hi = load_half_neon(src + 32);

	lo.val[0] = vreinterpretq_u8_s16(
		vsetq_lane_s16((s16)dc, vreinterpretq_s16_u8(lo.val[0]), 0));
	for (u32 v = 0; v < 8; v++) {
		const uint16x8_t k = vld1q_u16(natural_to_zigzag + 8 * v);
		/* Coefficient k is bytes 2 k and 2 k + 1. */
		const uint8x16_t pick = vreinterpretq_u8_u16(
			vmlaq_n_u16(vdupq_n_u16(0x0100), k, 0x0202));
		const uint8x16_t row =
			vqtbx4q_u8(vqtbl4q_u8(lo, pick), hi,
				   vsubq_u8(pick, vdupq_n_u8(64)));

		vst1q_s16(dst + 8 * v, vreinterpretq_s16_u8(row));
		vst1q_s16(src + 8 * v, vdupq_n_s16(0));
	}
}

static bool
reorder_neon(const struct reorder *r)
{
	return reorder_with(r, move_neon);
}
#endif

bool
reorder_blocks(const struct reorder *r)
{
#if ARCH_X86_64
	if (cpu_has(CPU_AVX512))
		return reorder_avx512(r);
	if (cpu_has(CPU_AVX2))
		return reorder_avx2(r);
#elif ARCH_ARM64
	if (cpu_has(CPU_NEON))
		return reorder_neon(r);
#endif
	return reorder_portable(r);
}

/*
 * Stores that bypass the cache become visible to other threads in any order, so
 * this comes before anybody is told that the data are there.  Once an image: it
 * waits until they are in memory, a tenth of a microsecond.
 */
void
reorder_finish(const struct reorder *r)
{
#if ARCH_X86_64
	if (r->bypass_cache)
		_mm_sfence();
#else
	(void)r;
#endif
}
