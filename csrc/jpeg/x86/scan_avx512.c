/* SPDX-License-Identifier: MIT */
/*
 * scan_avx512.c - the hot loop with an image in each of sixteen vector lanes
 *
 * The steps are those of scan_template.h; two groups of eight lanes take turns, so
 * that one computes while the other waits for its loads.
 */

#include "scan_vectors_impl.h"

#if ARCH_X86_64
#include <immintrin.h>

#define TARGET_AVX512 TARGET("avx512f,avx512bw,avx512dq,avx512vl,bmi,bmi2")

#define SET1(x) _mm512_set1_epi64((long long)(x))
#define LOAD(a) _mm512_load_si512(a)
#define STORE(a, v) _mm512_store_si512(a, v)

#define SCATTER(a, v) _mm512_i64scatter_epi64(NULL, a, v, 1)

/* In each of eight lanes, choose bytes of its own; -1: zero. */
#define SHUFFLE(a, b, c, d, e, f, g, h)                                        \
	_mm512_set_epi8(8 + h, 8 + g, 8 + f, 8 + e, 8 + d, 8 + c, 8 + b,       \
			8 + a, h, g, f, e, d, c, b, a, 8 + h, 8 + g, 8 + f,    \
			8 + e, 8 + d, 8 + c, 8 + b, 8 + a, h, g, f, e, d, c,   \
			b, a, 8 + h, 8 + g, 8 + f, 8 + e, 8 + d, 8 + c, 8 + b, \
			8 + a, h, g, f, e, d, c, b, a, 8 + h, 8 + g, 8 + f,    \
			8 + e, 8 + d, 8 + c, 8 + b, 8 + a, h, g, f, e, d, c,   \
			b, a)
#define NONE -128 /* and 8 more is still negative */

#define GROUP_LOCALS(i)                                                    \
	__m512i buf##i, next##i, progress##i, table##i, ac##i, next_dc##i, \
		next_ac##i, pairs##i

#define GROUP_LOAD(i)                                            \
	do {                                                     \
		buf##i = LOAD(v->buf + GROUP_LEN * i);           \
		next##i = LOAD(v->next + GROUP_LEN * i);         \
		progress##i = LOAD(v->progress + GROUP_LEN * i); \
		table##i = LOAD(v->table + GROUP_LEN * i);       \
		ac##i = LOAD(v->ac + GROUP_LEN * i);             \
		next_dc##i = LOAD(v->next_dc + GROUP_LEN * i);   \
		next_ac##i = LOAD(v->next_ac + GROUP_LEN * i);   \
		pairs##i = LOAD(v->pairs + GROUP_LEN * i);       \
	} while (0)

#define GROUP_SAVE(i)                                            \
	do {                                                     \
		STORE(v->buf + GROUP_LEN * i, buf##i);           \
		STORE(v->next + GROUP_LEN * i, next##i);         \
		STORE(v->progress + GROUP_LEN * i, progress##i); \
		STORE(v->table + GROUP_LEN * i, table##i);       \
		STORE(v->ac + GROUP_LEN * i, ac##i);             \
		STORE(v->next_dc + GROUP_LEN * i, next_dc##i);   \
		STORE(v->next_ac + GROUP_LEN * i, next_ac##i);   \
		STORE(v->pairs + GROUP_LEN * i, pairs##i);       \
	} while (0)

/*
 * As bits_refill(), and for its reason: the gather has all the steps before it to
 * arrive.  Rotations have left consumed bits where those of the gather go.
 */
#define GROUP_REFILL(i)                                                        \
	do {                                                                   \
		const __m512i used = _mm512_and_si512(progress##i, SET1(63));  \
		__m512i bytes = _mm512_i64gather_epi64(next##i, NULL, 1);      \
                                                                               \
		bytes = _mm512_shuffle_epi8(bytes,                             \
					    SHUFFLE(7, 6, 5, 4, 3, 2, 1, 0));  \
		bytes = _mm512_srlv_epi64(bytes,                               \
					  _mm512_xor_si512(used, SET1(63)));   \
		buf##i = _mm512_ternarylogic_epi64(                            \
			buf##i, _mm512_sllv_epi64(SET1(-2), used), bytes,      \
			AND_OR);                                               \
		next##i =                                                      \
			_mm512_add_epi64(next##i, _mm512_srli_epi64(used, 3)); \
		progress##i = _mm512_andnot_si512(SET1(PROGRESS_NBITS & ~7),   \
						  progress##i);                \
		past = _mm512_cmpge_epu64_mask(next##i,                        \
					       LOAD(v->end + GROUP_LEN * i));  \
		if (unlikely(past != 0))                                       \
			goto past##i;                                          \
	} while (0)
#define AND_OR 0xEA /* a & b | c */

/*
 * Let lanes that are 'done' begin their next blocks.  The order is that of need:
 * the table is what everything waits for.
 */
#define GROUP_COMMIT(i, done)                                                \
	do {                                                                 \
		__mmask8 second;                                             \
                                                                             \
		table##i = _mm512_mask_mov_epi64(ac##i, done, next_dc##i);   \
		ac##i = _mm512_mask_mov_epi64(ac##i, done, next_ac##i);      \
		pairs##i =                                                   \
			_mm512_mask_srli_epi64(pairs##i, done, pairs##i, 1); \
		second = _mm512_test_epi64_mask(pairs##i, SET1(1));          \
		next_dc##i = _mm512_mask_mov_epi64(                          \
			LOAD(v->pair_dc[0] + GROUP_LEN * i), second,         \
			LOAD(v->pair_dc[1] + GROUP_LEN * i));                \
		next_ac##i = _mm512_mask_mov_epi64(                          \
			LOAD(v->pair_ac[0] + GROUP_LEN * i), second,         \
			LOAD(v->pair_ac[1] + GROUP_LEN * i));                \
	} while (0)

/* Masks of a qword's lowest words, as compares of words give them. */
#define WORD_0 0x11111111
#define WORD_1 0x22222222

#define NEXT_BLOCK(progress, done)                                             \
	_mm512_mask_add_epi64(                                                 \
		progress, done,                                                \
		_mm512_andnot_si512(SET1(0xFFFF & ~PROGRESS_NBITS), progress), \
		SET1(PROGRESS_ONE_BLOCK))

#define GROUP_STEP(i)                                                          \
	do {                                                                   \
		const __m512i entry = _mm512_i64gather_epi64(                  \
			_mm512_add_epi64(                                      \
				table##i,                                      \
				_mm512_srli_epi64(buf##i,                      \
						  64 - RUN_TABLE_BITS)),       \
			NULL, 8);                                              \
		const __m512i count =                                          \
			_mm512_srli_epi64(entry, RUN_NBITS_SHIFT);             \
		const __m512i after = _mm512_add_epi64(progress##i, count);    \
		__m512i last, address, pair;                                   \
		__mmask32 negative, rare, stop;                                \
		__mmask8 done;                                                 \
                                                                               \
		/* A rotation leaves the extra bits at the bottom. */          \
		buf##i = _mm512_rolv_epi64(buf##i, count);                     \
		last = _mm512_ternarylogic_epi64(buf##i, entry, SET1(0xFFFF),  \
						 AND_OF_THREE);                \
		negative = _mm512_mask_cmple_epu16_mask(                       \
			WORD_0, last, _mm512_srli_epi16(entry, 1));            \
		last = _mm512_mask_sub_epi16(last, negative, last, entry);     \
		last = _mm512_rolv_epi64(                                      \
			last, _mm512_srli_epi64(entry, RUN_PLACE_SHIFT));      \
		pair = _mm512_srai_epi16(                                      \
			_mm512_shuffle_epi8(entry,                             \
					    SHUFFLE(NONE, 4, NONE, 5, NONE,    \
						    NONE, NONE, NONE)),        \
			8);                                                    \
		address = _mm512_add_epi64(                                    \
			_mm512_srli_epi64(progress##i, PROGRESS_OFFSET),       \
			_mm512_shuffle_epi8(entry,                             \
					    SHUFFLE(3, NONE, NONE, NONE, NONE, \
						    NONE, NONE, NONE)));       \
		SCATTER(address, _mm512_or_si512(last, pair));                 \
		done = _mm512_test_epi64_mask(after, SET1(PROGRESS_DONE));     \
		rare = _mm512_mask_cmpgt_epu16_mask(WORD_0, after,             \
						    SET1(PROGRESS_MAX));       \
		progress##i = NEXT_BLOCK(after, done);                         \
		stop = _mm512_mask_cmpeq_epu16_mask(                           \
			WORD_1, progress##i,                                   \
			LOAD(v->run_end + GROUP_LEN * i));                     \
		if (unlikely(!_kortestz_mask32_u8(rare, stop))) {              \
			STORE(v->entry + GROUP_LEN * i, entry);                \
			rare_lanes = _pext_u32(rare, WORD_0);                  \
			ended_lanes = _pext_u32(stop, WORD_1) & ~rare_lanes;   \
			done &= (__mmask8)~rare_lanes;                         \
			progress##i = NEXT_BLOCK(after, done);                 \
			GROUP_COMMIT(i, done);                                 \
			goto rare##i;                                          \
		}                                                              \
		GROUP_COMMIT(i, done);                                         \
	} while (0)
#define AND_OF_THREE 0x80

/* ---- a symbol that is not in the table ----------------------------------- */

/* symbol << 8 | code length of the code that 'bits' begin with; 0 if none. */
static ALWAYS_INLINE TARGET_AVX512 u32
find_code(const struct huff_codes *codes, u64 bits)
{
	const u32 bits16 = (u32)(bits >> 48);
	/* Codes of up to as many bits as there are ones are not below it. */
	const u32 too_short =
		_mm512_cmple_epu32_mask(_mm512_loadu_si512(codes->limit + 1),
					_mm512_set1_epi32((int)bits16));
	const u32 len = (u32)__builtin_ctz(~too_short) + 1;

	if (len > MAX_CODE_BITS)
		return 0;
	return (u32)codes->symbols[(s32)(bits16 >> (MAX_CODE_BITS - len)) +
				   codes->base[len]]
		       << 8 |
	       len;
}

/*
 * Decode the symbol that lane 'i' missed, from and to its state: an AC coefficient
 * that is not the block's last, or a ZRL.  False if it is something else; then
 * nothing has changed.  This is one in a hundred steps, so a call, or the way of the
 * vectors to memory and back, would be felt.
 */
static ALWAYS_INLINE TARGET_AVX512 bool
decode_miss(const struct scan_vectors *v, u32 i, u64 *buf, u64 *next,
	    u64 *progress)
{
	const u64 before = *progress - RUN_PROGRESS(v->entry[i]);
	const u64 address = before >> PROGRESS_OFFSET;
	const u64 used = before & PROGRESS_NBITS;
	const u64 bits = (*buf & (u64)-2 << used) |
			 load_be64((const u8 *)(uintptr_t)*next) >> (63 - used);
	struct scan_block *const block =
		(struct scan_block *)(uintptr_t)(address &
						 ~(u64)(SCAN_BLOCK_NBYTES - 1));
	const u32 offset = (u32)address % SCAN_BLOCK_NBYTES;
	const u32 found = find_code(huff_codes_of(block->ac), bits);
	const u32 run = found >> 12, size = found >> 8 & 15, len = found & 0xFF;
	const u32 at = offset + run * (u32)sizeof(s16);
	const u32 nbits = len + size;

	if (RUN_ADVANCE(v->entry[i]) != RUN_MISS || offset == 0 || found == 0 ||
	    (size == 0 && run != 15) || at >= BLOCK_NBYTES - sizeof(s16))
		return false;
	/* Of a ZRL that is the zero which it ends with. */
	block->coefs[at / sizeof(s16)] = (s16)huff_extend(bits << len, size);
	*buf = bits << nbits;
	*next += used >> 3;
	*progress = (address + (run + 1) * sizeof(s16)) << PROGRESS_OFFSET |
		    ((used & 7) + nbits);
	return true;
}

#define LANE_OF(v, lane)         \
	((u64)_mm_cvtsi128_si64( \
		_mm512_castsi512_si128(_mm512_maskz_compress_epi64(lane, v))))

/* Lanes that are left in 'rare_lanes' need more than this. */
#define GROUP_DECODE_MISSES(i)                                                 \
	for (; rare_lanes != 0; rare_lanes &= rare_lanes - 1) {                \
		const u32 k = (u32)__builtin_ctz(rare_lanes);                  \
		const __mmask8 lane = (__mmask8)(1u << k);                     \
		u64 buf = LANE_OF(buf##i, lane),                               \
		    next = LANE_OF(next##i, lane);                             \
		u64 progress = LANE_OF(progress##i, lane);                     \
                                                                               \
		if (!decode_miss(v, GROUP_LEN * i + k, &buf, &next,            \
				 &progress))                                   \
			break;                                                 \
		buf##i = _mm512_mask_set1_epi64(buf##i, lane, (long long)buf); \
		next##i = _mm512_mask_set1_epi64(next##i, lane,                \
						 (long long)next);             \
		progress##i = _mm512_mask_set1_epi64(progress##i, lane,        \
						     (long long)progress);     \
	}

TARGET_AVX512 void
scan_run_avx512(struct scan_vectors *v)
{
	GROUP_LOCALS(0);
	GROUP_LOCALS(1);
	__mmask8 past;
	u32 rare_lanes, ended_lanes;

again:
	GROUP_LOAD(0);
	GROUP_LOAD(1);
go_on:
	for (;;) {
		GROUP_REFILL(0);
		GROUP_REFILL(1);
		GROUP_STEP(0);
		GROUP_STEP(1);
		GROUP_STEP(0);
		GROUP_STEP(1);
		GROUP_STEP(0);
		GROUP_STEP(1);
	}
rare0:
	GROUP_DECODE_MISSES(0);
	if (rare_lanes == 0 && ended_lanes == 0)
		goto go_on;
	GROUP_SAVE(0);
	GROUP_SAVE(1);
	scan_handle_rare(v, 0, rare_lanes, ended_lanes);
	goto check;
rare1:
	GROUP_DECODE_MISSES(1);
	if (rare_lanes == 0 && ended_lanes == 0)
		goto go_on;
	GROUP_SAVE(0);
	GROUP_SAVE(1);
	scan_handle_rare(v, GROUP_LEN, rare_lanes, ended_lanes);
	goto check;
past0:
	GROUP_SAVE(0);
	GROUP_SAVE(1);
	scan_handle_past_end(v, 0, past);
	goto check;
past1:
	GROUP_SAVE(0);
	GROUP_SAVE(1);
	scan_handle_past_end(v, GROUP_LEN, past);
check:
	if (v->stopped == 0)
		goto again;
}

/* With half of the lanes a step takes a little more than half of the time. */
TARGET_AVX512 void
scan_run_half_avx512(struct scan_vectors *v)
{
	GROUP_LOCALS(0);
	__mmask8 past;
	u32 rare_lanes, ended_lanes;

again:
	GROUP_LOAD(0);
go_on:
	for (;;) {
		GROUP_REFILL(0);
		GROUP_STEP(0);
		GROUP_STEP(0);
		GROUP_STEP(0);
	}
rare0:
	GROUP_DECODE_MISSES(0);
	if (rare_lanes == 0 && ended_lanes == 0)
		goto go_on;
	GROUP_SAVE(0);
	scan_handle_rare(v, 0, rare_lanes, ended_lanes);
	goto check;
past0:
	GROUP_SAVE(0);
	scan_handle_past_end(v, 0, past);
check:
	if (v->stopped == 0)
		goto again;
}

#endif
