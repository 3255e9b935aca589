/* SPDX-License-Identifier: MIT */
/*
 * dct_template.h - the DCT of blocks that lie in rows, with vectors of whole rows
 *
 * A vector is a row of one block or of two side by side.  Down the blocks, lanes do
 * not meet, and the sum and the difference of rows k and 7 - k have half of the
 * cosines each.  Along the rows, each sample is spread over its row and multiplied
 * by what it means to all frequencies.
 *
 * The file that includes this defines, besides what pixel_template.h asks for,
 *
 *	load8(p)          8 floats, in each 8 lanes
 *	spread8(x, k)     lane k of each 8 lanes, in all of these
 */

static KERNEL ALWAYS_INLINE vec
along(vec row, const float (*matrix)[8])
{
	vec a = load8(matrix[0]) * spread8(row, 0);
	vec b = load8(matrix[1]) * spread8(row, 1);

	for (u32 k = 2; k < 8; k += 2) {
		a += load8(matrix[k]) * spread8(row, k);
		b += load8(matrix[k + 1]) * spread8(row, k + 1);
	}
	return a + b;
}

static KERNEL void
inverse(float *rows, size_t stride, u32 num_blocks)
{
	for (size_t x = 0; x < 8 * (size_t)num_blocks; x += LANES) {
		vec in[8];

		for (u32 v = 0; v < 8; v++)
			in[v] = along(load(rows + v * stride + x),
				      dct_basis_f32);
		for (u32 k = 0; k < 4; k++) {
			vec even = in[0] * dct_basis_f32[0][k];
			vec odd = in[1] * dct_basis_f32[1][k];

			for (u32 v = 2; v < 8; v += 2) {
				even += in[v] * dct_basis_f32[v][k];
				odd += in[v + 1] * dct_basis_f32[v + 1][k];
			}
			store(rows + k * stride + x, even + odd);
			store(rows + (7 - k) * stride + x, even - odd);
		}
	}
}

static KERNEL void
forward(float *rows, size_t stride, u32 num_blocks)
{
	for (size_t x = 0; x < 8 * (size_t)num_blocks; x += LANES) {
		vec sum[4], diff[4];

		for (u32 k = 0; k < 4; k++) {
			const vec a = load(rows + k * stride + x);
			const vec b = load(rows + (7 - k) * stride + x);

			sum[k] = a + b;
			diff[k] = a - b;
		}
		for (u32 v = 0; v < 8; v++) {
			const vec *const half = v % 2 == 0 ? sum : diff;
			vec row = half[0] * dct_basis_f32[v][0];

			for (u32 k = 1; k < 4; k++)
				row += half[k] * dct_basis_f32[v][k];
			store(rows + v * stride + x,
			      along(row, dct_matrix_t_f32));
		}
	}
}
