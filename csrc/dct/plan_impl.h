/* SPDX-License-Identifier: MIT */
/* plan_impl.h - what a plan consists of; for the files plan*.c only */
#ifndef DCTLOAD_PLAN_IMPL_H
#define DCTLOAD_PLAN_IMPL_H

#include "emit.h"
#include "kernels.h"
#include "pixels.h"
#include "plan.h"
#include "resample.h"
#include "staging.h"
#include "taps.h"

#define MAX_TARGETS DCTLOAD_MAX_COMPONENTS
#define MAX_SOURCES 3
#define MAX_PARTS 3

/* An image needs at most 2 axes x 4 components x 2 resolutions. */
#define NUM_AXES 24

/* A component of the file, with a weight. */
struct part {
	u32 component;
	float dequant[BLOCK_COEFS]; /* table entry times weight */
};

/* Components of equal sampling: their weighted sum is resampled at once. */
struct source {
	u32 num_parts;
	struct part parts[MAX_PARTS];
	const struct axis_op *along, *across;

	/* Tiles that rows are being added to, [ring_tiles][lanes][stride]. */
	float *ring;
	size_t ring_capacity;
	u32 ring_tiles;
	size_t stride; /* floats of these */
	u32 next_row;  /* the block row to come */
};

/* One output component. */
struct target {
	struct emission emit;
	u32 num_along, num_across; /* output blocks */
	u32 num_sources;
	struct source sources[MAX_SOURCES];
	u32 num_tiles, num_done; /* of the output */
	bool backwards;          /* tiles are complete last first */
	float fill;              /* level of what lies outside */

	/*
	 * Where the mean of the output decides its offset, tiles are held back:
	 * 'mean_weight' is what the offset of DC takes from the mean amplitude.
	 */
	float mean_weight;
	float *held; /* as 'samples' of a plan, [num_tiles] of these */
	size_t held_capacity;
};

struct plan {
	struct dctload_info info;
	u32 num_targets;
	struct target targets[MAX_TARGETS];
	struct axis_op axes[NUM_AXES];
	struct taps_scratch taps;
	const struct dct_kernels *kernels;
	struct plan *next_spare;
	struct staging staging;
	bool bypass_cache; /* stage the output */
	s16 *unpacked;     /* one row of MCUs */
	size_t unpacked_capacity;
	bool prefetch;  /* the rows to come are in memory, but not in cache */
	u64 num_begun;  /* images, the clock of 'axes' */
	float **out;    /* where the rows that a block row reaches are */
	float *samples; /* one tile of output: [row along][lane] */
	size_t out_capacity, samples_capacity;

	/* Operations that come before emission, see plan_pixels.c. */
	u32 num_ops;
	struct dctload_op ops[DCTLOAD_MAX_OPS];
	bool use_color, transpose;
	struct dctload_color_map color;
	u32 out_rows;  /* blocks of luma, after them */
	bool in_tiles; /* they see tiles, which are as they are emitted */
	struct pixels pixels;
};

/* What plan_begin() derives a target from. */
struct target_spec {
	struct ratio along, across; /* resolution of the output */
	u32 out_along, out_across;  /* its size in samples */
	u32 num_freqs;
	const u8 *freqs;
	bool transpose;
	bool one_source; /* all components have one sampling */
};

/* Have the output of 't' staged until plan_unstage(), if it is to be. */
static inline void
plan_stage(struct plan *plan, struct target *t)
{
	plan->staging.out = NULL;
	if (plan->bypass_cache)
		staging_begin(&plan->staging, &t->emit);
}

static inline void
plan_unstage(struct plan *plan, struct target *t)
{
	staging_end(&plan->staging, &t->emit);
}

/* Steps of beginning, for both kinds of plan; see plan_begin.c. */
enum dctload_status
target_set_sources(struct plan *plan, struct target *t,
		   const struct dctload_geometry *g,
		   const struct target_spec *spec,
		   const float weights[DCTLOAD_MAX_COMPONENTS]);

void target_set_channels(struct target *t, const struct target_spec *spec);

enum dctload_status target_finish(struct plan *plan, struct target *t);

/* Find out which operations there are, and take memory for them. */
enum dctload_status
plan_set_ops(struct plan *plan, const struct dctload_geometry *g,
	     const struct dctload_output *o);

/* Have 't' made at the size before them. */
void target_set_pixels(const struct plan *plan, struct target *t,
		       struct target_spec *spec);

/* Where tiles of 't' are made, if operations see these; else NULL. */
float *plan_tile(const struct plan *plan, const struct target *t, u32 tile);

/* Put a tile of 't' where they find it. */
void plan_keep_tile(struct plan *plan, const struct target *t, u32 tile,
		    const float *samples);

/* The operations, and emission. */
enum dctload_status plan_run_pixels(struct plan *plan);

u32 steps_out_size(const struct dctload_step *steps, u32 num_steps, u32 size);

enum dctload_status
plan_check(const struct dctload_info *info, const struct dctload_geometry *g);

/* Tiles in the order in which they become complete. */
static inline u32
target_tile(const struct target *t, u32 k)
{
	return t->backwards ? t->num_tiles - 1 - k : k;
}

/* Output blocks that tile 'tile' consists of. */
static inline u32
tile_first(const struct plan *plan, u32 tile)
{
	return tile * (plan->kernels->lanes / 8);
}

static inline u32
tile_end(const struct plan *plan, const struct target *t, u32 tile)
{
	return min_u32(tile_first(plan, tile + 1), t->num_across);
}

/* Floats of a tile of output. */
static inline size_t
tile_samples(const struct plan *plan, const struct target *t)
{
	return (size_t)t->num_along * 8 * plan->kernels->lanes;
}

/* Input block rows [*first_ret, return) that 'tile' depends on. */
static inline u32
tile_span(const struct plan *plan, const struct target *t,
	  const struct source *src, u32 tile, u32 *first_ret)
{
	const struct axis_span *const a =
		&src->across->out_spans[tile_first(plan, tile)];
	const struct axis_span *const b =
		&src->across->out_spans[tile_end(plan, t, tile) - 1];

	*first_ret = min_u32(a->first, b->first);
	return max_u32(a->end, b->end);
}

#endif /* DCTLOAD_PLAN_IMPL_H */
