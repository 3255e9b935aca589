/* SPDX-License-Identifier: MIT */
/*
 * pixel_template.h - the functions of struct pixel_kernels
 *
 * Included once per variant, with KERNEL defined as what precedes a function of
 * it.  Loops run over whole vectors of 8 without branches, so that compilers
 * vectorise them.
 */

/* GCC and Clang make of this what the CPU has. */
typedef float v8 __attribute__((vector_size(32)));
typedef s32 __attribute__((may_alias)) aliased_s32;

/*
 * Adding and subtracting 1.5 x 2^23 rounds a float below 2^22 to the nearest
 * whole number, ties to even, on every CPU and in every vector.
 */
#define ROUND(x) (((x) + 12582912.0f) - 12582912.0f)
#define CLAMP(x, lo, hi) ((x) < (lo) ? (lo) : (x) > (hi) ? (hi) : (x))

/* Weights of grey in torchvision's rgb_to_grayscale(). */
#define GREY_R 0.2989f
#define GREY_G 0.587f
#define GREY_B 0.114f

KERNEL void
inverse(float *rows, size_t stride, u32 num_blocks)
{
	v8 basis[8];

	memcpy(basis, dct_basis_f32, sizeof(basis));
	for (u32 q = 0; q < num_blocks; q++) {
		float *const block = rows + 8 * (size_t)q;
		v8 in[8];

		for (u32 v = 0; v < 8; v++) {
			const float *const freqs = block + v * stride;
			v8 a = basis[0] * freqs[0], b = basis[1] * freqs[1];

			for (u32 u = 2; u < 8; u += 2) {
				a += basis[u] * freqs[u];
				b += basis[u + 1] * freqs[u + 1];
			}
			in[v] = a + b;
		}
		/* Row 7 - k differs from row k by the sign of odd cosines. */
		for (u32 k = 0; k < 4; k++) {
			v8 even = in[0] * dct_basis_f32[0][k];
			v8 odd = in[1] * dct_basis_f32[1][k];
			v8 out;

			for (u32 v = 2; v < 8; v += 2) {
				even += in[v] * dct_basis_f32[v][k];
				odd += in[v + 1] * dct_basis_f32[v + 1][k];
			}
			out = even + odd;
			memcpy(block + k * stride, &out, sizeof(out));
			out = even - odd;
			memcpy(block + (7 - k) * stride, &out, sizeof(out));
		}
	}
}

KERNEL void
forward(float *rows, size_t stride, u32 num_blocks)
{
	for (u32 q = 0; q < num_blocks; q++) {
		float *const block = rows + 8 * (size_t)q;
		v8 sum[4], diff[4];

		for (u32 k = 0; k < 4; k++) {
			v8 a, b;

			memcpy(&a, block + k * stride, sizeof(a));
			memcpy(&b, block + (7 - k) * stride, sizeof(b));
			sum[k] = a + b;
			diff[k] = a - b;
		}
		for (u32 v = 0; v < 8; v++) {
			const v8 *const half = v % 2 == 0 ? sum : diff;
			v8 row = half[0] * dct_basis_f32[v][0];
			float samples[8];
			v8 out, basis;

			for (u32 k = 1; k < 4; k++)
				row += half[k] * dct_basis_f32[v][k];
			memcpy(samples, &row, sizeof(row));
			memcpy(&basis, dct_matrix_t_f32[0], sizeof(basis));
			out = basis * samples[0];
			for (u32 x = 1; x < 8; x++) {
				memcpy(&basis, dct_matrix_t_f32[x],
				       sizeof(basis));
				out += basis * samples[x];
			}
			memcpy(block + v * stride, &out, sizeof(out));
		}
	}
}

/* JFIF; the weights of green follow from the others.  Clamped, as pixels are. */
KERNEL void
to_rgb(float *const rgb[3], const float *restrict y, const float *restrict cb,
       const float *restrict cr, size_t num)
{
	float *restrict const r = rgb[0];
	float *restrict const g = rgb[1];
	float *restrict const b = rgb[2];

	for (size_t i = 0; i < num; i++) {
		const float luma = y[i] + 128;
		const float red = luma + 1.402f * cr[i];
		const float green =
			luma - 0.344136286f * cb[i] - 0.714136286f * cr[i];
		const float blue = luma + 1.772f * cb[i];

		r[i] = CLAMP(red, 0, 255);
		g[i] = CLAMP(green, 0, 255);
		b[i] = CLAMP(blue, 0, 255);
	}
}

KERNEL void
from_rgb(float *restrict y, float *restrict cb, float *restrict cr,
	 const float *restrict r, const float *restrict g,
	 const float *restrict b, size_t num)
{
	for (size_t i = 0; i < num; i++) {
		const float luma =
			0.299f * r[i] + 0.587f * g[i] + 0.114f * b[i];

		y[i] = luma - 128;
		cb[i] = (b[i] - luma) * (1 / 1.772f);
		cr[i] = (r[i] - luma) * (1 / 1.402f);
	}
}

KERNEL void
spread(float *restrict out, const float *restrict in, size_t num)
{
	for (size_t i = 0; i < num; i++)
		out[2 * i] = out[2 * i + 1] = in[i];
}

KERNEL void
halve(float *restrict out, const float *restrict a, const float *restrict b,
      size_t num)
{
	for (size_t i = 0; i < num; i++)
		out[i] = 0.25f *
			 (a[2 * i] + a[2 * i + 1] + b[2 * i] + b[2 * i + 1]);
}

KERNEL void
scale(float *x, float f, float offset, size_t num)
{
	for (size_t i = 0; i < num; i++) {
		const float value = f * x[i] + offset;

		x[i] = CLAMP(value, 0, 255);
	}
}

KERNEL void
blend_grey(float *const rgb[3], float f, size_t num)
{
	float *restrict const r = rgb[0];
	float *restrict const g = rgb[1];
	float *restrict const b = rgb[2];

	for (size_t i = 0; i < num; i++) {
		const float grey = (1 - f) * (GREY_R * r[i] + GREY_G * g[i] +
					      GREY_B * b[i]);
		const float x = f * r[i] + grey, y = f * g[i] + grey;
		const float z = f * b[i] + grey;

		r[i] = CLAMP(x, 0, 255);
		g[i] = CLAMP(y, 0, 255);
		b[i] = CLAMP(z, 0, 255);
	}
}

KERNEL double
sum_grey(const float *r, const float *g, const float *b, size_t num)
{
	float lanes[8] = { 0 };
	double sum = 0;
	size_t i = 0;

	for (; i + 8 <= num; i += 8)
		for (u32 k = 0; k < 8; k++)
			lanes[k] += GREY_R * r[i + k] + GREY_G * g[i + k] +
				    GREY_B * b[i + k];
	for (; i < num; i++)
		sum += GREY_R * r[i] + GREY_G * g[i] + GREY_B * b[i];
	for (u32 k = 0; k < 8; k++)
		sum += lanes[k];
	return sum;
}

KERNEL void
sharpen(float *restrict out, const float *restrict above,
	const float *restrict row, const float *restrict below, float f,
	size_t num)
{
	const float side = (1 - f) / 13, centre = f + 4 * side;

	for (size_t i = 1; i + 1 < num; i++) {
		const float left = above[i - 1] + row[i - 1] + below[i - 1];
		const float here = above[i] + row[i] + below[i];
		const float right = above[i + 1] + row[i + 1] + below[i + 1];
		const float value =
			centre * row[i] + side * (left + here + right);

		out[i] = CLAMP(value, 0, 255);
	}
}

KERNEL void
posterize(float *x, float step, size_t num)
{
	const float inverse_step = 1 / step;

	for (size_t i = 0; i < num; i++) {
		x[i] = (float)(s32)(ROUND(x[i]) * inverse_step) * step;
	}
}

KERNEL void
solarize(float *x, float threshold, size_t num)
{
	for (size_t i = 0; i < num; i++) {
		/* A product, as a choice of values is not vectorised. */
		const float flip = (float)(ROUND(x[i]) >= threshold);

		x[i] += flip * (255 - 2 * x[i]);
	}
}

/* Floats that are not negative are in the order of their bits. */
KERNEL void
min_max(const float *x, float *min, float *max, size_t num)
{
	const aliased_s32 *const bits = (const void *)x;
	s32 lo = 0x7F000000, hi = 0;
	float value;

	for (size_t i = 0; i < num; i++) {
		lo = bits[i] < lo ? bits[i] : lo;
		hi = bits[i] > hi ? bits[i] : hi;
	}
	memcpy(&value, &lo, sizeof(value));
	*min = value < *min ? value : *min;
	memcpy(&value, &hi, sizeof(value));
	*max = value > *max ? value : *max;
}

KERNEL void
levels(u8 *restrict out, const float *restrict x, size_t num)
{
	for (size_t i = 0; i < num; i++)
		out[i] = (u8)(s32)ROUND(x[i]);
}

KERNEL void
warp_bilinear(float *restrict out, const float *restrict in,
	      const struct warp_row *w, u32 num)
{
	const float last_x = w->width - 1, last_y = w->height - 1;

	for (u32 i = 0; i < num; i++) {
		const float at_x = w->x + (float)(s32)i * w->dx;
		const float at_y = w->y + (float)(s32)i * w->dy;
		/* One sample outside is as far as anything is seen. */
		const float x = CLAMP(at_x, -1, w->width);
		const float y = CLAMP(at_y, -1, w->height);
		const float x0 = (float)((s32)(x + 1) - 1);
		const float y0 = (float)((s32)(y + 1) - 1);
		const float x1 = x0 + 1, y1 = y0 + 1;
		const float wx0 = x0 >= 0 && x0 <= last_x ? x1 - x : 0;
		const float wx1 = x1 <= last_x ? x - x0 : 0;
		const float wy0 = y0 >= 0 && y0 <= last_y ? y1 - y : 0;
		const float wy1 = y1 <= last_y ? y - y0 : 0;
		const size_t left = (size_t)(s32)CLAMP(x0, 0, last_x);
		const size_t right = (size_t)(s32)CLAMP(x1, 0, last_x);
		const float *const top =
			in + (size_t)(s32)CLAMP(y0, 0, last_y) * w->stride;
		const float *const bottom =
			in + (size_t)(s32)CLAMP(y1, 0, last_y) * w->stride;
		const float m = (wx0 + wx1) * (wy0 + wy1);
		/* What is missing of the weight is black. */
		const float sum =
			wy0 * (wx0 * top[left] + wx1 * top[right]) +
			wy1 * (wx0 * bottom[left] + wx1 * bottom[right]) +
			w->black * (1 - m);

		out[i] = w->blend ? m * sum + (1 - m) * w->fill : sum;
	}
}

static const struct pixel_kernels kernels = {
	.inverse = inverse,
	.forward = forward,
	.to_rgb = to_rgb,
	.from_rgb = from_rgb,
	.spread = spread,
	.halve = halve,
	.scale = scale,
	.blend_grey = blend_grey,
	.sum_grey = sum_grey,
	.sharpen = sharpen,
	.posterize = posterize,
	.solarize = solarize,
	.min_max = min_max,
	.levels = levels,
	.warp_bilinear = warp_bilinear,
};
