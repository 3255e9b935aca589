/* SPDX-License-Identifier: MIT */
/* oracle.c - what libjpeg reads from a file, for tests only */

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "oracle.h"

struct reader {
	struct jpeg_decompress_struct cinfo;
	struct jpeg_error_mgr err;
	struct jpeg_progress_mgr progress;
	jmp_buf escape;
	struct oracle *o;
	uint32_t max_scans;
};

static void
on_error(j_common_ptr cinfo)
{
	struct reader *r = cinfo->client_data;

	r->err.format_message(cinfo, r->o->error);
	longjmp(r->escape, 1);
}

/* Level -1 is a warning; what is above are traces. */
static void
on_message(j_common_ptr cinfo, int level)
{
	struct reader *r = cinfo->client_data;

	if (level >= 0)
		return;
	if (r->o->num_warnings < ORACLE_MAX_WARNINGS) {
		r->err.format_message(cinfo,
				      r->o->warnings[r->o->num_warnings]);
	}
	r->o->num_warnings++;
}

/* libjpeg has no limit on scans; its documentation says to do this. */
static void
on_progress(j_common_ptr cinfo)
{
	struct reader *r = cinfo->client_data;

	if (r->max_scans != 0 &&
	    (uint32_t)r->cinfo.input_scan_number > r->max_scans) {
		strcpy(r->o->error, "too many scans for this test");
		longjmp(r->escape, 1);
	}
}

static void
begin(struct reader *r, const uint8_t *in, size_t in_nbytes)
{
	r->cinfo.err = jpeg_std_error(&r->err);
	r->cinfo.client_data = r;
	r->err.error_exit = on_error;
	r->err.emit_message = on_message;
	jpeg_CreateDecompress(&r->cinfo, JPEG_LIB_VERSION, sizeof(r->cinfo));
	r->cinfo.client_data = r;
	r->progress.progress_monitor = on_progress;
	r->cinfo.progress = &r->progress;
	jpeg_mem_src(&r->cinfo, in, in_nbytes);
	jpeg_read_header(&r->cinfo, TRUE);
}

static void
take_header(struct reader *r, struct oracle *o)
{
	const struct jpeg_decompress_struct *cinfo = &r->cinfo;

	o->width = cinfo->image_width;
	o->height = cinfo->image_height;
	o->num_components = (uint32_t)cinfo->num_components;
	o->progressive = (uint8_t)cinfo->progressive_mode;
	o->saw_jfif = (uint8_t)cinfo->saw_JFIF_marker;
	o->color = (uint8_t)cinfo->jpeg_color_space;
	o->adobe_transform =
		cinfo->saw_Adobe_marker ? cinfo->Adobe_transform : -1;
}

/* Copy the grid out of libjpeg's array, row by row. */
static void
take_component(struct reader *r, jvirt_barray_ptr array, int c,
	       struct oracle_component *out)
{
	const jpeg_component_info *comp = &r->cinfo.comp_info[c];
	const size_t row_ncoefs = (size_t)comp->width_in_blocks * 64;

	out->blocks_w = comp->width_in_blocks;
	out->blocks_h = comp->height_in_blocks;
	out->id = (uint8_t)comp->component_id;
	out->h = (uint8_t)comp->h_samp_factor;
	out->v = (uint8_t)comp->v_samp_factor;
	out->quant_index = (uint8_t)comp->quant_tbl_no;
	if (comp->quant_table != NULL) {
		out->has_qtable = 1;
		for (int i = 0; i < 64; i++)
			out->qtable[i] = comp->quant_table->quantval[i];
	}
	out->coefs = malloc(row_ncoefs * out->blocks_h * sizeof(int16_t));
	if (out->coefs == NULL)
		longjmp(r->escape, 1);
	for (uint32_t y = 0; y < out->blocks_h; y++) {
		JBLOCKARRAY rows = r->cinfo.mem->access_virt_barray(
			(j_common_ptr)&r->cinfo, array, y, 1, FALSE);

		memcpy(out->coefs + y * row_ncoefs, rows[0],
		       row_ncoefs * sizeof(int16_t));
	}
}

void
oracle_read(const uint8_t *in, size_t in_nbytes, uint64_t max_pixels,
	    uint32_t max_scans, struct oracle *o)
{
	struct reader r = { .o = o, .max_scans = max_scans };
	jvirt_barray_ptr *arrays;

	memset(o, 0, sizeof(*o));
	o->adobe_transform = -1;
	if (setjmp(r.escape)) {
		if (o->error[0] == '\0')
			strcpy(o->error, "no memory");
		jpeg_destroy_decompress(&r.cinfo);
		return;
	}
	begin(&r, in, in_nbytes);
	take_header(&r, o);
	if (max_pixels != 0 && (uint64_t)o->width * o->height > max_pixels) {
		strcpy(o->error, "too many pixels for this test");
		jpeg_destroy_decompress(&r.cinfo);
		return;
	}
	arrays = jpeg_read_coefficients(&r.cinfo);
	o->num_scans = (uint32_t)r.cinfo.input_scan_number;
	for (int c = 0; c < r.cinfo.num_components; c++)
		take_component(&r, arrays[c], c, &o->components[c]);
	jpeg_finish_decompress(&r.cinfo);
	jpeg_destroy_decompress(&r.cinfo);
}

void
oracle_free(struct oracle *o)
{
	for (int c = 0; c < ORACLE_MAX_COMPONENTS; c++)
		free(o->components[c].coefs);
	memset(o, 0, sizeof(*o));
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *
oracle_version(void)
{
#ifdef LIBJPEG_TURBO_VERSION
	return "libjpeg-turbo " TEXT(LIBJPEG_TURBO_VERSION);
#else
	return "libjpeg " TEXT(JPEG_LIB_VERSION);
#endif
}
