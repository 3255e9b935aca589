/* SPDX-License-Identifier: MIT */
/*
 * recipe.c - from an image's size and its random numbers to its geometry
 *
 * The same as dctload/_geometry.py and dctload/transforms/geometry.py, which do it
 * for many images at once and any transform, to the last bit: what a loader gives
 * does not depend on who worked it out.
 */
#include <math.h>

#include "recipe.h"

/* A product and a sum are rounded one after the other, as NumPy rounds them. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

/* ---- one axis -------------------------------------------------------------- */

struct axis {
	s64 size; /* now */
	u32 num_steps;
	struct dctload_step steps[DCTLOAD_MAX_STEPS];
};

static struct dctload_step
copying_step(s64 size)
{
	return (struct dctload_step){
		.hi = (double)size,
		.step = 1,
		.out_size = (u32)size,
		.filter = DCTLOAD_BILINEAR,
	};
}

static struct dctload_step
last_step(const struct axis *a)
{
	return a->num_steps != 0 ? a->steps[a->num_steps - 1] :
				   copying_step(a->size);
}

/* It moves samples without mixing them. */
static bool
step_copies(const struct dctload_step *s)
{
	return fabs(s->step) == 1 && s->start == rint(s->start);
}

/* The positions between which it looks, ascending. */
static void
step_extent(const struct dctload_step *s, double *a_ret, double *b_ret)
{
	const double end = s->start + s->step * s->out_size;

	*a_ret = fmin(s->start, end);
	*b_ret = fmax(s->start, end);
}

/* Replace the last step, or put 's' behind it; false if there is no room. */
static bool
set_last(struct axis *a, const struct dctload_step *s, s64 size, bool append)
{
	const u32 num = max_u32(a->num_steps + append, 1);

	if (num > DCTLOAD_MAX_STEPS)
		return false;
	a->steps[num - 1] = *s;
	a->num_steps = num;
	a->size = size;
	return true;
}

static bool
axis_crop(struct axis *a, s64 left, s64 size)
{
	struct dctload_step last = last_step(a);
	const bool outside = left < 0 || left + size > a->size;
	const bool copies = step_copies(&last);
	const bool append = outside && !copies;
	double begin, end;

	if (size < 1 || size > UINT32_MAX)
		return false;
	if (left == 0 && size == a->size)
		return true;
	if (append)
		last = copying_step(a->size);
	last.start += last.step * (double)left;
	last.out_size = (u32)size;
	if (copies || append) {
		/* A crop of a crop sees less; of a resized axis, all. */
		step_extent(&last, &begin, &end);
		last.lo = fmax(last.lo, begin);
		last.hi = fmin(last.hi, end);
	}
	return set_last(a, &last, size, append);
}

static bool
axis_resize(struct axis *a, s64 size, u32 filter)
{
	struct dctload_step last = last_step(a);
	double begin, end;
	bool append;

	if (size < 1 || size > UINT32_MAX)
		return false;
	if (size == a->size)
		return true;
	step_extent(&last, &begin, &end);
	append = !step_copies(&last) || begin < last.lo || end > last.hi;
	if (append)
		last = copying_step(a->size);
	last.step *= (double)a->size / (double)size;
	last.out_size = (u32)size;
	last.filter = filter;
	return set_last(a, &last, size, append);
}

static void
axis_flip(struct axis *a)
{
	struct dctload_step last = last_step(a);

	last.start += last.step * last.out_size;
	last.step = -last.step;
	(void)set_last(a, &last, a->size, false);
}

/* ---- an image -------------------------------------------------------------- */

struct course {
	struct axis x, y;
	bool transpose;
	float fill[DCTLOAD_MAX_COMPONENTS];
	bool has_color, is_grey; /* 'color' holds; colour is gone */
	struct dctload_fine_color_map color;
	u32 num_ops;
	struct dctload_op *ops; /* [DCTLOAD_MAX_OPS] */
};

static void
swap_axes(struct course *c)
{
	const struct axis x = c->x;

	c->x = c->y;
	c->y = x;
	c->transpose = !c->transpose;
}

static void
turn_upright(struct course *c, u32 orientation)
{
	if (orientation >= 5)
		swap_axes(c);
	if (orientation == 2 || orientation == 3 || orientation == 6 ||
	    orientation == 7)
		axis_flip(&c->x);
	if (orientation == 3 || orientation == 4 || orientation == 7 ||
	    orientation == 8)
		axis_flip(&c->y);
}

static bool
crop_filled(struct course *c, const float fill[3], s64 left, s64 top, s64 width,
	    s64 height)
{
	memcpy(c->fill, fill, 3 * sizeof(*fill));
	c->fill[3] = 0;
	return axis_crop(&c->x, left, width) && axis_crop(&c->y, top, height);
}

static bool
resize(struct course *c, s64 width, s64 height, u32 filter)
{
	return axis_resize(&c->x, width, filter) &&
	       axis_resize(&c->y, height, filter);
}

static bool
resize_short(struct course *c, const struct dctload_part *p)
{
	const bool wide = c->x.size > c->y.size;
	const s64 old_short = wide ? c->y.size : c->x.size;
	const s64 old_long = wide ? c->x.size : c->y.size;
	s64 new_short = p->side, new_long = p->max_side;

	if (p->side == 0) {
		new_short = p->max_side * old_short / old_long;
		new_short = new_short > 1 ? new_short : 1;
	} else {
		new_long = p->side * old_long / old_short;
		if (p->max_side != 0 && new_long > p->max_side) {
			new_short = p->max_side * new_short / new_long;
			new_short = new_short > 1 ? new_short : 1;
			new_long = p->max_side;
		}
	}
	return resize(c, wide ? new_long : new_short,
		      wide ? new_short : new_long, p->filter);
}

/* Where torchvision's centre crop begins; it pads a smaller image first. */
static s64
centred(s64 size, s64 crop)
{
	const s64 before = crop > size ? (crop - size) / 2 : 0;
	const s64 padded = crop > size ? crop : size;

	return (s64)rint((double)(padded - crop) / 2) - before;
}

static bool
center_crop(struct course *c, const struct dctload_part *p)
{
	return crop_filled(c, p->fill, centred(c->x.size, p->width),
			   centred(c->y.size, p->height), p->width, p->height);
}

static bool
random_crop(struct course *c, const struct dctload_part *p, const double *draws)
{
	s64 w = c->x.size + p->margins[0] + p->margins[2];
	s64 h = c->y.size + p->margins[1] + p->margins[3];
	const s64 more_w = w < p->width ? p->width - w : 0;
	const s64 more_h = h < p->height ? p->height - h : 0;
	s64 x, y;

	if ((more_w != 0 || more_h != 0) && p->side == 0)
		return false;
	/* torchvision adds what lacks on each side, so twice as much. */
	w += 2 * more_w;
	h += 2 * more_h;
	x = (s64)(draws[1] * (double)(w - p->width + 1));
	y = (s64)(draws[0] * (double)(h - p->height + 1));
	return crop_filled(c, p->fill, x - p->margins[0] - more_w,
			   y - p->margins[1] - more_h, p->width, p->height);
}

static bool
pad(struct course *c, const struct dctload_part *p)
{
	const s64 *const m = p->margins;

	return crop_filled(c, p->fill, -m[0], -m[1], c->x.size + m[0] + m[2],
			   c->y.size + m[1] + m[3]);
}

/* ---- a random part of the image --------------------------------------------- */

struct box {
	s64 left, top, width, height;
};

/* The largest part of the middle with an allowed ratio. */
static struct box
middle_box(const double p[4], s64 width, s64 height)
{
	const double ratio = (double)width / (double)height;
	struct box b = { .width = width, .height = height };

	if (ratio < p[2])
		b.height = (s64)rint((double)width / p[2]);
	if (ratio > p[3])
		b.width = (s64)rint((double)height * p[3]);
	b.left = (width - b.width) / 2;
	b.top = (height - b.height) / 2;
	return b;
}

static struct box
random_box(const double p[4], s64 width, s64 height, const double *draws)
{
	const double area = (double)(width * height);
	const double low = log(p[2]), high = log(p[3]);

	for (u32 i = 0; i < DCTLOAD_CROP_ATTEMPTS; i++) {
		const double target =
			area * (p[0] + (p[1] - p[0]) * draws[2 * i]);
		const double aspect =
			exp(low + (high - low) * draws[2 * i + 1]);
		const double w = rint(sqrt(target * aspect));
		const double h = rint(sqrt(target / aspect));
		struct box b;

		if (!(w > 0 && w <= (double)width && h > 0 &&
		      h <= (double)height))
			continue;
		b.width = (s64)w;
		b.height = (s64)h;
		b.left = (s64)(draws[DCTLOAD_CROP_DRAWS - 1] *
			       (double)(width - b.width + 1));
		b.top = (s64)(draws[DCTLOAD_CROP_DRAWS - 2] *
			      (double)(height - b.height + 1));
		return b;
	}
	return middle_box(p, width, height);
}

void
dctload_random_boxes(const double p[4], size_t num, const int64_t *width,
		     const int64_t *height, const double *draws, size_t stride,
		     int64_t (*boxes_ret)[4])
{
	for (size_t i = 0; i < num; i++) {
		const struct box b =
			random_box(p, width[i], height[i], draws + i * stride);

		boxes_ret[i][0] = b.left;
		boxes_ret[i][1] = b.top;
		boxes_ret[i][2] = b.width;
		boxes_ret[i][3] = b.height;
	}
}

static bool
random_resized_crop(struct course *c, const struct dctload_part *p,
		    const double *draws)
{
	const struct box b = random_box(p->p, c->x.size, c->y.size, draws);

	return axis_crop(&c->x, b.left, b.width) &&
	       axis_crop(&c->y, b.top, b.height) &&
	       resize(c, p->width, p->height, p->filter);
}

/* ---- colours, and operations that are drawn ------------------------------------ */

static void
color_begin(struct dctload_fine_color_map *m)
{
	memset(m, 0, sizeof(*m));
	m->chroma[0][0] = m->chroma[1][1] = 1;
	for (u32 k = 0; k < 64; k++)
		m->gain[0][k] = m->gain[1][k] = 1;
}

/* What does 'm' and then 'after'. */
static void
color_then(struct dctload_fine_color_map *m,
	   const struct dctload_fine_color_map *after)
{
	const struct dctload_fine_color_map old = *m;
	const double dc = after->gain[0][0];

	m->y_offset = (dc + after->y_mean) * old.y_offset + after->y_offset;
	m->y_mean =
		dc * old.y_mean + after->y_mean * (old.gain[0][0] + old.y_mean);
	for (u32 i = 0; i < 2; i++) {
		const double *const row = after->chroma[i];
		const double moved = row[0] * old.chroma_offset[0] +
				     row[1] * old.chroma_offset[1];

		for (u32 k = 0; k < 2; k++)
			m->chroma[i][k] = row[0] * old.chroma[0][k] +
					  row[1] * old.chroma[1][k];
		m->chroma_offset[i] =
			after->gain[1][0] * moved + after->chroma_offset[i];
		for (u32 k = 0; k < 64; k++)
			m->gain[i][k] = old.gain[i][k] * after->gain[i][k];
	}
}

static bool
color_changes(const struct dctload_fine_color_map *m)
{
	bool same = m->y_offset == 0 && m->y_mean == 0;

	for (u32 i = 0; i < 2; i++) {
		same = same && m->chroma_offset[i] == 0 &&
		       m->chroma[i][i] == 1 && m->chroma[i][1 - i] == 0;
		for (u32 k = 0; k < 64; k++)
			same = same && m->gain[i][k] == 1;
	}
	return !same;
}

static void
color_round(struct dctload_color_map *out,
	    const struct dctload_fine_color_map *m)
{
	out->y_offset = (float)m->y_offset;
	out->y_mean = (float)m->y_mean;
	for (u32 i = 0; i < 2; i++) {
		out->chroma_offset[i] = (float)m->chroma_offset[i];
		for (u32 k = 0; k < 2; k++)
			out->chroma[i][k] = (float)m->chroma[i][k];
		for (u32 k = 0; k < 64; k++)
			out->gain[i][k] = (float)m->gain[i][k];
	}
}

/* By steps of the axes and the colour map. */
static bool
do_early(struct course *c, const struct dctload_outcome *o)
{
	if (o->transpose)
		swap_axes(c);
	if (o->hflip)
		axis_flip(&c->x);
	if (o->vflip)
		axis_flip(&c->y);
	if (o->color != NULL) {
		if (!c->has_color)
			color_begin(&c->color);
		c->has_color = true;
		color_then(&c->color, o->color);
	}
	return !o->crops ||
	       crop_filled(c, o->fill, o->left, o->top, c->x.size, c->y.size);
}

/* A random place of two that one number is enough for: its high and low bits. */
static void
scatter(struct dctload_op *op, double draw, s64 width, s64 height)
{
	const double at = draw * 0x1p20;
	const double share[2] = { floor(at) * 0x1p-20, at - floor(at) };
	const double size[2] = { (double)width, (double)height };

	for (u32 k = 0; k < 4; k++)
		op->p[k] +=
			DCTLOAD_PLACE_UNIT *
			floor(share[k % 2] * size[k % 2] / DCTLOAD_PLACE_UNIT);
}

static bool
do_late(struct course *c, const struct dctload_outcome *o, double draw)
{
	if (o->num_ops > DCTLOAD_OUTCOME_OPS ||
	    c->num_ops + o->num_ops > DCTLOAD_MAX_OPS)
		return false;
	for (u32 k = 0; k < o->num_ops; k++) {
		struct dctload_op *const op = &c->ops[c->num_ops++];

		*op = o->ops[k];
		if (o->scatters && op->kind == DCTLOAD_OP_ERASE)
			scatter(op, draw, c->x.size, c->y.size);
	}
	return true;
}

/* One of 'num' things. */
static u32
choice_of(double draw, u32 num)
{
	return min_u32((u32)(draw * num), num - 1);
}

static bool
augment(struct course *c, const struct dctload_part *p, const double *draws)
{
	bool good = true;

	for (u32 k = 0; k < p->num_turns && good; k++) {
		const double *const d = draws + k * DCTLOAD_TURN_DRAWS;
		const size_t choice = choice_of(d[0], p->num_choices);
		const size_t level = choice_of(d[2], p->num_levels);
		const struct dctload_outcome *const o =
			p->outcomes + 2 * (choice * p->num_levels + level) +
			(d[1] >= 0.5);

		if (o->needs_color && c->is_grey)
			continue;
		good = o->is_early && c->num_ops == 0 ? do_early(c, o) :
							do_late(c, o, d[3]);
		c->is_grey = c->is_grey || o->drops_color;
	}
	return good;
}

/* ---- the recipe -------------------------------------------------------------- */

static bool
follow_part(struct course *c, const struct dctload_part *p, const double *draws)
{
	switch (p->kind) {
	case DCTLOAD_RESIZE:
		return resize(c, p->width, p->height, p->filter);
	case DCTLOAD_RESIZE_SHORT:
		return resize_short(c, p);
	case DCTLOAD_CENTER_CROP:
		return center_crop(c, p);
	case DCTLOAD_RANDOM_CROP:
		return random_crop(c, p, draws);
	case DCTLOAD_RANDOM_RESIZED_CROP:
		return random_resized_crop(c, p, draws);
	case DCTLOAD_PAD:
		return pad(c, p);
	case DCTLOAD_RANDOM_HFLIP:
		if (draws[0] < p->p[0])
			axis_flip(&c->x);
		return true;
	case DCTLOAD_RANDOM_VFLIP:
		if (draws[0] < p->p[0])
			axis_flip(&c->y);
		return true;
	case DCTLOAD_AUGMENT:
		return augment(c, p, draws);
	default:
		return false;
	}
}

enum dctload_status
dctload_follow_recipe(const struct dctload_recipe *recipe, uint32_t width,
		      uint32_t height, uint32_t orientation,
		      const double *draws, struct dctload_geometry *g_ret)
{
	struct course c = { .x.size = width,
			    .y.size = height,
			    .ops = g_ret->ops };

	if (recipe->upright)
		turn_upright(&c, orientation);
	for (u32 i = 0; i < recipe->num_parts; i++) {
		const struct dctload_part *const p = &recipe->parts[i];

		if (!follow_part(&c, p, draws + p->first_draw))
			return DCTLOAD_BAD_ARGUMENT;
	}
	g_ret->transpose = c.transpose;
	g_ret->use_color = c.has_color && color_changes(&c.color);
	if (g_ret->use_color)
		color_round(&g_ret->color, &c.color);
	g_ret->num_ops = c.num_ops;
	g_ret->num_x = c.x.num_steps;
	g_ret->num_y = c.y.num_steps;
	memcpy(g_ret->x, c.x.steps, sizeof(g_ret->x));
	memcpy(g_ret->y, c.y.steps, sizeof(g_ret->y));
	memcpy(g_ret->fill, c.fill, sizeof(g_ret->fill));
	return DCTLOAD_OK;
}

static u64
part_num_draws(const struct dctload_part *p)
{
	switch (p->kind) {
	case DCTLOAD_RANDOM_RESIZED_CROP:
		return DCTLOAD_CROP_DRAWS;
	case DCTLOAD_RANDOM_CROP:
		return 2;
	case DCTLOAD_RANDOM_HFLIP:
	case DCTLOAD_RANDOM_VFLIP:
		return 1;
	case DCTLOAD_AUGMENT:
		return (u64)p->num_turns * DCTLOAD_TURN_DRAWS;
	default:
		return 0;
	}
}

bool
recipe_is_valid(const struct dctload_recipe *r)
{
	if (r->num_parts > DCTLOAD_MAX_PARTS ||
	    r->num_draws > DCTLOAD_MAX_DRAWS)
		return false;
	for (u32 i = 0; i < r->num_parts; i++) {
		const struct dctload_part *const p = &r->parts[i];

		if (p->first_draw + part_num_draws(p) > r->num_draws)
			return false;
		/* Steps after operations would be taken before them. */
		if (p->kind == DCTLOAD_AUGMENT &&
		    (i + 1 != r->num_parts || p->outcomes == NULL ||
		     p->num_choices == 0 || p->num_levels == 0))
			return false;
	}
	return true;
}
