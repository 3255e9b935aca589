/* SPDX-License-Identifier: MIT */
/* kernels.c - the portable inner loops, and the choice between variants */

#include "../cpu.h"
#include "kernels.h"

#define KERNEL
#define LANES 8

/* Compilers make of it what the CPU has, such as two vectors of four. */
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

/* They are passed by inlined functions only, so no ABI matters. */
#pragma GCC diagnostic ignored "-Wpsabi"

#include "vec_memory.h"

static ALWAYS_INLINE vec
load8(const float *p)
{
	return load(p);
}

static ALWAYS_INLINE vec
load_steps(const s16 *const blocks[1], u32 v)
{
	vec x;

	for (u32 u = 0; u < 8; u++)
		x[u] = (float)blocks[0][8 * v + u];
	return x;
}

static ALWAYS_INLINE bool
is_deep(const s16 *const blocks[1])
{
	u64 quads[8], any = 0;

	memcpy(quads, blocks[0] + 32, sizeof(quads));
	for (u32 k = 0; k < 8; k++)
		any |= quads[k];
	return any != 0;
}

static ALWAYS_INLINE void
transpose(vec x[8])
{
	for (u32 a = 0; a < 8; a++)
		for (u32 b = 0; b < a; b++) {
			const float f = x[a][b];

			x[a][b] = x[b][a];
			x[b][a] = f;
		}
}

static ALWAYS_INLINE void
load_transposed(vec x[8], const float *tile, size_t stride)
{
	for (u32 k = 0; k < 8; k++)
		for (u32 u = 0; u < 8; u++)
			x[u][k] = tile[k * stride + u];
}

/* The first 'n' as elements of 'dtype', which is a float of some size. */
static ALWAYS_INLINE void
store_cast(void *out, u32 dtype, vec x, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (dtype == DCTLOAD_F32)
			((float *)out)[i] = x[i];
		else
			((u16 *)out)[i] = dtype == DCTLOAD_F16 ?
						  float_to_f16(x[i]) :
						  float_to_bf16(x[i]);
}

#include "kernels_template.h"

const struct dct_kernels *
dct_kernels(void)
{
	const bool avx2 =
		cpu_has(CPU_AVX2) && cpu_has(CPU_FMA) && cpu_has(CPU_F16C);

	if (dct_kernels_avx512 != NULL && avx2 && cpu_has(CPU_AVX512))
		return dct_kernels_avx512;
	if (dct_kernels_avx2 != NULL && avx2)
		return dct_kernels_avx2;
	if (dct_kernels_neon != NULL && cpu_has(CPU_NEON))
		return dct_kernels_neon;
	return &kernels;
}
