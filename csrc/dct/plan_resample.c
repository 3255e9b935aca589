/* SPDX-License-Identifier: MIT */
/* plan_resample.c - beginning a plan that only resamples */

#include "plan_impl.h"

/* All frequencies of one component, block after block. */
static void
target_set_blocks(struct target *t, const struct target_spec *spec, float *out)
{
	struct emission *const e = &t->emit;
	const size_t along = ceil_div_u32(spec->out_along, 8);
	const size_t across = ceil_div_u32(spec->out_across, 8);

	e->dtype = DCTLOAD_F32;
	e->channel_stride = 1;
	e->row_stride = spec->transpose ? BLOCK_COEFS : along * BLOCK_COEFS;
	e->col_stride = spec->transpose ? across * BLOCK_COEFS : BLOCK_COEFS;
	e->out = (u8 *)out;
	for (u32 k = 0; k < BLOCK_COEFS; k++) {
		e->scale[k] = 1;
		e->offset[k] = 0;
	}
	e->num_cols = t->num_along = (u32)along;
	t->num_across = (u32)across;
}

enum dctload_status
plan_begin_resample(struct plan *plan, const struct dctload_info *info,
		    const struct dctload_geometry *g,
		    float *const out[DCTLOAD_MAX_COMPONENTS])
{
	enum dctload_status status = plan_check(info, g);
	const bool tr = g->transpose != 0;
	u8 all[BLOCK_COEFS];
	u32 along, across;

	plan->num_targets = 0;
	plan->num_ops = 0;
	plan->in_tiles = false;
	if (status != DCTLOAD_OK)
		return status;
	plan->info = *info;
	plan->num_begun++;
	plan->prefetch = plan->bypass_cache = false;
	plan->kernels = dct_kernels();
	for (u8 k = 0; k < BLOCK_COEFS; k++)
		all[k] = k;
	along = steps_out_size(tr ? g->y : g->x, tr ? g->num_y : g->num_x,
			       info->width);
	across = steps_out_size(tr ? g->x : g->y, tr ? g->num_x : g->num_y,
				info->height);
	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *const comp =
			&info->components[c];
		struct target *const t = &plan->targets[c];
		float weights[DCTLOAD_MAX_COMPONENTS] = { 0 };
		struct target_spec spec = {
			.along = { comp->h, info->h_max },
			.across = { comp->v, info->v_max },
			.num_freqs = BLOCK_COEFS,
			.freqs = all,
			.transpose = tr,
			.one_source = true,
		};

		spec.out_along = ratio_size(along, spec.along);
		spec.out_across = ratio_size(across, spec.across);
		weights[c] = 1;
		t->fill = g->fill[c];
		t->mean_weight = 0;
		target_set_blocks(t, &spec, out[c]);
		status = target_set_sources(plan, t, g, &spec, weights);
		if (status == DCTLOAD_OK) {
			target_set_channels(t, &spec);
			status = target_finish(plan, t);
		}
		if (status != DCTLOAD_OK)
			return status;
	}
	plan->num_targets = info->num_components;
	return DCTLOAD_OK;
}
