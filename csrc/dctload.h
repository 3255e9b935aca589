/* SPDX-License-Identifier: MIT */
/*
 * dctload.h - the one public header of the C core
 *
 * JPEG bytes go in, quantised DCT coefficients or model-ready tensors come out.
 * The input is never decoded to pixels: there is no IDCT of it, no chroma
 * upsampling and no colour conversion in this library.
 *
 *   dctload_read_info()   the header of one file: sizes, grids, tables
 *   dctload_decode()      one file, or a region of it, to coefficients
 *   dctload_transform()   coefficients to a tensor: crop, resample, flip, select
 *                         frequencies, scale and cast, all in the DCT domain
 *   dctload_encode()      coefficients to a baseline file
 *   dctload_submit_*()    the same for many files on many threads
 *
 * Conventions, the same everywhere:
 *
 *   block         64 int16 in natural order: coefficient (v, u) is at 8 * v + u.
 *                 v is vertical frequency, u horizontal; DC comes first.
 *   grid          the blocks of one component, row by row: ceil(height / 8) by
 *                 ceil(width / 8), not padded to whole MCUs.
 *   amplitude     coefficient times quantisation table entry: the orthonormal
 *                 8x8 DCT-II of samples minus 128.  DC is 8 x (mean - 128).
 *
 * Nothing here prints, aborts, or keeps global state beyond the chosen CPU
 * variant.  An object belongs to one thread at a time unless its comment says
 * otherwise; different objects are independent.  Freeing NULL does nothing.
 *
 * dctload/_ffi_build.py hands the text between the two "cffi:" lines to cffi.
 */
#ifndef DCTLOAD_H
#define DCTLOAD_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

#define DCTLOAD_MAX_COMPONENTS 4
#define DCTLOAD_MAX_STEPS 4
#define DCTLOAD_MAX_OPS 8
#define DCTLOAD_OP_PARAMS 14

/*
 * Values never change and are never reused.  1xx: the file is corrupt.  2xx: it
 * is a JPEG of a kind not handled.  3xx: it exceeds a limit.  4xx: not about
 * the file's contents.
 */
enum dctload_status {
	DCTLOAD_OK = 0,
	DCTLOAD_NOT_JPEG = 100,   /* no SOI marker at byte 0 */
	DCTLOAD_TRUNCATED = 101,  /* the data end inside a segment or scan */
	DCTLOAD_BAD_MARKER = 102, /* a marker that may not stand there */
	DCTLOAD_BAD_LENGTH = 103, /* of a segment, against its content */
	DCTLOAD_BAD_QUANT_TABLE = 104,   /* malformed, or missing when needed */
	DCTLOAD_BAD_HUFFMAN_TABLE = 105, /* over-full, malformed, missing */
	DCTLOAD_BAD_FRAME = 106,         /* SOF: sizes, sampling, components */
	DCTLOAD_BAD_SCAN = 107,          /* SOS: components or progression */
	DCTLOAD_BAD_CODE = 108,          /* bits that are no Huffman code */
	DCTLOAD_BAD_RUN = 109, /* a run leads past the end of the block */
	DCTLOAD_BAD_COEFFICIENT = 110, /* a value that 16 bits cannot hold */
	DCTLOAD_BAD_RESTART = 111, /* a restart marker missing or out of turn */
	DCTLOAD_EXCESS_DATA = 112, /* entropy-coded, after the last MCU */
	DCTLOAD_NO_SCAN = 113,     /* no scan, or a component without one */
	DCTLOAD_LOST_SEGMENT = 114, /* junk, and a scan or a table is missing */
	DCTLOAD_ARITHMETIC = 200,
	DCTLOAD_LOSSLESS = 201,
	DCTLOAD_HIERARCHICAL = 202,
	DCTLOAD_PRECISION = 203, /* samples of other than 8 bits */
	DCTLOAD_DNL = 204,       /* height given after the first scan */
	DCTLOAD_COLOR = 205,     /* a tensor needs Y, YCbCr or RGB */
	DCTLOAD_TOO_MANY_PIXELS = 300,
	DCTLOAD_TOO_MANY_COMPONENTS = 301,
	DCTLOAD_TOO_MANY_SCANS = 302,
	DCTLOAD_TOO_MUCH_OUTPUT = 303,
	DCTLOAD_FILE_TOO_LARGE = 304,
	DCTLOAD_NO_MEMORY = 400,
	DCTLOAD_IO = 401, /* see 'system_error' */
	DCTLOAD_BAD_ARGUMENT = 402,
	DCTLOAD_CANCELLED = 403,
	DCTLOAD_BAD_REGION = 404 /* not inside the image */
};

/* What libjpeg warns about and goes on from, without harm to a coefficient. */
enum dctload_warning {
	DCTLOAD_WARN_NO_EOI = 1,   /* every MCU is there but EOI is missing */
	DCTLOAD_WARN_JUNK = 2,     /* bytes between segments */
	DCTLOAD_WARN_TRAILING = 4, /* bytes after EOI */
	DCTLOAD_WARN_SCAN_PARAMS = 8, /* sequential, Ss Se Ah Al not 0 63 0 0 */
	DCTLOAD_WARN_TRUNCATED = 16,  /* only with DCTLOAD_ALLOW_TRUNCATED */
	DCTLOAD_WARN_SEGMENT = 32 /* skipped segment with a length below 2 */
};

/* What the components mean, by libjpeg's rules (JFIF, Adobe, component ids). */
enum dctload_color {
	DCTLOAD_UNKNOWN_COLOR = 0,
	DCTLOAD_GRAY = 1,
	DCTLOAD_YCBCR = 2,
	DCTLOAD_RGB = 3,
	DCTLOAD_CMYK = 4,
	DCTLOAD_YCCK = 5
};

/* Checked before any memory is taken. */
struct dctload_limits {
	uint64_t max_pixels;
	uint64_t max_output_nbytes; /* of the coefficients, as int16 */
	uint64_t max_file_nbytes;
	uint32_t max_components;
	uint32_t max_scans;
};

struct dctload_component {
	uint32_t width, height;      /* samples: ceil(image * h / h_max) */
	uint32_t blocks_w, blocks_h; /* the grid */
	uint8_t id;                  /* as in the file */
	uint8_t h, v;                /* sampling factors, 1..4 */
	uint8_t quant_index;         /* table slot, 0..3 */
};

struct dctload_info {
	uint32_t width, height;
	uint32_t left, top; /* in the file's image: 0, 0 unless a window */
	uint32_t warnings;  /* enum dctload_warning, or-ed */
	uint32_t restart_interval; /* MCUs, at the first scan; 0: none */
	uint32_t num_scans;        /* read so far: 0 after read_info */
	uint8_t num_components;
	uint8_t h_max, v_max; /* largest sampling factors */
	uint8_t progressive;
	uint8_t orientation; /* EXIF, 1..8; 1 if absent */
	uint8_t color;       /* enum dctload_color */
	uint8_t has_jfif;
	int16_t adobe_transform; /* APP14: 0, 1, 2; -1 if absent */
	struct dctload_component components[DCTLOAD_MAX_COMPONENTS];
	uint16_t qtables[DCTLOAD_MAX_COMPONENTS][64]; /* natural order */
};

/*
 * A rectangle of the stored image in luma samples, not empty and inside it.  A
 * width of 0 means all of the image.
 *
 * What is decoded of it is its window: the whole MCUs that it touches, so that
 * all components begin at the same place.  A window begins at multiples of
 * 8 * h_max and 8 * v_max and ends at such multiples or at the image's edge.
 */
struct dctload_region {
	uint32_t left, top, width, height;
};

/* Flags of dctload_decode() and of the batch calls. */
#define DCTLOAD_ALLOW_TRUNCATED 1 /* missing data become what libjpeg makes */

/* ---- one file ---------------------------------------------------------- */

/* A word for the user, e.g. "bad Huffman code".  Never NULL. */
const char *dctload_status_text(enum dctload_status status);

/* The CPU variants in use, e.g. "bmi2 avx2", or "portable". */
const char *dctload_cpu_features(void);

/* 178,956,970 pixels, 4 components, 500 scans, 2 GiB of output and of input. */
void dctload_default_limits(struct dctload_limits *limits_ret);

/*
 * Read the header up to the first scan.  On failure 'error_offset_ret' (if not
 * NULL) is the first byte not understood.  'limits' may be NULL: the defaults.
 */
enum dctload_status
dctload_read_info(const uint8_t *in, size_t in_nbytes,
		  const struct dctload_limits *limits,
		  struct dctload_info *info_ret, size_t *error_offset_ret);

/*
 * The window of 'region' as an image of its own: sizes, grids, 'left' and 'top'.
 * BAD_REGION if the region is not inside 'info'.  'window_ret' may be 'info'.
 */
enum dctload_status dctload_window(const struct dctload_info *info,
				   const struct dctload_region *region,
				   struct dctload_info *window_ret);

/* Scratch for decoding and transforming; NULL if there is no memory. */
struct dctload_decoder *dctload_alloc_decoder(void);
void dctload_free_decoder(struct dctload_decoder *d);

/*
 * Entropy-decode one JPEG.  It stops there.
 *
 *   in, in_nbytes   the whole file; never read outside these bytes
 *   flags           DCTLOAD_ALLOW_TRUNCATED or 0
 *   planes[c]       component c: int16 [blocks_h][blocks_w][64], the grid that
 *                   dctload_read_info() gave; any previous content is replaced
 *   info_ret        as of the end of the file, with the tables in force for
 *                   each component's first scan
 *
 * Baseline, extended and progressive Huffman files of 8 bits are decoded,
 * bit-equal to libjpeg.  After a failure the planes hold no promise.
 */
enum dctload_status
dctload_decode(struct dctload_decoder *d, const uint8_t *in, size_t in_nbytes,
	       const struct dctload_limits *limits, uint32_t flags,
	       int16_t *const planes[DCTLOAD_MAX_COMPONENTS],
	       struct dctload_info *info_ret, size_t *error_offset_ret);

/*
 * The same for the window of 'region' alone (NULL: the whole image), its planes one
 * after the other in 'memory'; '*info_ret' is as dctload_window() gives it.  The
 * blocks are those of dctload_decode().
 *
 * '*nbytes_ret' becomes the bytes that they take.  If that is more than
 * 'capacity', the header has been read and no more.
 *
 * Damage is an error where it is met: what is not needed may be broken.  MCUs
 * before the window are decoded, unless a whole restart segment of a sequential
 * scan is passed over; then only the number of the marker that ends it is
 * checked.  Nothing after the last MCU that is needed is looked at, but for the
 * headers of scans to come.
 */
enum dctload_status
dctload_decode_region(struct dctload_decoder *d, const uint8_t *in,
		      size_t in_nbytes, const struct dctload_limits *limits,
		      uint32_t flags, const struct dctload_region *region,
		      void *memory, size_t capacity, size_t *nbytes_ret,
		      struct dctload_info *info_ret, size_t *error_offset_ret);

/*
 * Write a baseline JPEG that holds exactly these coefficients, with Huffman
 * tables made for them ('optimize' != 0) or those of T.81 K.3.  'info' gives
 * sizes, sampling factors, colour and tables (extended sequential where a table
 * needs 16 bits).
 *
 * Writes at most 'out_capacity' bytes and sets '*out_nbytes_ret' to the bytes
 * needed, so a first call with capacity 0 asks for the size.  BAD_COEFFICIENT if
 * a value needs more bits than baseline allows (AC 10, DC difference 11).
 */
enum dctload_status
dctload_encode(const struct dctload_info *info,
	       const int16_t *const planes[DCTLOAD_MAX_COMPONENTS],
	       int optimize, uint8_t *out, size_t out_capacity,
	       size_t *out_nbytes_ret);

/* ---- coefficients to tensors ------------------------------------------- */

enum dctload_filter {
	DCTLOAD_BOX = 0,
	DCTLOAD_BILINEAR = 1, /* triangle of half-width 1 */
	DCTLOAD_BICUBIC = 2,  /* Catmull-Rom-like, a = -0.5, half-width 2 */
	DCTLOAD_LANCZOS = 3   /* half-width 3 */
};

/*
 * One resampling of one axis, in the continuous coordinates of that axis at
 * full (luma) resolution, where sample i covers [i, i + 1):
 *
 *   output position X in [0, out_size) looks at position start + step * X;
 *   a negative step mirrors.  The filter, stretched by max(|step|, 1), sees the
 *   samples that overlap [lo, hi) only and its weights are normalised to 1.
 *
 * With |step| = 1 and start on a whole sample this is a crop or a mirror and
 * copies samples exactly.  A component with fewer samples follows by scaling
 * every position with its sampling ratio h / h_max (JFIF's centred siting).
 */
struct dctload_step {
	double lo, hi;
	double start, step;
	uint32_t out_size;
	uint32_t filter; /* enum dctload_filter */
};

/*
 * Colour of one image, applied after its geometry.  With gains g and levels in
 * samples,
 *
 *   Y'  = g[0] Y + y_offset + y_mean * (mean of Y over the output)
 *   Cb' = g[1] (chroma[0][0] Cb + chroma[0][1] Cr) + chroma_offset[0]
 *   Cr' = g[1] (chroma[1][0] Cb + chroma[1][1] Cr) + chroma_offset[1]
 *
 * where a gain belongs to each frequency, in natural order.
 */
struct dctload_color_map {
	float y_offset, y_mean;
	float chroma[2][2], chroma_offset[2];
	float gain[2][64];
};

/*
 * One operation that no operator of an axis can express.  Operations follow the
 * steps and 'color', in turn, at the size that the steps gave.  Each sees the
 * image in the form that it is defined on:
 *
 *   samples      of Y, Cb and Cr, 128 subtracted, each component at the
 *                resolution of the output
 *   RGB          clamped to 0..255, at luma resolution.  A sample of chroma stands
 *                for all samples of luma that it covers, and becomes the mean
 *                over them again, so what does not change colour leaves it.
 *   amplitudes   of Y, Cb and Cr
 *
 * Nothing is rounded in between.  'p' holds, in this order:
 *
 *   WARP          a b c d e f: output position (X, Y), in luma samples, looks at
 *                 (a X + b Y + c, d X + e Y + f); fill: Y Cb Cr minus 128;
 *                 bilinear, else the sample that covers the position; blend;
 *                 width height of the output, up to 2^17.  Factors are within
 *                 2048, c and f within 2^28.  What lies outside counts as black
 *                 in the sum S; with 'blend' the result is m S + (1 - m) fill,
 *                 where m is the weight of the samples inside.
 *   ERASE         left top right bottom in luma samples; Y Cb Cr minus 128
 *   ERASE_RANDOM  the same; sigma of R G B, with 'seed': what NOISE adds to RGB is
 *                 added to that, not clamped.  Chroma is the mean as ever, over
 *                 the samples that it stands for.
 *   COLOR         the fields of dctload_color_map in place of gains: gain of Y,
 *                 y_offset, y_mean, chroma[2][2], chroma_offset[2].  On samples.
 *   BRIGHTNESS    f: RGB times f.  On RGB, as all up to NOISE, which clamp
 *                 their results.
 *   CONTRAST      f: blended with the mean of grey
 *   SATURATION    f: blended with grey
 *   SHARPNESS     f: blended with (1 1 1, 1 5 1, 1 1 1) / 13; edges are kept
 *   POSTERIZE     bits: the highest bits of the level.  "Level" is what 8 bits
 *                 would hold: the value, rounded.
 *   SOLARIZE      t: 255 - x where the level is at least t
 *   AUTOCONTRAST  each channel's lowest level to 0, its highest to 255
 *   EQUALIZE      each channel's histogram of levels, flat
 *   NOISE         mean sigma clip, with 'seed': normal noise; clamped if 'clip'
 *   GAIN          a[0..7] k0 k1 dc use_dc which: frequency (v, u) times
 *                 k0 + k1 a[v] a[u], (0, 0) times 'dc' if 'use_dc'; which: 1
 *                 luma, 2 chroma, 3 both.  On amplitudes, as all that follow.
 *   REQUANTIZE    quality: rounded to multiples of libjpeg's tables
 *   DC_*          on the means of blocks, as "RGB no more" defines them; results
 *                 are clamped to amplitudes -1024..1016.
 *   DC_BRIGHTNESS f: Y's DC plus (f - 1) times the mean of its magnitude
 *   DC_AUTOCONTRAST, DC_AUTOSATURATION  stretched to the whole range: Y; Cb, Cr
 *                 around 0
 *   DC_EQUALIZE   Y's histogram of 256 levels, flat
 *   DC_POSTERIZE  step: down to a multiple of it, counted from -1024
 *   DC_SOLARIZE   t: blocks whose DC of Y is above t negated, all components
 *   DC_SOLARIZE_ADD  m: Y's DC plus m where it is below 0
 */
enum dctload_op_kind {
	DCTLOAD_OP_NONE = 0,
	DCTLOAD_OP_WARP = 1,
	DCTLOAD_OP_ERASE = 2,
	DCTLOAD_OP_ERASE_RANDOM = 3,
	DCTLOAD_OP_COLOR = 4,
	DCTLOAD_OP_BRIGHTNESS = 5,
	DCTLOAD_OP_CONTRAST = 6,
	DCTLOAD_OP_SATURATION = 7,
	DCTLOAD_OP_SHARPNESS = 8,
	DCTLOAD_OP_POSTERIZE = 9,
	DCTLOAD_OP_SOLARIZE = 10,
	DCTLOAD_OP_AUTOCONTRAST = 11,
	DCTLOAD_OP_EQUALIZE = 12,
	DCTLOAD_OP_NOISE = 13,
	DCTLOAD_OP_GAIN = 14,
	DCTLOAD_OP_REQUANTIZE = 15,
	DCTLOAD_OP_DC_BRIGHTNESS = 16,
	DCTLOAD_OP_DC_AUTOCONTRAST = 17,
	DCTLOAD_OP_DC_AUTOSATURATION = 18,
	DCTLOAD_OP_DC_EQUALIZE = 19,
	DCTLOAD_OP_DC_POSTERIZE = 20,
	DCTLOAD_OP_DC_SOLARIZE = 21,
	DCTLOAD_OP_DC_SOLARIZE_ADD = 22
};

struct dctload_op {
	uint32_t kind; /* enum dctload_op_kind */
	uint32_t seed;
	double p[DCTLOAD_OP_PARAMS];
};

/*
 * What is done to one image.  The steps of an axis are applied in turn, the
 * first to the stored axis, and are multiplied into one operator.  With
 * 'transpose' the stored image is transposed first, so x runs over stored rows.
 * No steps: the axis is kept as it is.
 *
 * A position that sees no sample (its weights sum to less than 1/1000 of the
 * whole filter's) gets the level fill[c], 128 subtracted, of Y,
 * Cb, Cr; from dctload_resample(), of component c.  All zero is the identity.
 */
struct dctload_geometry {
	uint32_t transpose;
	uint32_t num_x, num_y;
	uint32_t use_color; /* 0: leave it; 'color' is not read */
	struct dctload_step x[DCTLOAD_MAX_STEPS], y[DCTLOAD_MAX_STEPS];
	float fill[DCTLOAD_MAX_COMPONENTS];
	struct dctload_color_map color;
	uint32_t num_ops; /* dctload_resample() leaves them out */
	struct dctload_op ops[DCTLOAD_MAX_OPS];
};

/*
 * The geometry of many images as arrays, without colour.  Field f (in the order
 * of struct dctload_step) of step k of image i is
 * steps[(f * num_images + i) * capacity + k].
 */
struct dctload_axis_table {
	const int64_t *num_steps; /* [num_images], at most 'capacity' */
	const double *steps;
	size_t capacity; /* at most DCTLOAD_MAX_STEPS */
};

struct dctload_geometry_table {
	size_t num_images;
	struct dctload_axis_table x, y;
	const uint8_t *transpose; /* [num_images] */
	const double *fill;       /* [num_images][DCTLOAD_MAX_COMPONENTS] */
};

/*
 * Images 'first' to 'first + num' to records that lie 'stride' bytes apart; what the
 * table does not hold is 0 in them.
 */
void dctload_write_geometry(const struct dctload_geometry_table *table,
			    size_t first, size_t num, void *out, size_t stride);

enum dctload_layout {
	DCTLOAD_PLANES = 0, /* out[0]: Y at (H/8, W/8); out[1]: Cb|Cr at half */
	DCTLOAD_CONCAT = 1  /* out[0]: Y|Cb|Cr, all at (H/8, W/8) */
};

enum dctload_dtype {
	DCTLOAD_F32 = 0,
	DCTLOAD_F16 = 1,
	DCTLOAD_BF16 = 2,
	DCTLOAD_I16 = 3, /* rounded to nearest even, saturated */
	DCTLOAD_I8 = 4
};

/*
 * What is emitted, the same for every image of a batch.  Channel j of component
 * c (Y, Cb, Cr) is amplitude (freqs[c][j]) * scale[c][j] + offset[c][j].
 * A grey image has Cb = Cr = 0 amplitudes; RGB-coded ones are turned into YCbCr
 * in the DCT domain, where that is linear.
 */
struct dctload_output {
	uint32_t width, height; /* samples; multiples of 8, PLANES: of 16 */
	uint32_t layout, dtype;
	uint32_t channels_last; /* 0: (C, by, bx); 1: (by, bx, C) */
	uint32_t num_freqs[3];
	uint8_t freqs[3][64]; /* natural index 8 * v + u, ascending */
	float scale[3][64], offset[3][64];
};

/* Bytes that one image takes in out[0] and out[1]. */
void dctload_output_nbytes(const struct dctload_output *output,
			   size_t nbytes_ret[2]);

/*
 * Coefficients to one sample of a batch.  'info' describes the planes.
 * Deterministic: the same bits on every call, thread and batch.
 */
enum dctload_status
dctload_transform(struct dctload_decoder *d, const struct dctload_info *info,
		  const int16_t *const planes[DCTLOAD_MAX_COMPONENTS],
		  const struct dctload_geometry *geometry,
		  const struct dctload_output *output, void *const out[2]);

/*
 * The geometry alone: component c of the image to float32 amplitudes, blocks
 * [blocks_h][blocks_w][64] where blocks_w = ceil(ceil(W * h / h_max) / 8) for
 * an output of W luma samples, likewise blocks_h; with 'transpose' h and v change
 * places.  Samples past the edge repeat the last one.  Colour is not applied.
 */
enum dctload_status
dctload_resample(struct dctload_decoder *d, const struct dctload_info *info,
		 const int16_t *const planes[DCTLOAD_MAX_COMPONENTS],
		 const struct dctload_geometry *geometry,
		 float *const out[DCTLOAD_MAX_COMPONENTS]);

/* ---- recipes ------------------------------------------------------------- */

/*
 * Transforms that need no more of an image than its size, as numbers: what becomes
 * of it is worked out by the thread that has read its header.
 *
 *   RESIZE               to width x height
 *   RESIZE_SHORT         the shorter side to 'side' (0: not given), but the longer
 *                        one to 'max_side' at most (0: no limit)
 *   CENTER_CROP          width x height; what is missing is filled
 *   RANDOM_CROP          likewise, at a random place (y, x) in an image with these
 *                        margins; where it is too small, 'side' says whether to
 *                        fill up, else there is no geometry
 *   RANDOM_RESIZED_CROP  p: least and largest share of the area, and likewise of
 *                        width / height; to width x height
 *   PAD                  margins left, top, right, bottom
 *   RANDOM_HFLIP, RANDOM_VFLIP  with probability p[0]
 *   AUGMENT              'num_turns' times one of 'outcomes'; the last part, as
 *                        images may have operations then
 */
enum dctload_part_kind {
	DCTLOAD_RESIZE = 0,
	DCTLOAD_RESIZE_SHORT = 1,
	DCTLOAD_CENTER_CROP = 2,
	DCTLOAD_RANDOM_CROP = 3,
	DCTLOAD_RANDOM_RESIZED_CROP = 4,
	DCTLOAD_PAD = 5,
	DCTLOAD_RANDOM_HFLIP = 6,
	DCTLOAD_RANDOM_VFLIP = 7,
	DCTLOAD_AUGMENT = 8
};

#define DCTLOAD_MAX_PARTS 8
#define DCTLOAD_MAX_DRAWS 64
#define DCTLOAD_CROP_ATTEMPTS 10
#define DCTLOAD_CROP_DRAWS 22 /* two an attempt, then y and x */
#define DCTLOAD_TURN_DRAWS 4  /* choice, sign, level, place */
#define DCTLOAD_OUTCOME_OPS 2
#define DCTLOAD_PLACE_UNIT 16 /* samples: a block of halved chroma */

/* A color map that others are composed with before it is rounded to floats. */
struct dctload_fine_color_map {
	double y_offset, y_mean;
	double chroma[2][2], chroma_offset[2];
	double gain[2][64];
};

/*
 * What one turn of AUGMENT comes to, for images of the size that the parts before
 * it give.  One that 'needs_color' does nothing after one that 'drops_color'.
 *
 * With 'is_early', and as long as the image has no operation, it is a transposition,
 * mirroring, a crop of the same size where 'crops', and a colour map if there is
 * one, in this order.  Otherwise it is 'ops', of which 'scatters' moves the box of
 * an ERASE by random multiples of DCTLOAD_PLACE_UNIT within the image.
 */
struct dctload_outcome {
	uint32_t needs_color, drops_color;
	uint32_t is_early, transpose, hflip, vflip, crops;
	float fill[3]; /* of the crop */
	int64_t left, top;
	const struct dctload_fine_color_map *color; /* NULL: none */
	uint32_t num_ops, scatters;
	struct dctload_op ops[DCTLOAD_OUTCOME_OPS];
};

struct dctload_part {
	uint32_t kind;       /* enum dctload_part_kind */
	uint32_t first_draw; /* of its random numbers */
	uint32_t filter;     /* enum dctload_filter */
	int64_t width, height;
	int64_t side, max_side;
	int64_t margins[4];
	double p[4];
	float fill[3]; /* Y, Cb, Cr, minus 128 */
	uint32_t num_turns, num_choices, num_levels;

	/* [num_choices][num_levels][2], the second is the positive one; outlives
	   the recipe, with its colour maps. */
	const struct dctload_outcome *outcomes;
};

struct dctload_recipe {
	uint32_t num_parts, num_draws;
	uint32_t upright; /* begin with what EXIF says */
	struct dctload_part parts[DCTLOAD_MAX_PARTS];
};

/*
 * The geometry of an image of this size and EXIF orientation, with the recipe's
 * 'draws'.  BAD_ARGUMENT if there is none: a crop that does not fit, a side that
 * becomes 0, too many steps.
 */
enum dctload_status
dctload_follow_recipe(const struct dctload_recipe *recipe, uint32_t width,
		      uint32_t height, uint32_t orientation,
		      const double *draws, struct dctload_geometry *g_ret);

/*
 * Left, top, width and height of what RANDOM_RESIZED_CROP keeps of each image of
 * width[i] x height[i], which has its numbers at draws + i * stride.
 */
void dctload_random_boxes(const double p[4], size_t num, const int64_t *width,
			  const int64_t *height, const double *draws,
			  size_t stride, int64_t (*boxes_ret)[4]);

/* ---- many files, many threads ------------------------------------------ */

/* The blocks [row, end_row) x [col, end_col) of a grid, and where they go. */
struct dctload_excerpt {
	uint32_t row, end_row, col, end_col;
	int16_t *out; /* [end_row - row][end_col - col][64] */
};

struct dctload_item {
	/*
	 * Set by the caller: a path, or bytes that outlive the batch's work and do
	 * not change.  An image that has another size than when it was read is
	 * BAD_ARGUMENT.
	 */
	const uint8_t *in;
	size_t in_nbytes;
	const char *path; /* read by a worker if not NULL */

	/* Set by the workers. */
	enum dctload_status status;
	int32_t system_error; /* errno, with DCTLOAD_IO */
	uint64_t error_offset;
	struct dctload_info info;

	/* Where results go; set by the caller before the call that needs them. */
	int16_t *planes[DCTLOAD_MAX_COMPONENTS];
	void *out[2];
	struct dctload_region region; /* of a decode; see its window */
	struct dctload_geometry geometry;
	struct dctload_excerpt excerpts[DCTLOAD_MAX_COMPONENTS];
	uint32_t skip; /* not 0: leave this item alone; see load */
};

/*
 * A pool of threads with one queue of work that spans batches: a thread takes
 * item after item across batch borders, so it never waits for a batch to end.
 * 0 threads: the work is done inside dctload_wait().  Threads start at the first
 * submission.  In a forked child the parent's engine is inert: every submission
 * fails with DCTLOAD_BAD_ARGUMENT, and freeing it releases memory only.
 *
 * Stopping it drops what is queued and ends the threads: submissions fail then, and
 * waits end when what has begun is done.  Freeing it is for who has the last call.
 */
struct dctload_engine *dctload_alloc_engine(uint32_t num_threads);
void dctload_stop_engine(struct dctload_engine *e);
void dctload_free_engine(struct dctload_engine *e);

/*
 * Items that are worked on and waited for together.  Files read from paths stay
 * in memory owned by the batch until it is freed or its next submit_read, or
 * until it is sampled without an item that is skipped: item.in is NULL then.
 */
struct dctload_batch *dctload_alloc_batch(uint32_t num_items);
struct dctload_item *dctload_batch_items(struct dctload_batch *b);

/* Drops what is queued and waits for what has begun. */
void dctload_free_batch(struct dctload_batch *b);

/*
 * Set item.planes for the items from 'first' on, one window after the other in
 * 'memory', until the next one does not fit or 'num_items' is reached.  Items
 * that are skipped or failed take nothing; a region that is not inside its image
 * fails.  Returns the first item without
 * planes, and in '*nbytes_ret' what it needs; 'num_items' and 0 at the end.
 */
uint32_t dctload_place_planes(struct dctload_batch *b, uint32_t first,
			      uint32_t num_items, void *memory, size_t capacity,
			      size_t *nbytes_ret);

/*
 * Fields of the first 'num_items' items at once, while no work is under way.
 *
 *   set_paths      item i is to be read from text + starts[indices[i]]; returns
 *                  the first item whose index is not below num_starts, if any,
 *                  else num_items
 *   set_data       item i is nbytes[i] at addresses[i], to be decoded in place
 *   set_out        item i is to be written to start + i * stride, in out[k]
 *   survey         what a plan needs to know of items that were read; returns
 *                  how many are ordinary: read well, not skipped, not CMYK
 *   count_failed   how many have a status other than DCTLOAD_OK, or are skipped
 *   count_alike    how many from 'first' on, up to num_items, have grids as 'first'
 *                  has and lie one behind the other; they have planes, all of them
 */
struct dctload_brief {
	uint32_t width, height, orientation;
	uint64_t in_nbytes;
};

uint32_t dctload_set_paths(struct dctload_batch *b, uint32_t num_items,
			   const char *text, const int64_t *starts,
			   size_t num_starts, const int64_t *indices);
void dctload_set_data(struct dctload_batch *b, uint32_t num_items,
		      const uintptr_t *addresses, const size_t *nbytes);
void dctload_set_out(struct dctload_batch *b, uint32_t num_items, uint32_t k,
		     void *start, size_t stride);
uint32_t dctload_survey(const struct dctload_batch *b, uint32_t num_items,
			struct dctload_brief *out);
uint32_t
dctload_count_failed(const struct dctload_batch *b, uint32_t num_items);
uint32_t dctload_count_alike(const struct dctload_batch *b, uint32_t first,
			     uint32_t num_items);

/* Times summed over threads, in nanoseconds, since the engine was made. */
struct dctload_engine_stats {
	uint64_t read_ns, work_ns, idle_ns;
	uint64_t transform_ns; /* of 'work_ns', the rest of which is decoding */
	uint64_t files, in_nbytes;
};

/*
 * Queue work on the first 'num_items' items; returns at once.  One piece of
 * work on a batch at a time: submit, dctload_wait(), submit the next.
 *
 *   read     path -> in, then dctload_read_info() -> info, status
 *   decode   in -> planes, for items whose status is DCTLOAD_OK; item.info
 *            becomes that of the window of item.region
 *   sample   in -> out with item.geometry and 'output', likewise; 'output' is
 *            copied
 *   excerpt  in -> the blocks of item.excerpts, likewise; BAD_ARGUMENT for one
 *            that reaches beyond its grid
 *   load     read and sample in one: path or in -> out, with the geometry that
 *            'recipe' makes of the header and of dctload_uniforms(seed, epoch,
 *            ids + i, 1, ...).  'ids', and the outcomes of the recipe, outlive the
 *            work; the others are copied.
 *            No file stays in memory: item.in is NULL then.  An image that is
 *            CMYK, or has no geometry, is left out: skip is set, status is OK.
 *
 * Reads go before other work.  Limits may be NULL: the defaults.
 */
enum dctload_status
dctload_submit_read(struct dctload_engine *e, struct dctload_batch *b,
		    uint32_t num_items, const struct dctload_limits *limits);
enum dctload_status
dctload_submit_decode(struct dctload_engine *e, struct dctload_batch *b,
		      uint32_t num_items, const struct dctload_limits *limits,
		      uint32_t flags);
enum dctload_status
dctload_submit_sample(struct dctload_engine *e, struct dctload_batch *b,
		      uint32_t num_items, const struct dctload_limits *limits,
		      uint32_t flags, const struct dctload_output *output);
enum dctload_status
dctload_submit_excerpt(struct dctload_engine *e, struct dctload_batch *b,
		       uint32_t num_items, const struct dctload_limits *limits,
		       uint32_t flags);
enum dctload_status
dctload_submit_load(struct dctload_engine *e, struct dctload_batch *b,
		    uint32_t num_items, const struct dctload_limits *limits,
		    const struct dctload_output *output,
		    const struct dctload_recipe *recipe, uint64_t seed,
		    uint64_t epoch, const uint64_t *ids);

/*
 * Wait until the batch's work is done; returns the number of items left, so 0
 * unless 'timeout_ms' (negative: forever) ran out.
 */
uint32_t dctload_wait(struct dctload_engine *e, struct dctload_batch *b,
		      int64_t timeout_ms);

/* Drop what is queued and not begun of 'b': status DCTLOAD_CANCELLED. */
void dctload_cancel(struct dctload_engine *e, struct dctload_batch *b);

void dctload_get_stats(struct dctload_engine *e,
		       struct dctload_engine_stats *stats_ret);

/* ---- many files, threads of the caller's --------------------------------- */

/*
 * The same work done by somebody else's pool of threads.  Begin it on a batch
 * whose items have their 'in', then call dctload_work() in any number of threads
 * at a time, each with a worker of its own; when the last has returned the work
 * is done.  A thread takes item after item, as many at a time as its decoder has
 * use for, so none is left without work by how the batch was divided.
 */
struct dctload_worker *dctload_alloc_worker(void);
void dctload_free_worker(struct dctload_worker *w);
enum dctload_status
dctload_begin_decode(struct dctload_batch *b, uint32_t num_items,
		     const struct dctload_limits *limits, uint32_t flags);
enum dctload_status
dctload_begin_sample(struct dctload_batch *b, uint32_t num_items,
		     const struct dctload_limits *limits, uint32_t flags,
		     const struct dctload_output *output);
void dctload_work(struct dctload_batch *b, struct dctload_worker *w);

/*
 * A file in memory, as long as it is mapped: 'fd' may be closed at once.  NULL and
 * errno if it cannot be.  read_ahead tells the kernel that a part will be read.
 */
const void *dctload_map_file(int fd, size_t nbytes);
void dctload_unmap_file(const void *p, size_t nbytes);
void dctload_read_ahead(const void *p, size_t nbytes);

/* ---- random numbers ------------------------------------------------------ */

/*
 * 'num_draws' numbers in [0, 1) for each index: a pure function of (seed, epoch,
 * index, slot, draw), by Philox4x64-10.  'out' is [num_indices][num_draws].
 */
void dctload_uniforms(uint64_t seed, uint64_t epoch, const uint64_t *indices,
		      size_t num_indices, uint32_t num_draws, uint32_t slot,
		      double *out);

/* cffi: end */

#endif /* DCTLOAD_H */
