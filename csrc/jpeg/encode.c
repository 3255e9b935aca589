/* SPDX-License-Identifier: MIT */
/*
 * encode.c - coefficients to a baseline JPEG
 *
 * One walk over the blocks serves both passes: with 'counting' set it gathers
 * symbol counts for the optimised tables, without it writes bits.
 */

#include "encode_tables.h"
#include "markers.h"
#include "std_tables.h"

#define MAX_DC_NBITS 11 /* T.81 F.1.2.1.2, at 8 bits a sample */
#define MAX_AC_NBITS 10

#define NUM_TABLES 4 /* DC 0, DC 1, AC 0, AC 1 */
#define AC_TABLES 2

/*
 * Output.  Bytes past 'capacity' are counted, not stored.
 *
 *   bits, nbits   bits not yet written, the next to go is the highest of the
 *                 low 'nbits'; fewer than 8 between two calls
 */
struct writer {
	u8 *out;
	size_t capacity, nbytes;
	u64 bits;
	u32 nbits;
};

/* A scan: components that are interleaved, or a single one. */
struct scan {
	u32 num_components;
	u32 first; /* index of its first component */
};

struct encoder {
	const struct dctload_info *info;
	const s16 *const *planes;
	u32 h_max, v_max;
	u32 table[DCTLOAD_MAX_COMPONENTS]; /* 0 luma, 1 chroma */
	u32 id[DCTLOAD_MAX_COMPONENTS];
	u32 quant_slot[DCTLOAD_MAX_COMPONENTS];
	s32 dc_pred[DCTLOAD_MAX_COMPONENTS];
	bool counting;
	u64 count[NUM_TABLES][HUFF_NUM_SYMBOLS + 1];
	struct huff_spec specs[NUM_TABLES];
	struct huff_codes codes[NUM_TABLES];
	struct writer w;
};

/* ---- bytes and bits ---------------------------------------------------- */

static void
put_u8(struct writer *w, u32 v)
{
	if (w->nbytes < w->capacity)
		w->out[w->nbytes] = (u8)v;
	w->nbytes++;
}

static void
put_be16(struct writer *w, u32 v)
{
	put_u8(w, v >> 8);
	put_u8(w, v & 0xFF);
}

static void
put_bytes(struct writer *w, const void *bytes, size_t nbytes)
{
	const u8 *p = bytes;

	while (nbytes--)
		put_u8(w, *p++);
}

/* Begin a segment whose parameters take 'nbytes'. */
static void
put_segment(struct writer *w, u32 marker, u32 nbytes)
{
	put_u8(w, 0xFF);
	put_u8(w, marker);
	put_be16(w, nbytes + 2);
}

static void
put_bits(struct writer *w, u32 bits, u32 nbits)
{
	w->bits = w->bits << nbits | bits;
	w->nbits += nbits;
	while (w->nbits >= 8) {
		const u32 byte = w->bits >> (w->nbits - 8) & 0xFF;

		put_u8(w, byte);
		if (byte == 0xFF)
			put_u8(w, 0x00);
		w->nbits -= 8;
	}
}

/* Fill the last byte of a scan with ones (T.81 F.1.2.3). */
static void
flush_bits(struct writer *w)
{
	put_bits(w, 0x7F, 7);
	w->nbits = 0;
}

/* ---- entropy coding ---------------------------------------------------- */

/* Send or count a symbol and the 'nbits' low bits of 'extra'. */
static void
put_symbol(struct encoder *e, u32 table, u32 symbol, s32 extra, u32 nbits)
{
	const struct huff_codes *codes = &e->codes[table];

	if (e->counting) {
		e->count[table][symbol]++;
		return;
	}
	put_bits(&e->w, codes->code[symbol], codes->nbits[symbol]);
	put_bits(&e->w, (u32)extra & ((1u << nbits) - 1), nbits);
}

static u32
magnitude_nbits(s32 v)
{
	const u32 magnitude = (u32)(v < 0 ? -v : v);

	return magnitude ? 32 - (u32)__builtin_clz(magnitude) : 0;
}

/* T.81 F.1.2.1: negative values are sent as their ones' complement. */
static s32
extra_bits(s32 v)
{
	return v < 0 ? v - 1 : v;
}

static enum dctload_status
encode_dc(struct encoder *e, u32 c, s32 dc)
{
	const s32 diff = dc - e->dc_pred[c];
	const u32 nbits = magnitude_nbits(diff);

	if (nbits > MAX_DC_NBITS)
		return DCTLOAD_BAD_COEFFICIENT;
	put_symbol(e, e->table[c], nbits, extra_bits(diff), nbits);
	e->dc_pred[c] = dc;
	return DCTLOAD_OK;
}

static enum dctload_status
encode_block(struct encoder *e, u32 c, const s16 block[BLOCK_COEFS])
{
	const u32 table = AC_TABLES + e->table[c];
	const enum dctload_status status = encode_dc(e, c, block[0]);
	u32 run = 0;

	if (status != DCTLOAD_OK)
		return status;
	for (u32 k = 1; k < BLOCK_COEFS; k++) {
		const s32 v = block[zigzag_to_natural[k]];
		const u32 nbits = magnitude_nbits(v);

		if (v == 0) {
			run++;
			continue;
		}
		if (nbits > MAX_AC_NBITS)
			return DCTLOAD_BAD_COEFFICIENT;
		for (; run >= 16; run -= 16)
			put_symbol(e, table, 0xF0, 0, 0);
		put_symbol(e, table, run << 4 | nbits, extra_bits(v), nbits);
		run = 0;
	}
	if (run > 0)
		put_symbol(e, table, 0x00, 0, 0);
	return DCTLOAD_OK;
}

/* A block that fills up an MCU past the grid's edge: in the fewest bits. */
static void
encode_padding(struct encoder *e, u32 c)
{
	put_symbol(e, e->table[c], 0, 0, 0);
	put_symbol(e, AC_TABLES + e->table[c], 0x00, 0, 0);
}

/* The 'h' by 'v' blocks of component 'c' whose first is at (x0, y0). */
static enum dctload_status
encode_blocks(struct encoder *e, u32 c, u32 x0, u32 y0, u32 h, u32 v)
{
	const struct dctload_component *comp = &e->info->components[c];
	enum dctload_status status;

	for (u32 y = y0; y < y0 + v; y++) {
		for (u32 x = x0; x < x0 + h; x++) {
			const size_t i = (size_t)y * comp->blocks_w + x;

			if (x >= comp->blocks_w || y >= comp->blocks_h) {
				encode_padding(e, c);
				continue;
			}
			status = encode_block(e, c,
					      e->planes[c] + i * BLOCK_COEFS);
			if (status != DCTLOAD_OK)
				return status;
		}
	}
	return DCTLOAD_OK;
}

/* Alone in its scan, a component has MCUs of one block (T.81 A.2.2). */
static enum dctload_status
encode_mcu(struct encoder *e, const struct scan *scan, u32 x, u32 y)
{
	if (scan->num_components == 1)
		return encode_blocks(e, scan->first, x, y, 1, 1);

	for (u32 c = 0; c < scan->num_components; c++) {
		const u32 h = e->info->components[c].h;
		const u32 v = e->info->components[c].v;
		const enum dctload_status status =
			encode_blocks(e, c, x * h, y * v, h, v);

		if (status != DCTLOAD_OK)
			return status;
	}
	return DCTLOAD_OK;
}

static enum dctload_status
encode_scan(struct encoder *e, const struct scan *scan)
{
	const struct dctload_info *info = e->info;
	const struct dctload_component *comp = &info->components[scan->first];
	u32 mcus_w = ceil_div_u32(info->width, 8 * e->h_max);
	u32 mcus_h = ceil_div_u32(info->height, 8 * e->v_max);

	if (scan->num_components == 1) {
		mcus_w = comp->blocks_w;
		mcus_h = comp->blocks_h;
	}
	memset(e->dc_pred, 0, sizeof(e->dc_pred));
	for (u32 y = 0; y < mcus_h; y++) {
		for (u32 x = 0; x < mcus_w; x++) {
			const enum dctload_status status =
				encode_mcu(e, scan, x, y);

			if (status != DCTLOAD_OK)
				return status;
		}
	}
	return DCTLOAD_OK;
}

/* ---- segments ---------------------------------------------------------- */

static void
put_jfif(struct writer *w)
{
	static const u8 version_units_density_thumbnail[] = { 1, 1, 0, 0, 1,
							      0, 1, 0, 0 };

	put_segment(w, MARKER_APP0, 14);
	put_bytes(w, "JFIF", 5);
	put_bytes(w, version_units_density_thumbnail, 9);
}

/* EXIF with one entry: tag 0x0112, a short. */
static void
put_orientation(struct writer *w, u32 orientation)
{
	static const u8 before[] = { 'M', 'M',  0,    42, 0, 0, 0, 8, 0,
				     1,   0x01, 0x12, 0,  3, 0, 0, 0, 1 };

	put_segment(w, MARKER_APP1, 6 + 26);
	put_bytes(w, "Exif\0", 6);
	put_bytes(w, before, sizeof(before));
	put_be16(w, orientation);
	put_be16(w, 0); /* the value's other half */
	put_be16(w, 0); /* no further directory */
	put_be16(w, 0);
}

static void
put_adobe(struct writer *w, u32 transform)
{
	put_segment(w, MARKER_APP14, 12);
	put_bytes(w, "Adobe", 5);
	put_be16(w, 100); /* version, then two words of flags */
	put_be16(w, 0);
	put_be16(w, 0);
	put_u8(w, transform);
}

/*
 * What libjpeg goes by: JFIF says YCbCr (or grey), Adobe's transform tells RGB
 * and YCCK.  CMYK needs no marker; its presence tells some readers that the
 * inks are inverted, so it is kept as it was.
 */
static void
put_color(struct writer *w, const struct dctload_info *info)
{
	switch (info->color) {
	case DCTLOAD_GRAY:
	case DCTLOAD_YCBCR:
		put_jfif(w);
		break;
	case DCTLOAD_RGB:
		put_adobe(w, 0);
		break;
	case DCTLOAD_CMYK:
		if (info->adobe_transform >= 0)
			put_adobe(w, 0);
		break;
	case DCTLOAD_YCCK:
		put_adobe(w, 2);
		break;
	default:
		break;
	}
}

static bool
needs_16_bits(const u16 qtable[BLOCK_COEFS])
{
	for (u32 i = 0; i < BLOCK_COEFS; i++)
		if (qtable[i] > 0xFF)
			return true;
	return false;
}

static void
put_qtable(struct writer *w, u32 slot, const u16 qtable[BLOCK_COEFS])
{
	const bool wide = needs_16_bits(qtable);

	put_segment(w, MARKER_DQT, 1 + (wide ? 2 : 1) * BLOCK_COEFS);
	put_u8(w, (u32)wide << 4 | slot);
	for (u32 k = 0; k < BLOCK_COEFS; k++) {
		const u32 q = qtable[zigzag_to_natural[k]];

		if (wide)
			put_be16(w, q);
		else
			put_u8(w, q);
	}
}

/* A slot for each different table: that of the first component to use it. */
static void
put_qtables(struct encoder *e)
{
	for (u32 c = 0; c < e->info->num_components; c++) {
		const u16 *qtable = e->info->qtables[c];
		u32 slot = 0;

		while (memcmp(qtable, e->info->qtables[slot],
			      sizeof(e->info->qtables[0])) != 0)
			slot++;
		e->quant_slot[c] = slot;
		if (slot == c)
			put_qtable(&e->w, slot, qtable);
	}
}

static void
put_frame(struct encoder *e)
{
	const struct dctload_info *info = e->info;
	u32 marker = MARKER_SOF0;

	for (u32 c = 0; c < info->num_components; c++)
		if (needs_16_bits(info->qtables[c]))
			marker = MARKER_SOF1;
	put_segment(&e->w, marker, 6 + 3u * info->num_components);
	put_u8(&e->w, 8);
	put_be16(&e->w, info->height);
	put_be16(&e->w, info->width);
	put_u8(&e->w, info->num_components);
	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *comp = &info->components[c];

		put_u8(&e->w, e->id[c]);
		put_u8(&e->w, (u32)comp->h << 4 | comp->v);
		put_u8(&e->w, e->quant_slot[c]);
	}
}

static void
put_huff_tables(struct encoder *e)
{
	for (u32 t = 0; t < NUM_TABLES; t++) {
		const struct huff_spec *spec = &e->specs[t];
		u32 num_symbols = 0;

		for (u32 i = 0; i < HUFF_MAX_NBITS; i++)
			num_symbols += spec->counts[i];
		if (num_symbols == 0)
			continue;
		put_segment(&e->w, MARKER_DHT, 17 + num_symbols);
		put_u8(&e->w, t < AC_TABLES ? t : 0x10 | (t - AC_TABLES));
		put_bytes(&e->w, spec->counts, sizeof(spec->counts));
		put_bytes(&e->w, spec->symbols, num_symbols);
	}
}

static void
put_scan_header(struct encoder *e, const struct scan *scan)
{
	struct writer *w = &e->w;

	put_segment(w, MARKER_SOS, 4 + 2 * scan->num_components);
	put_u8(w, scan->num_components);
	for (u32 i = 0; i < scan->num_components; i++) {
		const u32 c = scan->first + i;

		put_u8(w, e->id[c]);
		put_u8(w, e->table[c] << 4 | e->table[c]);
	}
	put_u8(w, 0);
	put_u8(w, 63);
	put_u8(w, 0);
}

/* ---- the whole file ---------------------------------------------------- */

static bool
color_fits(const struct dctload_info *info)
{
	switch (info->color) {
	case DCTLOAD_GRAY:
		return info->num_components == 1;
	case DCTLOAD_YCBCR:
	case DCTLOAD_RGB:
		return info->num_components == 3;
	case DCTLOAD_CMYK:
	case DCTLOAD_YCCK:
		return info->num_components == 4;
	default:
		return info->num_components == 2;
	}
}

static bool
grid_fits(const struct encoder *e, const struct dctload_component *comp)
{
	const u32 width = e->info->width * comp->h;
	const u32 height = e->info->height * comp->v;

	return comp->blocks_w == ceil_div_u32(width, 8 * e->h_max) &&
	       comp->blocks_h == ceil_div_u32(height, 8 * e->v_max);
}

/* Keep the components' ids, unless scans could not tell them apart. */
static void
choose_ids(struct encoder *e)
{
	const struct dctload_info *info = e->info;
	bool distinct = true;

	for (u32 c = 0; c < info->num_components; c++)
		for (u32 i = 0; i < c; i++)
			if (info->components[i].id == info->components[c].id)
				distinct = false;
	for (u32 c = 0; c < info->num_components; c++)
		e->id[c] = distinct ? info->components[c].id : c + 1;
}

/* Refuse an 'info' that no file can have. */
static bool
init_encoder(struct encoder *e, const struct dctload_info *info)
{
	const bool has_chroma =
		info->color == DCTLOAD_YCBCR || info->color == DCTLOAD_YCCK;

	if (info->num_components < 1 ||
	    info->num_components > DCTLOAD_MAX_COMPONENTS ||
	    info->width - 1 >= 0xFFFF || info->height - 1 >= 0xFFFF ||
	    info->orientation < 1 || info->orientation > 8 || !color_fits(info))
		return false;
	e->info = info;
	for (u32 c = 0; c < info->num_components; c++) {
		const struct dctload_component *comp = &info->components[c];

		if (comp->h - 1u > 3 || comp->v - 1u > 3)
			return false;
		e->h_max = max_u32(e->h_max, comp->h);
		e->v_max = max_u32(e->v_max, comp->v);
		e->table[c] = has_chroma && (c == 1 || c == 2);
	}
	for (u32 c = 0; c < info->num_components; c++)
		if (!grid_fits(e, &info->components[c]))
			return false;
	choose_ids(e);
	return true;
}

/* One interleaved scan if an MCU may hold that many blocks, else one each. */
static u32
plan_scans(const struct dctload_info *info,
	   struct scan scans[DCTLOAD_MAX_COMPONENTS])
{
	u32 mcu_blocks = 0;

	for (u32 c = 0; c < info->num_components; c++) {
		scans[c] = (struct scan){ .num_components = 1, .first = c };
		mcu_blocks +=
			(u32)info->components[c].h * info->components[c].v;
	}
	if (mcu_blocks > MAX_MCU_BLOCKS)
		return info->num_components;
	scans[0].num_components = info->num_components;
	return 1;
}

static enum dctload_status
optimize_tables(struct encoder *e, const struct scan *scans, u32 num_scans)
{
	e->counting = true;
	for (u32 i = 0; i < num_scans; i++) {
		const enum dctload_status status = encode_scan(e, &scans[i]);

		if (status != DCTLOAD_OK)
			return status;
	}
	e->counting = false;
	for (u32 t = 0; t < NUM_TABLES; t++)
		huff_make_optimal(e->count[t], &e->specs[t]);
	return DCTLOAD_OK;
}

static void
use_std_tables(struct encoder *e)
{
	e->specs[0] = huff_std_dc_luma;
	e->specs[AC_TABLES] = huff_std_ac_luma;
	for (u32 c = 0; c < e->info->num_components; c++) {
		if (e->table[c] == 1) {
			e->specs[1] = huff_std_dc_chroma;
			e->specs[AC_TABLES + 1] = huff_std_ac_chroma;
		}
	}
}

enum dctload_status
dctload_encode(const struct dctload_info *info,
	       const s16 *const planes[DCTLOAD_MAX_COMPONENTS], int optimize,
	       u8 *out, size_t out_capacity, size_t *out_nbytes_ret)
{
	struct encoder e = {
		.planes = planes,
		.w = { .out = out, .capacity = out_capacity },
	};
	struct scan scans[DCTLOAD_MAX_COMPONENTS];
	enum dctload_status status;
	u32 num_scans;

	if (!init_encoder(&e, info))
		return DCTLOAD_BAD_ARGUMENT;
	num_scans = plan_scans(info, scans);
	if (optimize) {
		status = optimize_tables(&e, scans, num_scans);
		if (status != DCTLOAD_OK)
			return status;
	} else {
		use_std_tables(&e);
	}
	for (u32 t = 0; t < NUM_TABLES; t++)
		huff_make_codes(&e.specs[t], &e.codes[t]);

	put_be16(&e.w, 0xFF00 | MARKER_SOI);
	put_color(&e.w, info);
	if (info->orientation != 1)
		put_orientation(&e.w, info->orientation);
	put_qtables(&e);
	put_frame(&e);
	put_huff_tables(&e);
	for (u32 i = 0; i < num_scans; i++) {
		put_scan_header(&e, &scans[i]);
		status = encode_scan(&e, &scans[i]);
		if (status != DCTLOAD_OK)
			return status;
		flush_bits(&e.w);
	}
	put_be16(&e.w, 0xFF00 | MARKER_EOI);
	*out_nbytes_ret = e.w.nbytes;
	return DCTLOAD_OK;
}
