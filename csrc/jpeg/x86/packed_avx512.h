/* SPDX-License-Identifier: MIT */
/* packed_avx512.h - a block to its groups of bytes, and back */
#ifndef DCTLOAD_PACKED_AVX512_H
#define DCTLOAD_PACKED_AVX512_H

#include "../packed.h"
#include "../std_tables.h"

#if ARCH_X86_64
#include <immintrin.h>

#define TARGET_PACKED TARGET("avx512f,avx512bw,popcnt")

/* The low bytes of two halves of a block. */
static ALWAYS_INLINE TARGET_PACKED __m512i
low_bytes(__m512i lo, __m512i hi)
{
	return _mm512_inserti64x4(
		_mm512_castsi256_si512(_mm512_cvtepi16_epi8(lo)),
		_mm512_cvtepi16_epi8(hi), 1);
}

/* Coefficients that a signed byte cannot hold. */
static ALWAYS_INLINE TARGET_PACKED bool
has_wide(__m512i lo, __m512i hi)
{
	const __m512i half = _mm512_set1_epi16(128);
	const __m512i max = _mm512_set1_epi16(255);

	return (_mm512_cmpgt_epu16_mask(_mm512_add_epi16(lo, half), max) |
		_mm512_cmpgt_epu16_mask(_mm512_add_epi16(hi, half), max)) != 0;
}

/* The groups of 'bytes' that are not zero, at 'p'; returns which. */
static ALWAYS_INLINE TARGET_PACKED u32
pack_groups(u8 *p, __m512i bytes)
{
	const __mmask16 mask = _mm512_test_epi32_mask(bytes, bytes);

	_mm512_storeu_si512(p, _mm512_maskz_compress_epi32(mask, bytes));
	return mask;
}

static ALWAYS_INLINE u8 *
put_header(u8 *p, u32 low, u32 high, s32 dc)
{
	const u16 header[3] = { (u16)low, (u16)high, (u16)dc };

	memcpy(p, header, sizeof(header));
	return p + PACKED_HEADER_NBYTES;
}

/* A block in zigzag order; returns where the next one goes. */
static ALWAYS_INLINE TARGET_PACKED u8 *
pack_block_avx512(u8 *p, const s16 *src, s32 dc)
{
	const __m512i lo = _mm512_maskz_loadu_epi16(~1u, src);
	const __m512i hi = _mm512_load_si512(src + 32);
	u8 *const groups = p + PACKED_HEADER_NBYTES;
	const u32 low = pack_groups(groups, low_bytes(lo, hi));
	u8 *next = groups + 4 * _mm_popcnt_u32(low);
	u32 high = 0;

	if (unlikely(has_wide(lo, hi))) {
		const __m512i half = _mm512_set1_epi16(128);

		high = pack_groups(
			next,
			low_bytes(_mm512_srai_epi16(_mm512_add_epi16(lo, half),
						    8),
				  _mm512_srai_epi16(_mm512_add_epi16(hi, half),
						    8)));
		next += 4 * _mm_popcnt_u32(high);
	}
	put_header(p, low, high, dc);
	return next;
}

/* The next block, in natural order; returns where the one after it is. */
static ALWAYS_INLINE TARGET_PACKED const u8 *
unpack_block_avx512(const u8 *p, s16 *out)
{
	const __m512i pick_lo = _mm512_load_si512(natural_to_zigzag);
	const __m512i pick_hi = _mm512_load_si512(natural_to_zigzag + 32);
	u16 header[3];
	__m512i bytes, lo, hi;

	memcpy(header, p, sizeof(header));
	p += PACKED_HEADER_NBYTES;
	bytes = _mm512_maskz_expandloadu_epi32(header[0], p);
	p += 4 * _mm_popcnt_u32(header[0]);
	lo = _mm512_cvtepi8_epi16(_mm512_castsi512_si256(bytes));
	hi = _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(bytes, 1));
	if (unlikely(header[1] != 0)) {
		const __m512i high =
			_mm512_maskz_expandloadu_epi32(header[1], p);

		p += 4 * _mm_popcnt_u32(header[1]);
		lo = _mm512_add_epi16(
			lo,
			_mm512_slli_epi16(_mm512_cvtepi8_epi16(
						  _mm512_castsi512_si256(high)),
					  8));
		hi = _mm512_add_epi16(
			hi, _mm512_slli_epi16(
				    _mm512_cvtepi8_epi16(
					    _mm512_extracti64x4_epi64(high, 1)),
				    8));
	}
	lo = _mm512_mask_set1_epi16(lo, 1, (s16)header[2]);
	_mm512_store_si512(out, _mm512_permutex2var_epi16(lo, pick_lo, hi));
	_mm512_store_si512(out + 32,
			   _mm512_permutex2var_epi16(lo, pick_hi, hi));
	return p;
}
#endif

#endif /* DCTLOAD_PACKED_AVX512_H */
