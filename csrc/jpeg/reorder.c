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
				move(r->dst[slot] +
					 (size_t)mcu * r->step[slot],
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

#if ARCH_X86_64
/* Natural position i takes zigzag coefficient natural_to_zigzag[i]. */
static const _Alignas(64) u16 natural_to_zigzag[BLOCK_COEFS] = {
	0,  1,	5,  6,	14, 15, 27, 28, 2,  4,	7,  13, 16, 26, 29, 42,
	3,  8,	12, 17, 25, 30, 41, 43, 9,  11, 18, 24, 31, 40, 44, 53,
	10, 19, 23, 32, 39, 45, 52, 54, 20, 22, 33, 38, 46, 51, 55, 60,
	21, 34, 37, 47, 50, 56, 59, 61, 35, 36, 48, 49, 57, 58, 62, 63,
};

#define TARGET_AVX512 TARGET("avx512f,avx512bw")

/* A whole block is two registers, and one instruction picks from both. */
static ALWAYS_INLINE TARGET_AVX512 void
move_avx512(s16 *dst, s16 *src, s32 dc, bool bypass_cache)
{
	const __m512i lo = _mm512_mask_set1_epi16(_mm512_load_si512(src), 1,
						  (s16)dc);
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
	bool fits;

	if (!r->bypass_cache)
		return reorder_with(r, move_cached_avx512);
	fits = reorder_with(r, move_past_cache_avx512);
	_mm_sfence(); /* other threads may be told that the data are there */
	return fits;
}
#endif

bool
reorder_blocks(const struct reorder *r)
{
#if ARCH_X86_64
	if (cpu_has(CPU_AVX512))
		return reorder_avx512(r);
#endif
	return reorder_portable(r);
}
