/* SPDX-License-Identifier: MIT */
/* kernels_neon.c - the inner loops with AArch64's vectors of four floats */

#include "../kernels.h"

#if ARCH_ARM64

#include <arm_neon.h>

/* Every such CPU has them, so arithmetic is what portable code compiles to. */
#define KERNEL
#define LANES 8

/* Compilers make two vectors of four of it. */
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

#include "../vec_memory.h"

static ALWAYS_INLINE vec
load8(const float *p)
{
	return load(p);
}

/* Its halves, and back. */
static ALWAYS_INLINE float32x4x2_t
split(vec x)
{
	float32x4x2_t halves;

	memcpy(&halves, &x, sizeof(x));
	return halves;
}

static ALWAYS_INLINE vec
join(float32x4_t lo, float32x4_t hi)
{
	const float32x4x2_t halves = { { lo, hi } };
	vec x;

	memcpy(&x, &halves, sizeof(x));
	return x;
}

static ALWAYS_INLINE vec
load_steps(const s16 *const blocks[1], u32 v)
{
	const int16x8_t row = vld1q_s16(blocks[0] + 8 * v);

	return join(vcvtq_f32_s32(vmovl_s16(vget_low_s16(row))),
		    vcvtq_f32_s32(vmovl_high_s16(row)));
}

static ALWAYS_INLINE bool
is_deep(const s16 *const blocks[1])
{
	uint16x8_t any = vdupq_n_u16(0);

	for (u32 v = 4; v < 8; v++)
		any = vorrq_u16(any, vreinterpretq_u16_s16(
					     vld1q_s16(blocks[0] + 8 * v)));
	return vmaxvq_u16(any) != 0;
}

/* Four vectors of four floats. */
static ALWAYS_INLINE void
transpose4(float32x4_t x[4])
{
	const float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(x[0], x[1]));
	const float64x2_t b = vreinterpretq_f64_f32(vtrn2q_f32(x[0], x[1]));
	const float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(x[2], x[3]));
	const float64x2_t d = vreinterpretq_f64_f32(vtrn2q_f32(x[2], x[3]));

	x[0] = vreinterpretq_f32_f64(vtrn1q_f64(a, c));
	x[1] = vreinterpretq_f32_f64(vtrn1q_f64(b, d));
	x[2] = vreinterpretq_f32_f64(vtrn2q_f64(a, c));
	x[3] = vreinterpretq_f32_f64(vtrn2q_f64(b, d));
}

static ALWAYS_INLINE void
transpose(vec x[8])
{
	float32x4_t quarters[2][2][4]; /* [lanes][vectors] */

	for (u32 k = 0; k < 8; k++) {
		const float32x4x2_t halves = split(x[k]);

		quarters[0][k / 4][k % 4] = halves.val[0];
		quarters[1][k / 4][k % 4] = halves.val[1];
	}
	for (u32 a = 0; a < 2; a++) {
		transpose4(quarters[a][0]);
		transpose4(quarters[a][1]);
		for (u32 k = 0; k < 4; k++)
			x[4 * a + k] =
				join(quarters[a][0][k], quarters[a][1][k]);
	}
}

static ALWAYS_INLINE void
load_transposed(vec x[8], const float *tile, size_t stride)
{
	for (u32 k = 0; k < 8; k++)
		x[k] = load(tile + k * stride);
	transpose(x);
}

/* The upper halves of floats, rounded to nearest even. */
static ALWAYS_INLINE uint16x4_t
to_bf16(float32x4_t x)
{
	const uint32x4_t bits = vreinterpretq_u32_f32(x);
	const uint32x4_t even =
		vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
	const uint32x4_t rounded =
		vaddq_u32(bits, vaddq_u32(even, vdupq_n_u32(0x7FFF)));
	const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));

	/* Only a NaN is not equal to itself. */
	return vshrn_n_u32(vbslq_u32(vceqq_f32(x, x), rounded, quiet), 16);
}

static ALWAYS_INLINE uint16x4_t
to_f16(float32x4_t x)
{
	return vreinterpret_u16_f16(vcvt_f16_f32(x));
}

/* The first 'n' as elements of 'dtype', which is a float of some size. */
static ALWAYS_INLINE void
store_cast(void *out, u32 dtype, vec x, u32 n)
{
	const float32x4x2_t halves = split(x);
	u16 shorts[8];

	if (dtype == DCTLOAD_F32) {
		if (n == 8)
			store(out, x);
		else
			memcpy(out, &x, n * sizeof(float));
		return;
	}
	vst1q_u16(n == 8 ? out : (void *)shorts,
		  dtype == DCTLOAD_F16 ? vcombine_u16(to_f16(halves.val[0]),
						      to_f16(halves.val[1])) :
					 vcombine_u16(to_bf16(halves.val[0]),
						      to_bf16(halves.val[1])));
	if (n != 8)
		memcpy(out, shorts, n * sizeof(u16));
}

/* As in kernels.c. */
#pragma GCC diagnostic ignored "-Wpsabi"

#include "../kernels_template.h"

const struct dct_kernels *const dct_kernels_neon = &kernels;

#else

const struct dct_kernels *const dct_kernels_neon = NULL;

#endif /* ARCH_ARM64 */
