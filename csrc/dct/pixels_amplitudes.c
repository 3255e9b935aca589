/* SPDX-License-Identifier: MIT */
/* pixels_amplitudes.c - operations on amplitudes and on the means of blocks */

#include <math.h>

#include "pixel_kernels.h"
#include "pixels.h"

/* Amplitudes of DC that 8-bit samples can have. */
#define DC_MIN (-1024.0f)
#define DC_MAX 1016.0f

enum gain_param { K0 = 8, K1, DC, USE_DC, WHICH };

static u32
blocks_w(const struct pixel_plane *plane)
{
	return ceil_div_u32(plane->width, 8);
}

static u32
blocks_h(const struct pixel_plane *plane)
{
	return ceil_div_u32(plane->height, 8);
}

static float *
block_at(const struct pixel_plane *plane, u32 p, u32 q)
{
	return plane->data + 8 * p * plane->stride + 8 * q;
}

static size_t
num_blocks(const struct pixel_plane *plane)
{
	return (size_t)blocks_w(plane) * blocks_h(plane);
}

/* Block 'i' in raster order. */
static float *
block_number(const struct pixel_plane *plane, size_t i)
{
	return block_at(plane, (u32)(i / blocks_w(plane)),
			(u32)(i % blocks_w(plane)));
}

static float
clamp_dc(float dc)
{
	return dc < DC_MIN ? DC_MIN : dc > DC_MAX ? DC_MAX : dc;
}

static void
plane_multiply(struct pixel_plane *plane, const float gain[8][8])
{
	for (u32 y = 0; y < 8 * blocks_h(plane); y++) {
		float *const row = plane->data + y * plane->stride;

		for (size_t x = 0; x < plane->width; x += 8)
			for (u32 u = 0; u < 8; u++)
				row[x + u] *= gain[y % 8][u];
	}
}

static void
do_gain(struct pixels *px, const double *p)
{
	float gain[8][8];

	for (u32 v = 0; v < 8; v++)
		for (u32 u = 0; u < 8; u++)
			gain[v][u] = (float)(p[K0] + p[K1] * p[v] * p[u]);
	if (p[USE_DC] != 0)
		gain[0][0] = (float)p[DC];
	for (u32 c = 0; c < px->num_planes; c++)
		if (((u32)p[WHICH] >> (c > 0) & 1) != 0)
			plane_multiply(&px->planes[c],
				       (const float (*)[8])gain);
}

/* ITU-T T.81 tables K.1 and K.2, which libjpeg scales by its quality. */
static const u8 base_tables[2][8][8] = {
	{
		{ 16, 11, 10, 16, 24, 40, 51, 61 },
		{ 12, 12, 14, 19, 26, 58, 60, 55 },
		{ 14, 13, 16, 24, 40, 57, 69, 56 },
		{ 14, 17, 22, 29, 51, 87, 80, 62 },
		{ 18, 22, 37, 56, 68, 109, 103, 77 },
		{ 24, 35, 55, 64, 81, 104, 113, 92 },
		{ 49, 64, 78, 87, 103, 121, 120, 101 },
		{ 72, 92, 95, 98, 112, 100, 103, 99 },
	},
	{
		{ 17, 18, 24, 47, 99, 99, 99, 99 },
		{ 18, 21, 26, 66, 99, 99, 99, 99 },
		{ 24, 26, 56, 99, 99, 99, 99, 99 },
		{ 47, 66, 99, 99, 99, 99, 99, 99 },
		{ 99, 99, 99, 99, 99, 99, 99, 99 },
		{ 99, 99, 99, 99, 99, 99, 99, 99 },
		{ 99, 99, 99, 99, 99, 99, 99, 99 },
		{ 99, 99, 99, 99, 99, 99, 99, 99 },
	},
};

static void
do_requantize(struct pixels *px, u32 quality)
{
	const u32 percent = quality < 50 ? 5000 / quality : 200 - 2 * quality;

	for (u32 c = 0; c < px->num_planes; c++) {
		struct pixel_plane *const plane = &px->planes[c];
		float steps[8][16];

		for (u32 k = 0; k < BLOCK_COEFS; k++) {
			const u32 base = base_tables[c > 0][k / 8][k % 8];
			const u32 step = (base * percent + 50) / 100;

			steps[k / 8][k % 8] = steps[k / 8][8 + k % 8] =
				(float)min_u32(max_u32(step, 1), 255);
		}
		for (u32 y = 0; y < 8 * blocks_h(plane); y++)
			pixel_kernels()->requantize(
				plane->data + y * plane->stride, steps[y % 8],
				plane->stride);
	}
}

/* ---- means of blocks ---------------------------------------------------- */

static void
dc_brightness(struct pixel_plane *luma, float f)
{
	const size_t num = num_blocks(luma);
	double sum = 0;
	float by;

	for (size_t i = 0; i < num; i++)
		sum += fabsf(*block_number(luma, i));
	by = (f - 1) * (float)(sum / (double)num);
	for (size_t i = 0; i < num; i++) {
		float *const dc = block_number(luma, i);

		*dc = clamp_dc(*dc + by);
	}
}

static void
dc_autocontrast(struct pixel_plane *luma)
{
	const size_t num = num_blocks(luma);
	float lo = INFINITY, hi = -INFINITY;

	for (size_t i = 0; i < num; i++) {
		const float dc = *block_number(luma, i);

		lo = dc < lo ? dc : lo;
		hi = dc > hi ? dc : hi;
	}
	if (!(hi > lo))
		return;
	for (size_t i = 0; i < num; i++) {
		float *const dc = block_number(luma, i);

		*dc = (*dc - lo) * ((DC_MAX - DC_MIN) / (hi - lo)) + DC_MIN;
	}
}

static void
dc_autosaturation(struct pixels *px)
{
	float largest = 0;

	for (u32 c = 1; c < px->num_planes; c++)
		for (size_t i = 0; i < num_blocks(&px->planes[c]); i++) {
			const float dc =
				fabsf(*block_number(&px->planes[c], i));

			largest = dc > largest ? dc : largest;
		}
	for (u32 c = 1; c < px->num_planes && largest > 0; c++)
		for (size_t i = 0; i < num_blocks(&px->planes[c]); i++)
			*block_number(&px->planes[c], i) *= DC_MAX / largest;
}

static u32
level_of(float dc)
{
	const float level = rintf(dc / 8 + 128);

	return level <= 0 ? 0 : level >= 255 ? 255 : (u32)level;
}

static void
dc_equalize(struct pixel_plane *luma)
{
	const size_t num = num_blocks(luma);
	size_t counts[256] = { 0 }, below = 0, lowest;
	float table[256];
	u32 first = 0;

	for (size_t i = 0; i < num; i++)
		counts[level_of(*block_number(luma, i))]++;
	while (counts[first] == 0)
		first++;
	lowest = counts[first];
	if (lowest == num)
		return;
	for (u32 k = first; k < 256; k++) {
		below += counts[k];
		table[k] = 8 * ((float)(below - lowest) /
					(float)(num - lowest) * 255 -
				128);
	}
	for (size_t i = 0; i < num; i++) {
		float *const dc = block_number(luma, i);

		*dc = table[level_of(*dc)];
	}
}

static void
dc_posterize(struct pixels *px, float step)
{
	for (u32 c = 0; c < px->num_planes; c++)
		for (size_t i = 0; i < num_blocks(&px->planes[c]); i++) {
			float *const dc = block_number(&px->planes[c], i);

			*dc = floorf((*dc - DC_MIN) / step) * step + DC_MIN;
		}
}

static void
block_negate(struct pixel_plane *plane, u32 p, u32 q)
{
	float *const block = block_at(plane, p, q);

	for (u32 v = 0; v < 8; v++)
		for (u32 u = 0; u < 8; u++)
			block[v * plane->stride + u] *= -1;
}

/* A block of chroma follows the first block of luma that it covers. */
static void
dc_solarize(struct pixels *px, float threshold)
{
	for (u32 c = px->num_planes; c-- > 0;) {
		struct pixel_plane *const plane = &px->planes[c];
		const u32 shift = c == 0 ? 0 : px->shift;

		for (u32 p = 0; p < blocks_h(plane); p++)
			for (u32 q = 0; q < blocks_w(plane); q++)
				if (*block_at(&px->planes[0], p << shift,
					      q << shift) > threshold)
					block_negate(plane, p, q);
	}
}

static void
dc_solarize_add(struct pixel_plane *luma, float amount)
{
	for (size_t i = 0; i < num_blocks(luma); i++) {
		float *const dc = block_number(luma, i);

		if (*dc < 0)
			*dc = clamp_dc(*dc + amount);
	}
}

void
pixels_do_amplitudes(struct pixels *px, const struct dctload_op *op)
{
	struct pixel_plane *const luma = &px->planes[0];
	const float f = (float)op->p[0];

	switch (op->kind) {
	case DCTLOAD_OP_GAIN:
		do_gain(px, op->p);
		break;
	case DCTLOAD_OP_REQUANTIZE:
		do_requantize(px, (u32)op->p[0]);
		break;
	case DCTLOAD_OP_DC_BRIGHTNESS:
		dc_brightness(luma, f);
		break;
	case DCTLOAD_OP_DC_AUTOCONTRAST:
		dc_autocontrast(luma);
		break;
	case DCTLOAD_OP_DC_AUTOSATURATION:
		dc_autosaturation(px);
		break;
	case DCTLOAD_OP_DC_EQUALIZE:
		dc_equalize(luma);
		break;
	case DCTLOAD_OP_DC_POSTERIZE:
		dc_posterize(px, f);
		break;
	case DCTLOAD_OP_DC_SOLARIZE:
		dc_solarize(px, f);
		break;
	default:
		dc_solarize_add(luma, f);
		break;
	}
}
