/* SPDX-License-Identifier: MIT */
/* natural_avx2.h - a block to natural order, by shuffles within 16 bytes */
#ifndef DCTLOAD_NATURAL_AVX2_H
#define DCTLOAD_NATURAL_AVX2_H

#include "../../common.h"

#include <immintrin.h>

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

static ALWAYS_INLINE TARGET("avx2") __m256i
	pick_avx2(u32 pair, u32 eighth, const __m256i zigzag[8])
{
	return _mm256_shuffle_epi8(
		zigzag[eighth],
		_mm256_load_si256((const __m256i *)picks[pair][eighth]));
}

/* Four pairs of rows from eighths of the zigzag, each in both halves of its 'z'. */
static ALWAYS_INLINE TARGET("avx2") void natural_rows_avx2(__m256i rows[4],
							   const __m256i z[8])
{
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
}

/* Past the cache they have to be aligned. */
static ALWAYS_INLINE
	TARGET("avx2") void store_rows_avx2(s16 *dst, const __m256i rows[4],
					    bool bypass_cache)
{
	for (u32 i = 0; i < 4; i++) {
		__m256i *const to = (__m256i *)(void *)(dst + 16 * i);

		if (bypass_cache)
			_mm256_stream_si256(to, rows[i]);
		else
			_mm256_storeu_si256(to, rows[i]);
	}
}

#endif /* DCTLOAD_NATURAL_AVX2_H */
