/* SPDX-License-Identifier: MIT */
/* kernels.c - the portable inner loops, and the choice between variants */

#include "../cpu.h"
#include "kernels.h"

static void
dequantize_portable(float *x, u8 *extents, const s16 *blocks,
		    const float dequant[BLOCK_COEFS], u32 first, u32 end,
		    bool add)
{
	for (u32 half = 2 * first; half < 2 * end; half++) {
		const s16 *const in = blocks + (size_t)half * 32;
		const float *const factors = dequant + half % 2 * 32;
		float *const out = x + (size_t)half * 32;
		u32 any[8] = { 0 };
		u8 extent = 8;

		for (u32 k = 0; k < 32; k++) {
			const float value = (float)in[k] * factors[k];

			out[k] = add ? out[k] + value : value;
			any[k % 8] |= (u32)(in[k] != 0);
		}
		while (extent > 0 && any[extent - 1] == 0)
			extent--;
		if (!add || extent > extents[half])
			extents[half] = extent;
	}
}

static void
along_portable(float *z, size_t stride, const float *x, const u8 *extents,
	       const struct axis_op *op, u32 *nonzero_ret)
{
	u32 nonzero = 0;

	memset(z, 0, 8 * stride * sizeof(*z));
	for (u32 half = 2 * op->first_in; half < 2 * op->end_in; half++) {
		const struct axis_column *const col = &op->columns[half / 2];
		const u32 width = col->num_vecs * VEC_FLOATS;

		if (extents[half] != 0)
			nonzero |= 1u << half % 2;
		for (u32 v = 0; v < 4; v++) {
			const float *const in = x + (size_t)half * 32 + 8 * v;
			float *const out =
				z + (half % 2 * 4 + v) * stride + col->first;

			for (u32 u = 0; u < extents[half]; u++) {
				const float *const m =
					op->rows + col->at + u * width;
				const float value = in[u];

				for (u32 n = 0; n < width; n++)
					out[n] += value * m[n];
			}
		}
	}
	*nonzero_ret = nonzero;
}

static void
across_portable(float *out, size_t stride, u32 num_rows, u32 num_cols,
		const struct across_group *groups, u32 num_groups)
{
	for (u32 f = 0; f < num_rows; f++) {
		float *const row = out + f * stride;

		memset(row, 0, num_cols * sizeof(*row));
		for (u32 g = 0; g < num_groups; g++)
			for (u32 k = 0; k < 4; k++) {
				const float m = groups[g].m[k][f];
				const float *const z = groups[g].z + k * stride;

				for (u32 n = 0; n < num_cols; n++)
					row[n] += m * z[n];
			}
	}
}

static void
matrix_portable(float m[8][8], const float r[8][8], const float dt[8][8])
{
	float half[8][8] = { 0 }; /* R D^T: [out sample][in frequency] */

	memset(m, 0, 8 * sizeof(m[0]));
	for (u32 k = 0; k < 8; k++)
		for (u32 u = 0; u < 8; u++)
			for (u32 s = 0; s < 8; s++)
				half[k][u] += r[k][s] * dct_matrix_t_f32[s][u];
	for (u32 k = 0; k < 8; k++)
		for (u32 u = 0; u < 8; u++)
			for (u32 f = 0; f < 8; f++)
				m[u][f] += half[k][u] * dt[k][f];
}

static void
emit_portable(const struct emission *e, u32 p, const float *amplitudes,
	      size_t stride, u32 num_cols, u32 num_col_freqs, bool samples)
{
	(void)samples;
	emit_row(e, p, amplitudes, stride, num_cols, num_col_freqs);
}

static const struct dct_kernels kernels_portable = {
	.dequantize = dequantize_portable,
	.along = along_portable,
	.across = across_portable,
	.matrix = matrix_portable,
	.emit = emit_portable,
};

const struct dct_kernels *
dct_kernels(void)
{
	if (dct_kernels_avx2 != NULL && cpu_has(CPU_AVX2) && cpu_has(CPU_FMA) &&
	    cpu_has(CPU_F16C))
		return dct_kernels_avx2;
	return &kernels_portable;
}
