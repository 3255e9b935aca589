/* SPDX-License-Identifier: MIT */
/*
 * header.c - markers and their segments (T.81 annex B), JFIF, EXIF and Adobe
 *
 * Every limit is checked here, once, before anything is sized by the file.
 * Where a file breaks T.81, the comment says what libjpeg does.
 */

#include "header.h"
#include "metadata.h"
#include "std_tables.h"

/* A segment's parameters: what follows its length field. */
struct segment {
	const u8 *data;
	size_t nbytes;
};

static enum dctload_status
fail_at(struct header *h, size_t offset, enum dctload_status status)
{
	h->error_offset = offset;
	return status;
}

/* Take the segment at 'pos'; it must be whole. */
static enum dctload_status
take_segment(struct header *h, struct segment *seg_ret)
{
	const size_t left = h->in_nbytes - h->pos;
	u32 nbytes;

	if (left < 2)
		return fail_at(h, h->in_nbytes, DCTLOAD_TRUNCATED);
	nbytes = load_be16(&h->in[h->pos]);
	if (nbytes < 2)
		return fail_at(h, h->pos, DCTLOAD_BAD_LENGTH);
	if (nbytes > left)
		return fail_at(h, h->in_nbytes, DCTLOAD_TRUNCATED);
	seg_ret->data = &h->in[h->pos + 2];
	seg_ret->nbytes = nbytes - 2;
	h->pos += nbytes;
	return DCTLOAD_OK;
}

/* As take_segment(), but like libjpeg takes a length of 0 or 1 for empty. */
static enum dctload_status
take_ignorable_segment(struct header *h, struct segment *seg_ret)
{
	if (h->in_nbytes - h->pos >= 2 && load_be16(&h->in[h->pos]) < 2) {
		h->info.warnings |= DCTLOAD_WARN_SEGMENT;
		seg_ret->data = &h->in[h->pos];
		seg_ret->nbytes = 0;
		h->pos += 2;
		return DCTLOAD_OK;
	}
	return take_segment(h, seg_ret);
}

static size_t
offset_of(const struct header *h, const u8 *p)
{
	return (size_t)(p - h->in);
}

/* DQT (T.81 B.2.4.1).  Zero entries pass, as in libjpeg. */
static enum dctload_status
read_dqt(struct header *h)
{
	struct segment seg;
	enum dctload_status status = take_segment(h, &seg);

	if (status != DCTLOAD_OK)
		return status;
	while (seg.nbytes != 0) {
		const u32 precision = seg.data[0] >> 4;
		const u32 slot = seg.data[0] & 15;
		const u32 entry_nbytes = precision != 0 ? 2 : 1;
		const size_t nbytes = 1 + 64 * entry_nbytes;

		if (slot >= NUM_TABLE_SLOTS)
			return fail_at(h, offset_of(h, seg.data),
				       DCTLOAD_BAD_QUANT_TABLE);
		if (seg.nbytes < nbytes)
			return fail_at(h, offset_of(h, seg.data),
				       DCTLOAD_BAD_LENGTH);
		h->quant[slot] =
			(struct quant_ref){ &seg.data[1], entry_nbytes };
		seg.data += nbytes;
		seg.nbytes -= nbytes;
	}
	return DCTLOAD_OK;
}

/*
 * DHT (T.81 B.2.4.2).  Whether the counts make a code is checked when the table
 * is used: libjpeg passes over bad tables that no scan selects.
 */
static enum dctload_status
read_dht(struct header *h)
{
	struct segment seg;
	enum dctload_status status = take_segment(h, &seg);

	if (status != DCTLOAD_OK)
		return status;
	while (seg.nbytes != 0) {
		const u32 table_class = seg.data[0] >> 4;
		const u32 slot = seg.data[0] & 15;
		u32 num_symbols = 0;
		struct huff_ref *ref;

		if (table_class > 1 || slot >= NUM_TABLE_SLOTS)
			return fail_at(h, offset_of(h, seg.data),
				       DCTLOAD_BAD_HUFFMAN_TABLE);
		if (seg.nbytes < 17)
			return fail_at(h, offset_of(h, seg.data),
				       DCTLOAD_BAD_LENGTH);
		for (u32 len = 1; len <= MAX_CODE_BITS; len++)
			num_symbols += seg.data[len];
		if (num_symbols > MAX_HUFF_SYMBOLS)
			return fail_at(h, offset_of(h, seg.data),
				       DCTLOAD_BAD_HUFFMAN_TABLE);
		if (seg.nbytes < 17 + num_symbols)
			return fail_at(h, offset_of(h, seg.data),
				       DCTLOAD_BAD_LENGTH);
		ref = table_class != 0 ? &h->ac[slot] : &h->dc[slot];
		ref->counts = &seg.data[1];
		ref->symbols = &seg.data[17];
		seg.data += 17 + num_symbols;
		seg.nbytes -= 17 + num_symbols;
	}
	return DCTLOAD_OK;
}

/*
 * DAC (T.81 B.2.4.3) means nothing to Huffman codes.  It is one flipped bit away
 * from DHT, though, so look at it as libjpeg does.
 */
static enum dctload_status
read_dac(struct header *h)
{
	struct segment seg;
	const size_t start = h->pos;
	enum dctload_status status = take_segment(h, &seg);

	if (status != DCTLOAD_OK)
		return status;
	if (seg.nbytes % 2 != 0)
		return fail_at(h, start, DCTLOAD_BAD_LENGTH);
	for (size_t i = 0; i < seg.nbytes; i += 2) {
		const u32 index = seg.data[i], value = seg.data[i + 1];

		if (index >= 32 || (index < 16 && (value & 15) > value >> 4))
			return fail_at(h, offset_of(h, &seg.data[i]),
				       DCTLOAD_BAD_MARKER);
	}
	return DCTLOAD_OK;
}

static enum dctload_status
read_dri(struct header *h)
{
	struct segment seg;
	const size_t start = h->pos;
	enum dctload_status status = take_segment(h, &seg);

	if (status != DCTLOAD_OK)
		return status;
	if (seg.nbytes != 2)
		return fail_at(h, start, DCTLOAD_BAD_LENGTH);
	h->restart_interval = load_be16(seg.data);
	return DCTLOAD_OK;
}

/* The size of every grid, and the limits on them. */
static enum dctload_status
lay_out_frame(struct header *h)
{
	struct dctload_info *const info = &h->info;
	u64 num_blocks = 0;

	if ((u64)info->width * info->height > h->limits.max_pixels)
		return DCTLOAD_TOO_MANY_PIXELS;
	info_lay_out_grids(info);
	for (u32 c = 0; c < info->num_components; c++)
		num_blocks += (u64)info->components[c].blocks_w *
			      info->components[c].blocks_h;
	if (num_blocks * BLOCK_NBYTES > h->limits.max_output_nbytes)
		return DCTLOAD_TOO_MUCH_OUTPUT;
	return DCTLOAD_OK;
}

/* SOF0, SOF1, SOF2 (T.81 B.2.2). */
static enum dctload_status
read_sof(struct header *h, bool progressive)
{
	struct dctload_info *const info = &h->info;
	struct segment seg;
	const size_t start = h->pos;
	enum dctload_status status;
	u32 num_components;

	if (h->saw_frame)
		return fail_at(h, start - 2, DCTLOAD_BAD_MARKER);
	status = take_segment(h, &seg);
	if (status != DCTLOAD_OK)
		return status;
	if (seg.nbytes < 6)
		return fail_at(h, start, DCTLOAD_BAD_LENGTH);
	num_components = seg.data[5];
	if (seg.data[0] != 8)
		return fail_at(h, start + 2, DCTLOAD_PRECISION);
	info->height = load_be16(&seg.data[1]);
	info->width = load_be16(&seg.data[3]);
	if (info->height == 0)
		return fail_at(h, start + 3, DCTLOAD_DNL);
	if (info->width == 0 || num_components == 0)
		return fail_at(h, start + 5, DCTLOAD_BAD_FRAME);
	if (num_components >
	    min_u32(h->limits.max_components, DCTLOAD_MAX_COMPONENTS))
		return fail_at(h, start + 7, DCTLOAD_TOO_MANY_COMPONENTS);
	if (seg.nbytes != 6 + 3 * num_components)
		return fail_at(h, start, DCTLOAD_BAD_LENGTH);

	info->progressive = progressive;
	info->num_components = (u8)num_components;
	for (u32 c = 0; c < num_components; c++) {
		const u8 *const p = &seg.data[6 + 3 * c];
		struct dctload_component *const comp = &info->components[c];

		comp->id = p[0];
		comp->h = p[1] >> 4;
		comp->v = p[1] & 15;
		comp->quant_index = p[2];
		if (comp->h == 0 || comp->h > MAX_SAMPLING || comp->v == 0 ||
		    comp->v > MAX_SAMPLING)
			return fail_at(h, offset_of(h, p) + 1,
				       DCTLOAD_BAD_FRAME);
		info->h_max = (u8)max_u32(info->h_max, comp->h);
		info->v_max = (u8)max_u32(info->v_max, comp->v);
	}
	h->saw_frame = true;
	status = lay_out_frame(h);
	return status == DCTLOAD_OK ? DCTLOAD_OK :
				      fail_at(h, start + 3, status);
}

/*
 * The component that the scan's next selector means, or the frame's size if it
 * means none.  They come in the frame's order (T.81 B.2.3): like libjpeg-turbo,
 * do not look before the place that as many would take.  So components that
 * share an id, which exist, are given out in turn.
 */
static u32
find_component(const struct header *h, u32 num_found, u8 id)
{
	const u32 num_components = h->info.num_components;
	u32 c = num_found;

	while (c < num_components && h->info.components[c].id != id)
		c++;
	for (u32 i = 0; i < num_found; i++)
		if (h->scan.component[i] == c)
			return num_components;
	return c;
}

enum dctload_status
header_fail_table(struct header *h, size_t offset, enum dctload_status status)
{
	if (h->junk_pos != 0)
		return fail_at(h, h->junk_pos, DCTLOAD_LOST_SEGMENT);
	return fail_at(h, offset, status);
}

/* A component's table is the one in force at its first scan, as in libjpeg. */
static enum dctload_status
latch_quant_table(struct header *h, u32 c)
{
	const u8 slot = h->info.components[c].quant_index;
	u16 *const table = h->info.qtables[c];
	const struct quant_ref *ref;

	if (h->quant_latched[c])
		return DCTLOAD_OK;
	if (slot >= NUM_TABLE_SLOTS || h->quant[slot].entries == NULL)
		return DCTLOAD_BAD_QUANT_TABLE;
	ref = &h->quant[slot];
	for (u32 k = 0; k < BLOCK_COEFS; k++)
		table[zigzag_to_natural[k]] =
			(u16)(ref->entry_nbytes == 2 ?
				      load_be16(&ref->entries[2 * k]) :
				      ref->entries[k]);
	h->quant_latched[c] = true;
	return DCTLOAD_OK;
}

/* SOS (T.81 B.2.3). */
static enum dctload_status
read_sos(struct header *h)
{
	struct scan_header *const scan = &h->scan;
	struct segment seg;
	const size_t start = h->pos;
	enum dctload_status status;
	u32 num_blocks = 0;
	u32 n;

	if (!h->saw_frame)
		return fail_at(h, start - 2, DCTLOAD_BAD_MARKER);
	if (h->info.num_scans >= h->limits.max_scans)
		return fail_at(h, start - 2, DCTLOAD_TOO_MANY_SCANS);
	status = take_segment(h, &seg);
	if (status != DCTLOAD_OK)
		return status;
	n = seg.nbytes != 0 ? seg.data[0] : 0;
	if (n == 0 || n > DCTLOAD_MAX_COMPONENTS || seg.nbytes != 4 + 2 * n)
		return fail_at(h, start, DCTLOAD_BAD_LENGTH);

	memset(scan, 0, sizeof(*scan));
	for (u32 i = 0; i < n; i++) {
		const u8 *const p = &seg.data[1 + 2 * i];
		const u32 c = find_component(h, i, p[0]);

		if (c == h->info.num_components)
			return fail_at(h, offset_of(h, p), DCTLOAD_BAD_SCAN);
		scan->component[i] = (u8)c;
		scan->dc_slot[i] = p[1] >> 4;
		scan->ac_slot[i] = p[1] & 15;
		num_blocks +=
			(u32)h->info.components[c].h * h->info.components[c].v;
		status = latch_quant_table(h, c);
		if (status != DCTLOAD_OK)
			return header_fail_table(h, offset_of(h, p), status);
	}
	if (n > 1 && num_blocks > MAX_MCU_BLOCKS)
		return fail_at(h, start + 2, DCTLOAD_BAD_SCAN);
	scan->num_components = n;
	scan->ss = seg.data[1 + 2 * n];
	scan->se = seg.data[2 + 2 * n];
	scan->ah = seg.data[3 + 2 * n] >> 4;
	scan->al = seg.data[3 + 2 * n] & 15;
	if (h->info.num_scans++ == 0)
		h->info.restart_interval = h->restart_interval;
	return DCTLOAD_OK;
}

static enum dctload_status
read_app_or_com(struct header *h, u32 marker)
{
	struct segment seg;
	enum dctload_status status = take_ignorable_segment(h, &seg);

	if (status != DCTLOAD_OK)
		return status;
	/* What comes later is too late for who reads headers, libjpeg too. */
	if (h->info.num_scans == 0)
		metadata_read(&h->info, marker, seg.data, seg.nbytes);
	return DCTLOAD_OK;
}

void
header_note_junk(struct header *h, size_t pos, size_t nbytes)
{
	h->info.warnings |= DCTLOAD_WARN_JUNK;
	if (nbytes < MIN_SOS_NBYTES)
		return;
	if (h->junk_pos == 0)
		h->junk_pos = pos;
	if (h->info.num_scans == 0)
		return;
	memset(h->dc, 0, sizeof(h->dc));
	memset(h->ac, 0, sizeof(h->ac));
	memset(h->quant, 0, sizeof(h->quant));
}

/*
 * Find the next marker; 0 at the end of the data.  Fill bytes (0xFF) before it
 * are legal (T.81 B.1.1.2), anything else is junk, which libjpeg skips too.
 */
static u32
next_marker(struct header *h)
{
	const u8 *const in = h->in;
	size_t pos = h->pos;
	size_t junk_end = pos;

	for (;;) {
		while (pos < h->in_nbytes && in[pos] != 0xFF)
			junk_end = ++pos;
		while (pos < h->in_nbytes && in[pos] == 0xFF)
			pos++;
		if (pos >= h->in_nbytes)
			break;
		if (in[pos] != 0)
			break;
		junk_end = ++pos; /* a stuffed zero: no marker */
	}
	if (junk_end != h->pos)
		header_note_junk(h, h->pos, junk_end - h->pos);
	h->pos = pos;
	return pos < h->in_nbytes ? in[h->pos++] : 0;
}

static enum dctload_status
unsupported_frame(struct header *h, u32 marker)
{
	enum dctload_status status = DCTLOAD_ARITHMETIC;

	if (marker == MARKER_SOF3)
		status = DCTLOAD_LOSSLESS;
	else if (marker >= MARKER_SOF5 && marker <= MARKER_SOF7)
		status = DCTLOAD_HIERARCHICAL;
	return fail_at(h, h->pos - 2, status);
}

/* Read the segment of 'marker', which is not SOS, EOI or without parameters. */
static enum dctload_status
read_segment(struct header *h, u32 marker)
{
	struct segment seg;

	switch (marker) {
	case MARKER_SOF0:
	case MARKER_SOF1:
		return read_sof(h, false);
	case MARKER_SOF2:
		return read_sof(h, true);
	case MARKER_DHT:
		return read_dht(h);
	case MARKER_DQT:
		return read_dqt(h);
	case MARKER_DRI:
		return read_dri(h);
	case MARKER_DAC:
		return read_dac(h);
	case MARKER_DNL:
		return take_ignorable_segment(h, &seg);
	case MARKER_DHP:
	case MARKER_EXP:
		return fail_at(h, h->pos - 2, DCTLOAD_HIERARCHICAL);
	default:
		break;
	}
	if (marker >= MARKER_SOF3 && marker <= MARKER_SOF15 &&
	    marker != MARKER_JPG)
		return unsupported_frame(h, marker);
	if ((marker >= MARKER_APP0 && marker <= MARKER_APP15) ||
	    marker == MARKER_COM)
		return read_app_or_com(h, marker);
	return fail_at(h, h->pos - 2, DCTLOAD_BAD_MARKER);
}

enum dctload_status
header_begin(struct header *h, const u8 *in, size_t in_nbytes,
	     const struct dctload_limits *limits)
{
	memset(h, 0, sizeof(*h));
	h->in = in;
	h->in_nbytes = in_nbytes;
	h->limits = limits_in_force(limits);
	h->info.orientation = 1;
	h->info.adobe_transform = -1;
	if (in_nbytes > h->limits.max_file_nbytes)
		return fail_at(h, (size_t)h->limits.max_file_nbytes,
			       DCTLOAD_FILE_TOO_LARGE);
	if (in_nbytes < 2 || in[0] != 0xFF || in[1] != MARKER_SOI)
		return fail_at(h, 0, DCTLOAD_NOT_JPEG);
	h->pos = 2;
	return DCTLOAD_OK;
}

/*
 * Camera streams leave out the tables of T.81 K.3.  As in libjpeg they stand in
 * for slots 0 and 1 of a sequential file if nothing is there at the first scan,
 * and nothing in it may have been tables that were not left out.
 */
static void
default_tables(struct header *h)
{
	static const struct huff_spec *const dc[2] = { &huff_std_dc_luma,
						       &huff_std_dc_chroma };
	static const struct huff_spec *const ac[2] = { &huff_std_ac_luma,
						       &huff_std_ac_chroma };

	for (u32 slot = 0; slot < 2; slot++) {
		if (h->dc[slot].counts == NULL)
			h->dc[slot] = (struct huff_ref){ dc[slot]->counts,
							 dc[slot]->symbols };
		if (h->ac[slot].counts == NULL)
			h->ac[slot] = (struct huff_ref){ ac[slot]->counts,
							 ac[slot]->symbols };
	}
}

enum dctload_status
header_next(struct header *h, enum header_event *event_ret)
{
	for (;;) {
		const u32 marker = next_marker(h);
		enum dctload_status status;

		if (marker == 0) {
			*event_ret = HEADER_END_OF_DATA;
			return DCTLOAD_OK;
		}
		if (marker == MARKER_EOI) {
			*event_ret = HEADER_EOI;
			return DCTLOAD_OK;
		}
		if (marker == MARKER_TEM ||
		    (marker >= MARKER_RST0 && marker <= MARKER_RST7))
			continue;
		if (marker != MARKER_SOS) {
			status = read_segment(h, marker);
			if (status != DCTLOAD_OK)
				return status;
			continue;
		}
		status = read_sos(h);
		if (status != DCTLOAD_OK)
			return status;
		h->info.color = (u8)metadata_guess_color(&h->info);
		if (!h->info.progressive && h->info.num_scans == 1 &&
		    h->junk_pos == 0)
			default_tables(h);
		*event_ret = HEADER_SCAN;
		return DCTLOAD_OK;
	}
}

void
dctload_default_limits(struct dctload_limits *limits_ret)
{
	limits_ret->max_pixels = 178956970; /* Pillow's bomb limit, doubled */
	limits_ret->max_output_nbytes = (u64)2 << 30;
	limits_ret->max_file_nbytes = (u64)2 << 30;
	limits_ret->max_components = DCTLOAD_MAX_COMPONENTS;
	limits_ret->max_scans = 500;
}

enum dctload_status
header_finish_info(struct header *h, enum dctload_status status,
		   enum header_event event, struct dctload_info *info_ret,
		   size_t *error_offset_ret)
{
	if (status == DCTLOAD_OK && event == HEADER_END_OF_DATA)
		status = fail_at(h, h->in_nbytes, DCTLOAD_TRUNCATED);
	if (status == DCTLOAD_OK && event == HEADER_EOI)
		status = fail_at(h, h->pos - 2, DCTLOAD_NO_SCAN);
	h->info.num_scans = 0;
	*info_ret = h->info;
	if (error_offset_ret != NULL)
		*error_offset_ret = h->error_offset;
	return status;
}

enum dctload_status
dctload_read_info(const u8 *in, size_t in_nbytes,
		  const struct dctload_limits *limits,
		  struct dctload_info *info_ret, size_t *error_offset_ret)
{
	struct header h;
	enum header_event event = HEADER_SCAN;
	enum dctload_status status = header_begin(&h, in, in_nbytes, limits);

	if (status == DCTLOAD_OK)
		status = header_next(&h, &event);
	return header_finish_info(&h, status, event, info_ret,
				  error_offset_ret);
}
