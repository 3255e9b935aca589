/* SPDX-License-Identifier: MIT */
/* pixels_warp.c - affine maps of samples of Y, Cb and Cr */

#include <math.h>

#include "kernels.h"
#include "pixel_kernels.h"
#include "pixels.h"
#include "resample.h"

enum warp_param { FILL = 6, BILINEAR = 9, BLEND, WIDTH, HEIGHT };

/* Positions in samples, in units of 2^-32; ops_check() keeps them below 2^30. */
#define FIXED 0x1p32
#define ONE ((s64)1 << 32)

/* Cut [*first, *end) to where 0 <= x + i dx < limit. */
static void
cut_range(s64 x, s64 dx, s64 limit, s64 *first, s64 *end)
{
	s64 lo, hi;

	if (dx == 0) {
		if (x < 0 || x >= limit)
			*end = *first;
		return;
	}
	if (dx < 0) { /* the same of the mirrored axis */
		x = limit - 1 - x;
		dx = -dx;
	}
	/* Rounded up, where what is divided may be negative. */
	lo = x >= 0 ? 0 : (-x + dx - 1) / dx;
	hi = x >= limit ? 0 : (limit - x + dx - 1) / dx;
	*first = lo > *first ? lo : *first;
	*end = hi < *end ? hi : *end;
}

/*
 * Which samples of a row of 'num' look at positions from -shift up to width and
 * height less shift, as [*first_ret, *end_ret).
 */
static void
range_within(const struct fixed_row *at, s64 shift, s64 width, s64 height,
	     u32 num, u32 *first_ret, u32 *end_ret)
{
	s64 first = 0, end = num;

	cut_range(at->x + shift, at->dx, width, &first, &end);
	cut_range(at->y + shift, at->dy, height, &first, &end);
	*first_ret = first < end ? (u32)first : 0;
	*end_ret = first < end ? (u32)end : 0;
}

/* A map of planes that are alike: of Y, or of Cb and Cr. */
struct warp {
	const double *p;
	u32 shift; /* the planes have 1 / 2^shift of luma's resolution */
	struct warp_input in;
	s64 dx, dy;        /* as a fixed_row has them */
	u32 width, height; /* of the input */
	u32 out_width;
	float outside[2], black[2]; /* levels minus 128 */
	bool blend;
};

/* The rows to be written, of one number in each plane. */
struct warp_rows {
	float *out[2]; /* set by rows_set_out() */
	double x, y;   /* where sample 0 looks, in samples of the plane */
	struct fixed_row at;
};

static void
warp_begin(struct warp *warp, const struct pixels *px, const double *p, u32 c)
{
	const struct pixel_plane *const in = &px->planes[c];

	warp->p = p;
	warp->shift = c == 0 ? 0 : px->shift;
	warp->in.num = c == 0 ? 1 : 2;
	warp->in.stride = (u32)in->stride;
	warp->dx = llrint(p[0] * FIXED);
	warp->dy = llrint(p[3] * FIXED);
	warp->width = in->width;
	warp->height = in->height;
	warp->out_width = px->spare[c].width;
	warp->blend = p[BLEND] != 0;
	for (u32 k = 0; k < warp->in.num; k++) {
		warp->in.data[k] = px->planes[c + k].data;
		warp->black[k] = c == 0 ? -128 : 0;
		warp->outside[k] =
			warp->blend ? (float)p[FILL + c + k] : warp->black[k];
	}
}

/* Row 'y'; positions are taken 'back' samples before where they are. */
static void
rows_begin(struct warp_rows *rows, const struct warp *warp, u32 y, double back)
{
	const double *const p = warp->p;
	const double size = 1 << warp->shift;
	const double at_x = 0.5 * size, at_y = (y + 0.5) * size;

	rows->x = (p[0] * at_x + p[1] * at_y + p[2]) / size - back;
	rows->y = (p[3] * at_x + p[4] * at_y + p[5]) / size - back;
	rows->at.x = llrint(rows->x * FIXED);
	rows->at.dx = warp->dx;
	rows->at.y = llrint(rows->y * FIXED);
	rows->at.dy = warp->dy;
}

static void
rows_set_out(struct warp_rows *rows, const struct warp *warp,
	     const struct pixel_plane *out, u32 y)
{
	for (u32 k = 0; k < warp->in.num; k++)
		rows->out[k] = out[k].data + y * out[k].stride;
}

/* Output samples but those of [first, end) see nothing. */
static void
fill_outside(const struct warp *warp, const struct warp_rows *rows, u32 first,
	     u32 end)
{
	for (u32 k = 0; k < warp->in.num; k++) {
		float *const out = rows->out[k];
		const float outside = warp->outside[k];

		for (u32 i = 0; i < first; i++)
			out[i] = outside;
		for (u32 i = end; i < warp->out_width; i++)
			out[i] = outside;
	}
}

/* Samples [first, end), which find what 'kernel' looks up. */
static void
look_up(const struct warp *warp, const struct warp_rows *rows, u32 first,
	u32 end, bool bilinear)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	struct fixed_row from = rows->at;
	float *out[2];

	from.x += first * from.dx;
	from.y += first * from.dy;
	for (u32 k = 0; k < warp->in.num; k++)
		out[k] = rows->out[k] + first;
	if (bilinear)
		kernels->warp_bilinear(out, &warp->in, &from, end - first);
	else
		kernels->warp_nearest(out, &warp->in, &from, end - first);
}

/* A shear along x, or a move: pieces of rows. */
static void
copy_pieces(const struct warp *warp, const struct warp_rows *rows, u32 first,
	    u32 end)
{
	const s64 from = (rows->at.y >> 32) * warp->in.stride +
			 (rows->at.x >> 32) + first;

	for (u32 k = 0; k < warp->in.num; k++)
		memcpy(rows->out[k] + first, warp->in.data[k] + from,
		       (end - first) * sizeof(float));
}

static void
warp_nearest(const struct warp *warp, const struct pixel_plane *out, u32 y)
{
	struct warp_rows rows;
	u32 first, end;

	/* The sample that covers a position is the nearest one. */
	rows_begin(&rows, warp, y, 0);
	rows_set_out(&rows, warp, out, y);
	range_within(&rows.at, 0, (s64)warp->width << 32,
		     (s64)warp->height << 32, warp->out_width, &first, &end);
	fill_outside(warp, &rows, first, end);
	if (first == end)
		return;
	if (rows.at.dx == ONE && rows.at.dy == 0)
		copy_pieces(warp, &rows, first, end);
	else
		look_up(warp, &rows, first, end, false);
}

/* Between samples of which some are missing, and count as black. */
static float
interpolate_edge(const struct warp *warp, u32 k, double x, double y)
{
	const double x0 = floor(x), y0 = floor(y);
	double sum = 0, inside = 0;

	for (u32 n = 0; n < 4; n++) {
		const u32 right = n & 1, below = n >> 1;
		const double at_x = x0 + right, at_y = y0 + below;
		const double w = (right ? x - x0 : x0 + 1 - x) *
				 (below ? y - y0 : y0 + 1 - y);

		if (at_x < 0 || at_x >= warp->width || at_y < 0 ||
		    at_y >= warp->height)
			continue;
		inside += w;
		sum += w * warp->in.data[k][(size_t)at_y * warp->in.stride +
					    (size_t)at_x];
	}
	sum += warp->black[k] * (1 - inside);
	if (warp->blend)
		sum = inside * sum + (1 - inside) * warp->outside[k];
	return (float)sum;
}

static void
warp_edge(const struct warp *warp, const struct warp_rows *rows, u32 first,
	  u32 end)
{
	for (u32 i = first; i < end; i++)
		for (u32 k = 0; k < warp->in.num; k++)
			rows->out[k][i] = interpolate_edge(
				warp, k, rows->x + i * warp->p[0],
				rows->y + i * warp->p[3]);
}

/*
 * The middle of a row sees four samples everywhere, and its ends none at all;
 * what is between needs care, and is short.
 */
static void
warp_bilinear(const struct warp *warp, const struct pixel_plane *out, u32 y)
{
	const s64 w = (s64)warp->width << 32, h = (s64)warp->height << 32;
	u32 some, some_end, all, all_end;
	struct warp_rows rows;

	rows_begin(&rows, warp, y, 0.5);
	rows_set_out(&rows, warp, out, y);
	range_within(&rows.at, ONE, w + ONE, h + ONE, warp->out_width, &some,
		     &some_end);
	range_within(&rows.at, 0, w - ONE, h - ONE, warp->out_width, &all,
		     &all_end);
	if (all == all_end)
		all = all_end = some_end;
	fill_outside(warp, &rows, some, some_end);
	warp_edge(warp, &rows, some, all);
	look_up(warp, &rows, all, all_end, true);
	warp_edge(warp, &rows, all_end, some_end);
}

static void
warp_rows(const struct warp *warp, const struct pixel_plane *out)
{
	for (u32 y = 0; y < out->height; y++)
		if (warp->p[BILINEAR] != 0)
			warp_bilinear(warp, out, y);
		else
			warp_nearest(warp, out, y);
}

/* ---- planes in tiles ------------------------------------------------------ */

bool
warp_fits_tiles(const double *p, u32 width, u32 height)
{
	return p[BILINEAR] == 0 && p[WIDTH] == width && p[HEIGHT] == height;
}

/* Where the first samples of 'num' rows from 'y' on look. */
static void
places_begin(struct tile_places *at, const struct warp *warp, u32 y, u32 num)
{
	at->dx = warp->dx;
	at->dy = warp->dy;
	for (u32 r = 0; r < num; r++) {
		struct warp_rows rows;

		rows_begin(&rows, warp, y + r, 0);
		at->x[r] = rows.at.x;
		at->y[r] = rows.at.y;
	}
}

/* Each row looks along itself, and all to one side. */
static bool
shifts_rows(const struct warp *warp)
{
	const double *const p = warp->p;

	return p[0] == 1 && p[3] == 0 && p[4] == 1 && p[5] == 0 &&
	       p[1] * p[2] >= 0;
}

static void
shift_rows(const struct warp *warp, const struct pixel_plane *planes)
{
	const struct pixel_kernels *const kernels = pixel_kernels();

	for (u32 y = 0; y < warp->height; y += kernels->lanes) {
		const size_t tile = (size_t)y * warp->width;
		struct tile_places at;
		s32 by[MAX_LANES];

		places_begin(&at, warp, y, kernels->lanes);
		for (u32 r = 0; r < kernels->lanes; r++)
			by[r] = (s32)(at.x[r] >> 32);
		for (u32 k = 0; k < warp->in.num; k++)
			kernels->shift_rows(planes[k].data + tile, warp->width,
					    by, warp->outside[k]);
	}
}

/* Each column looks along itself, and rounding made no difference to a row. */
static bool
shifts_columns(const struct warp *warp, s64 *first_ret)
{
	const double *const p = warp->p;
	bool good = p[0] == 1 && p[1] == 0 && p[2] == 0 && p[4] == 1;
	struct warp_rows rows;

	rows_begin(&rows, warp, 0, 0);
	*first_ret = rows.at.y;
	for (u32 y = 1; y < warp->height && good; y++) {
		rows_begin(&rows, warp, y, 0);
		good = rows.at.y == *first_ret + y * ONE;
	}
	return good;
}

static void
shift_columns(const struct pixels *px, const struct warp *warp,
	      const struct pixel_plane *planes, s64 first)
{
	for (u32 k = 0; k < warp->in.num; k++)
		pixel_kernels()->shift_columns(planes[k].data, px->rows,
					       warp->width, warp->height, first,
					       warp->dy, warp->outside[k]);
}

static void
look_up_tiles(const struct warp *warp, const struct pixel_plane *out)
{
	const struct pixel_kernels *const kernels = pixel_kernels();
	const struct tiled_input in = {
		.data = { warp->in.data[0], warp->in.data[1] },
		.outside = { warp->outside[0], warp->outside[1] },
		.num = warp->in.num,
		.width = warp->width,
		.height = warp->height,
	};

	for (u32 y = 0; y < warp->height; y += kernels->lanes) {
		float *const to[2] = {
			out[0].data + (size_t)y * warp->width,
			out[in.num - 1].data + (size_t)y * warp->width,
		};
		struct tile_places at;

		places_begin(&at, warp, y, kernels->lanes);
		kernels->warp_tile(to, &in, &at);
	}
}

static void
swap_planes(struct pixels *px, u32 first, u32 num)
{
	for (u32 c = first; c < first + num; c++) {
		const struct pixel_plane old = px->planes[c];

		px->planes[c] = px->spare[c];
		px->spare[c] = old;
	}
}

/* A map of the planes from 'c' on. */
static void
warp_tiles(struct pixels *px, const struct warp *warp, u32 c)
{
	s64 first;

	if (shifts_rows(warp))
		shift_rows(warp, &px->planes[c]);
	else if (shifts_columns(warp, &first))
		shift_columns(px, warp, &px->planes[c], first);
	else {
		look_up_tiles(warp, &px->spare[c]);
		swap_planes(px, c, warp->in.num);
	}
}

enum dctload_status
pixels_warp(struct pixels *px, const double *p)
{
	const u32 width = (u32)p[WIDTH], height = (u32)p[HEIGHT];
	const size_t scratch =
		px->tile_size != 0 ? (size_t)SHIFTED_COLUMNS * 3 * height : 0;

	if (!planes_resize(px, px->spare, width, height) ||
	    !grow((void **)&px->rows, &px->rows_capacity, scratch,
		  sizeof(*px->rows)))
		return DCTLOAD_NO_MEMORY;
	for (u32 c = 0; c < px->num_planes && c < 2; c++) {
		struct warp warp;

		warp_begin(&warp, px, p, c);
		if (px->tile_size != 0) {
			warp_tiles(px, &warp, c);
			continue;
		}
		warp_rows(&warp, &px->spare[c]);
		swap_planes(px, c, warp.in.num);
	}
	px->width = width;
	px->height = height;
	return DCTLOAD_OK;
}
