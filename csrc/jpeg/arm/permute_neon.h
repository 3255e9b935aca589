/* SPDX-License-Identifier: MIT */
/* permute_neon.h - the coefficients of a block in another order */
#ifndef DCTLOAD_PERMUTE_NEON_H
#define DCTLOAD_PERMUTE_NEON_H

#include "../../common.h"

#include <arm_neon.h>

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
 * dst[i] is coefficient from[i] of a block given as halves.  An instruction picks
 * bytes from half a block, and gives zero, or leaves what is there, for those of the
 * other half.
 */
static ALWAYS_INLINE void
permute_neon(s16 *dst, uint8x16x4_t lo, uint8x16x4_t hi,
	     const u16 from[BLOCK_COEFS])
{
	for (u32 v = 0; v < 8; v++) {
		const uint16x8_t k = vld1q_u16(from + 8 * v);
		/* Coefficient k is bytes 2 k and 2 k + 1. */
		const uint8x16_t pick = vreinterpretq_u8_u16(
			vmlaq_n_u16(vdupq_n_u16(0x0100), k, 0x0202));
		const uint8x16_t in_hi = vsubq_u8(pick, vdupq_n_u8(64));
		const uint8x16_t row =
			vqtbx4q_u8(vqtbl4q_u8(lo, pick), hi, in_hi);

		vst1q_s16(dst + 8 * v, vreinterpretq_s16_u8(row));
	}
}

#endif /* DCTLOAD_PERMUTE_NEON_H */
