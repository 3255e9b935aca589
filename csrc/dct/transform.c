/* SPDX-License-Identifier: MIT */
/* transform.c - the public calls from whole planes to tensors */

#include "../jpeg/window.h"
#include "emit.h"
#include "plan.h"

void
dctload_output_nbytes(const struct dctload_output *output, size_t nbytes_ret[2])
{
	const size_t blocks =
		(size_t)(output->width / 8) * (output->height / 8);
	const size_t luma = output->num_freqs[0];
	const size_t chroma =
		(size_t)output->num_freqs[1] + output->num_freqs[2];
	const size_t nbytes =
		output->dtype <= DCTLOAD_I8 ? dtype_nbytes(output->dtype) : 0;

	if (output->layout == DCTLOAD_PLANES) {
		nbytes_ret[0] = nbytes * blocks * luma;
		nbytes_ret[1] =
			nbytes * chroma *
			((size_t)(output->width / 16) * (output->height / 16));
	} else {
		nbytes_ret[0] = nbytes * blocks * (luma + chroma);
		nbytes_ret[1] = 0;
	}
}

/* All rows of whole planes. */
static enum dctload_status
run_planes(struct plan *plan, const struct dctload_info *info,
	   const s16 *const planes[DCTLOAD_MAX_COMPONENTS])
{
	const struct mcu_window all = window_of_all(info);
	struct block_grid grid = { .first_col = { 0 } };

	for (u32 c = 0; c < info->num_components; c++) {
		grid.blocks[c] = planes[c];
		grid.stride[c] = info->components[c].blocks_w;
	}
	return plan_run(plan, &all, &grid, false);
}

enum dctload_status
dctload_transform(struct dctload_decoder *d, const struct dctload_info *info,
		  const int16_t *const planes[DCTLOAD_MAX_COMPONENTS],
		  const struct dctload_geometry *geometry,
		  const struct dctload_output *output, void *const out[2])
{
	struct plan *const plan = plan_take(decoder_plans(d));
	enum dctload_status status = DCTLOAD_NO_MEMORY;

	if (plan != NULL)
		status = plan_begin(plan, info, geometry, output, out);
	if (status == DCTLOAD_OK)
		status = run_planes(plan, info, planes);
	plan_give(decoder_plans(d), plan);
	return status;
}

enum dctload_status
dctload_resample(struct dctload_decoder *d, const struct dctload_info *info,
		 const int16_t *const planes[DCTLOAD_MAX_COMPONENTS],
		 const struct dctload_geometry *geometry,
		 float *const out[DCTLOAD_MAX_COMPONENTS])
{
	struct plan *const plan = plan_take(decoder_plans(d));
	enum dctload_status status = DCTLOAD_NO_MEMORY;

	if (plan != NULL)
		status = plan_begin_resample(plan, info, geometry, out);
	if (status == DCTLOAD_OK)
		status = run_planes(plan, info, planes);
	plan_give(decoder_plans(d), plan);
	return status;
}
