/* SPDX-License-Identifier: MIT */
/* emit.c - scale, offset, cast and place */

#include <math.h>

#include "emit.h"

size_t
dtype_nbytes(u32 dtype)
{
	static const u8 nbytes[] = { 4, 2, 2, 2, 1 };

	return nbytes[dtype];
}

/* IEEE binary16, rounded to nearest even, overflow to infinity. */
static u16
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

/* The upper half of a float, rounded to nearest even. */
static u16
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

static inline void
put(u8 *out, size_t index, u32 dtype, float f)
{
	switch (dtype) {
	case DCTLOAD_F32:
		((float *)(void *)out)[index] = f;
		break;
	case DCTLOAD_F16:
		((u16 *)(void *)out)[index] = float_to_f16(f);
		break;
	case DCTLOAD_BF16:
		((u16 *)(void *)out)[index] = float_to_bf16(f);
		break;
	case DCTLOAD_I16:
		((s16 *)(void *)out)[index] =
			(s16)clamp_round(f, -32768, 32767);
		break;
	default:
		((s8 *)(void *)out)[index] = (s8)clamp_round(f, -128, 127);
		break;
	}
}

/* Inlined once per type, so that the switch is outside the loops. */
static ALWAYS_INLINE void
emit_as(const struct emission *e, u32 dtype, u32 p, const float *amplitudes,
	size_t stride, u32 num_cols, u32 num_col_freqs)
{
	for (u32 k = 0; k < e->num_channels; k++) {
		size_t at = k * e->channel_stride + p * e->row_stride;
		const float *from = amplitudes;

		if (from == NULL) {
			for (u32 q = 0; q < num_cols; q++, at += e->col_stride)
				put(e->out, at, dtype, e->offset[k]);
			continue;
		}
		from += e->row_freq[k] * stride + e->col_freq[k];
		for (u32 q = 0; q < num_cols; q++, at += e->col_stride)
			put(e->out, at, dtype,
			    from[q * num_col_freqs] * e->scale[k] +
				    e->offset[k]);
	}
}

void
emit_row(const struct emission *e, u32 p, const float *amplitudes,
	 size_t stride, u32 num_cols, u32 num_col_freqs)
{
#define EMIT(type) \
	emit_as(e, type, p, amplitudes, stride, num_cols, num_col_freqs)
	switch (e->dtype) {
	case DCTLOAD_F32:
		EMIT(DCTLOAD_F32);
		break;
	case DCTLOAD_F16:
		EMIT(DCTLOAD_F16);
		break;
	case DCTLOAD_BF16:
		EMIT(DCTLOAD_BF16);
		break;
	case DCTLOAD_I16:
		EMIT(DCTLOAD_I16);
		break;
	default:
		EMIT(DCTLOAD_I8);
		break;
	}
#undef EMIT
}
