/* SPDX-License-Identifier: MIT */
/*
 * scan_sequential.c - sequential scans (T.81 F.2): the rare cases, step by step,
 * and the choice among the variants of the hot loop
 */

#include "scan.h"

#include "../cpu.h"

#if ARCH_X86_64
#include <immintrin.h>
#endif

#define ZRL_SYMBOL 0xF0

static bool
fail(struct scan_lane *lane, enum dctload_status status)
{
	const u64 position = bits_position(&lane->bits, lane->start);
	const u64 end = (u64)(lane->end - lane->start) * 8;

	/* Nonsense made of the zeros behind the data only means their end. */
	lane->status = position > end && !lane->zero_fill ? DCTLOAD_TRUNCATED :
							   status;
	lane->error_position = position < end ? position : end;
	return false;
}

/* Whether the next code may be made of zeros that are not in the file. */
static bool
is_near_end(const struct scan_lane *lane)
{
	return bits_position(&lane->bits, lane->start) + MAX_CODE_BITS >
	       (u64)(lane->end - lane->start) * 8;
}

/*
 * The next symbol, << 8, and its code's length; 0 if there is none.  libjpeg
 * takes a code that does not exist for symbol 0; we do where data are missing.
 */
static u32
next_symbol(struct scan_lane *lane, const struct huff_codes *codes)
{
	u32 found;

	bits_refill(&lane->bits);
	found = huff_find(codes, lane->bits.buf);
	if (unlikely(found == 0) && lane->zero_fill && is_near_end(lane))
		return MAX_CODE_BITS;
	return found;
}

bool
scan_decode_dc(struct scan_lane *lane)
{
	const struct scan_slot *const slot = lane->slot;
	const u32 found = next_symbol(lane, slot->dc);
	const u32 size = found >> 8;
	s32 dc;

	if (unlikely(found == 0))
		return fail(lane, DCTLOAD_BAD_CODE);
	bits_consume(&lane->bits, found & 0xFF);
	dc = *slot->dc_pred + huff_extend(lane->bits.buf, size);
	/* libjpeg lets it wrap around. */
	if (unlikely(dc != (s16)dc))
		return fail(lane, DCTLOAD_BAD_COEFFICIENT);
	bits_consume(&lane->bits, size);
	*slot->dc_pred = dc;
	lane->block[0] = (s16)dc;
	lane->k = 1;
	return true;
}

/* One AC symbol (T.81 figure F.13). */
static enum scan_outcome
decode_ac_symbol(struct scan_lane *lane)
{
	const u32 found = next_symbol(lane, lane->slot->ac);
	const u32 run = found >> 12, size = found >> 8 & 15;
	s32 value;

	if (unlikely(found == 0)) {
		fail(lane, DCTLOAD_BAD_CODE);
		return SCAN_FAILED;
	}
	if (size == 0) {
		bits_consume(&lane->bits, found & 0xFF);
		/* Any other (run, 0) ends the block, as in libjpeg. */
		if (found >> 8 != ZRL_SYMBOL)
			return SCAN_BLOCK_DONE;
		lane->k += 16;
		return lane->k < BLOCK_COEFS ? SCAN_BLOCK_GOES_ON :
					       SCAN_BLOCK_DONE;
	}
	lane->k += run;
	/* libjpeg would store it in the last place. */
	if (unlikely(lane->k >= BLOCK_COEFS)) {
		fail(lane, DCTLOAD_BAD_RUN);
		return SCAN_FAILED;
	}
	bits_consume(&lane->bits, found & 0xFF);
	value = huff_extend(lane->bits.buf, size);
	bits_consume(&lane->bits, size);
	memset(&lane->block[lane->k], 0, RUN_NUM_VALUES * sizeof(s16));
	lane->block[lane->k++] = (s16)value;
	return lane->k < BLOCK_COEFS ? SCAN_BLOCK_GOES_ON : SCAN_BLOCK_DONE;
}

/* Symbol by symbol to the block's end. */
static enum scan_outcome
finish_block(struct scan_lane *lane)
{
	enum scan_outcome outcome;

	do {
		outcome = decode_ac_symbol(lane);
	} while (outcome == SCAN_BLOCK_GOES_ON);
	return outcome;
}

enum scan_outcome
scan_finish_step(struct scan_lane *lane, u32 entry)
{
	const u32 nbits = entry & 0xFF, advance = entry >> 8;
	u64 position;

	lane->k -= advance;
	if (advance == RUN_MISS)
		return decode_ac_symbol(lane);

	/* The entry's symbols belong to two blocks: take it back. */
	memset(&lane->block[BLOCK_COEFS], 0,
	       WINDOW_SLACK_COEFS * sizeof(s16));
	memset(&lane->block[lane->k], 0,
	       (BLOCK_COEFS - lane->k) * sizeof(s16));
	position = bits_position(&lane->bits, lane->start) - nbits;
	bits_seek(&lane->bits, lane->start, position);
	return finish_block(lane);
}

void
scan_begin_run(struct scan_lane *lane)
{
	scan_decode_dc(lane);
}

/* ---- variants ---------------------------------------------------------- */

static ALWAYS_INLINE u32
load_le16(const u8 *p)
{
	return p[0] | (u32)p[1] << 8;
}

static ALWAYS_INLINE void
store_values_portable(s16 *dst, const u8 *entry)
{
	for (u32 i = 0; i < RUN_NUM_VALUES; i++)
		dst[i] = (s8)entry[4 + i];
}

#define SCAN_NAME run_1_portable
#define SCAN_LANES 1
#define SCAN_TARGET
#define SCAN_STORE store_values_portable
#include "scan_template.h"

#define SCAN_NAME run_2_portable
#define SCAN_LANES 2
#define SCAN_TARGET
#define SCAN_STORE store_values_portable
#include "scan_template.h"

#if ARCH_X86_64
/* The eight bytes of an entry, widened; the upper four are the values. */
#define STORE_VALUES_SSE4(dst, entry)                                  \
	_mm_storeh_pd((double *)(void *)(dst),                         \
		      _mm_castsi128_pd(_mm_cvtepi8_epi16(_mm_loadl_epi64( \
			  (const __m128i *)(const void *)(entry)))))

#define SCAN_NAME run_1_bmi2
#define SCAN_LANES 1
#define SCAN_TARGET TARGET("bmi,bmi2,movbe,avx2")
#define SCAN_STORE STORE_VALUES_SSE4
#include "scan_template.h"

#define SCAN_NAME run_2_bmi2
#define SCAN_LANES 2
#define SCAN_TARGET TARGET("bmi,bmi2,movbe,avx2")
#define SCAN_STORE STORE_VALUES_SSE4
#include "scan_template.h"
#endif

u32
scan_run(struct scan_lane *const lanes[SCAN_MAX_LANES], u32 num_lanes)
{
#if ARCH_X86_64
	if (cpu_has(CPU_BMI2) && cpu_has(CPU_AVX2))
		return num_lanes == 1 ? run_1_bmi2(lanes) : run_2_bmi2(lanes);
#endif
	return num_lanes == 1 ? run_1_portable(lanes) : run_2_portable(lanes);
}
