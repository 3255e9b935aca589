/* SPDX-License-Identifier: MIT */
/* emit.c - scale, offset, cast and place */

#include <math.h>

#include "kernels.h"

size_t
dtype_nbytes(u32 dtype)
{
	static const u8 nbytes[] = { 4, 2, 2, 2, 1 };

	return nbytes[dtype];
}

u16
float_to_f16(float f)
{
	u32 bits, sign, shift;

	memcpy(&bits, &f, sizeof(bits));
	sign = bits >> 16 & 0x8000;
	bits &= 0x7FFFFFFF;
	if (bits >= 0x47800000) /* 2^16, infinity, NaN */
		return (u16)(sign | (bits > 0x7F800000 ? 0x7E00 : 0x7C00));
	if (bits >= 0x38800000) { /* 2^-14: a normal number */
		bits -= 112u << 23;
		return (u16)(sign | (bits + 0xFFF + (bits >> 13 & 1)) >> 13);
	}
	if (bits < 0x33000000) /* below half of the smallest, 2^-25 */
		return (u16)sign;
	/* A multiple of 2^-24; what is shifted out decides the rounding. */
	shift = 126 - (bits >> 23);
	bits = (bits & 0x7FFFFF) | 0x800000;
	bits += (1u << (shift - 1)) - 1 + (bits >> shift & 1);
	return (u16)(sign | bits >> shift);
}

u16
float_to_bf16(float f)
{
	u32 bits;

	memcpy(&bits, &f, sizeof(bits));
	if ((bits & 0x7FFFFFFF) > 0x7F800000)
		return (u16)(bits >> 16 | 0x40);
	return (u16)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static inline float
clamp_round(float f, float lo, float hi)
{
	if (!(f > lo)) /* NaN too */
		return lo;
	return rintf(f < hi ? f : hi);
}

void
emission_put(const struct emission *e, size_t index, float f)
{
	switch (e->dtype) {
	case DCTLOAD_F32:
		((float *)(void *)e->out)[index] = f;
		break;
	case DCTLOAD_F16:
		((u16 *)(void *)e->out)[index] = float_to_f16(f);
		break;
	case DCTLOAD_BF16:
		((u16 *)(void *)e->out)[index] = float_to_bf16(f);
		break;
	case DCTLOAD_I16:
		((s16 *)(void *)e->out)[index] =
			(s16)clamp_round(f, -32768, 32767);
		break;
	default:
		((s8 *)(void *)e->out)[index] = (s8)clamp_round(f, -128, 127);
		break;
	}
}

void
emission_sort(struct emission *e)
{
	u8 next[8] = { 0 };

	for (u32 k = 0; k < e->num_channels; k++)
		next[e->col_freq[k]]++;
	e->col_begin[0] = 0;
	for (u32 c = 0; c < 8; c++) {
		e->col_begin[c + 1] = (u8)(e->col_begin[c] + next[c]);
		next[c] = e->col_begin[c];
	}
	for (u32 k = 0; k < e->num_channels; k++)
		e->by_col[next[e->col_freq[k]]++] = (u8)k;
	e->all = e->num_channels == 64;
	e->natural = e->all;
	for (u32 k = 0; k < 64 && e->natural; k++)
		e->natural = e->row_freq[k] == k / 8 && e->col_freq[k] == k % 8;
	for (u32 n = 0; n < 64 && e->all; n++)
		e->all = e->col_freq[e->by_col[n]] == n / 8 &&
			 e->row_freq[e->by_col[n]] == n % 8;
}

void
emission_set_factor(struct emission *e)
{
	for (u32 k = 0; k < e->num_channels; k++)
		e->factor[k] = e->scale[k] *
			       (e->dct_across ? dct_gains[e->row_freq[k]] : 1) *
			       (e->dct_along ? dct_gains[e->col_freq[k]] : 1);
}
