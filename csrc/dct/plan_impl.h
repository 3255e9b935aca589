/* SPDX-License-Identifier: MIT */
/* plan_impl.h - what a plan consists of; for the files plan*.c only */
#ifndef DCTLOAD_PLAN_IMPL_H
#define DCTLOAD_PLAN_IMPL_H

#include "emit.h"
#include "kernels.h"
#include "pixels.h"
#include "plan.h"
#include "resample.h"
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
	float *ring;      /* [ring_rows][8][stride] */
	u8 *ring_nonzero; /* [ring_rows], as from along() */
	size_t nonzero_capacity;
	size_t ring_capacity;
	u32 ring_rows;
	u32 next_row; /* the block row to come */
};

/* One output component. */
struct target {
	struct emission emit;
	u32 num_along, num_across; /* output blocks */
	u32 num_sources;
	struct source sources[MAX_SOURCES];
	/* Per output block, in a row of floats and as rows. */
	u32 num_along_freqs, num_across_freqs;
	bool along_factored, across_factored;
	u32 num_cols;   /* floats of a row of one frequency, in whole vectors */
	size_t stride;  /* from one such row to the next */
	float fill;     /* level of what lies outside */
	bool backwards; /* output rows end last first */
	u32 num_done;   /* output rows that are complete */

	/*
	 * Rows are held back where operations follow, or where the mean of the
	 * output decides its offset: 'mean_weight' is what the offset of DC
	 * takes from the mean amplitude.
	 */
	bool hold, hold_samples;
	float mean_weight;
	float *held; /* [num_across][8][stride] */
	size_t held_capacity;
};

struct plan {
	struct dctload_info info;
	u32 num_targets;
	struct target targets[MAX_TARGETS];
	struct axis_op axes[NUM_AXES];
	struct taps_scratch taps;
	const struct dct_kernels *kernels;
	u64 num_begun; /* images, the clock of 'axes' */
	float *blocks; /* one dequantised row of blocks */
	size_t blocks_capacity;
	u8 *extents; /* of its halves of blocks */
	size_t extents_capacity;
	struct across_group *groups;
	size_t groups_capacity;
	struct across_pair *pairs;
	size_t pairs_capacity;
	float *row; /* one output row */
	size_t row_capacity;

	/* Operations that come before emission, see plan_pixels.c. */
	u32 num_ops;
	struct dctload_op ops[DCTLOAD_MAX_OPS];
	bool use_color, transpose;
	struct dctload_color_map color;
	u32 mid_width, mid_height; /* samples, before the operations */
	u32 out_rows, out_cols;    /* blocks of luma, after them */
	u32 chroma_shift;
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

/* Steps of beginning, for both kinds of plan; see plan_begin.c. */
enum dctload_status
target_set_sources(struct plan *plan, struct target *t,
		   const struct dctload_geometry *g,
		   const struct target_spec *spec,
		   const float weights[DCTLOAD_MAX_COMPONENTS]);

void target_set_channels(struct target *t, const struct target_spec *spec);

enum dctload_status target_finish(struct plan *plan, struct target *t);

/* Have 't' kept for plan_run_pixels(). */
void target_set_pixels(struct target *t, const struct dctload_output *o, u32 c);

/* Decide whether targets that are kept hold samples or amplitudes. */
void plan_choose_form(struct plan *plan);

/* The operations, and emission. */
enum dctload_status plan_run_pixels(struct plan *plan);

u32 steps_out_size(const struct dctload_step *steps, u32 num_steps, u32 size);

enum dctload_status
plan_check(const struct dctload_info *info, const struct dctload_geometry *g);

/* Whether some positions see no sample, and that matters. */
static inline bool
target_needs_fill(const struct target *t)
{
	return t->fill != 0 && !(t->sources[0].along->covers_all &&
				 t->sources[0].across->covers_all);
}

/* Output rows in the order in which they become complete. */
static inline u32
target_row(const struct target *t, u32 k)
{
	return t->backwards ? t->num_across - 1 - k : k;
}

#endif /* DCTLOAD_PLAN_IMPL_H */
