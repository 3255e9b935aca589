/* SPDX-License-Identifier: MIT */
/*
 * dctload.h - the one public header of the C core
 *
 * JPEG bytes go in, quantised DCT coefficients or model-ready tensors come out.
 * The input is never decoded to pixels: there is no IDCT of it, no chroma
 * upsampling and no colour conversion in this library.
 *
 *   dctload_read_info()   the header of one file: sizes, grids, tables
 *   dctload_decode()      one file to coefficients
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
	DCTLOAD_NO_MEMORY = 400,
	DCTLOAD_IO = 401, /* see 'system_error' */
	DCTLOAD_BAD_ARGUMENT = 402,
	DCTLOAD_CANCELLED = 403
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
	uint32_t warnings;         /* enum dctload_warning, or-ed */
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

/* Flags of dctload_decode() and of the batch calls. */
#define DCTLOAD_ALLOW_TRUNCATED 1 /* missing data become what libjpeg makes */

/* ---- one file ---------------------------------------------------------- */

/* A word for the user, e.g. "bad Huffman code".  Never NULL. */
const char *dctload_status_text(enum dctload_status status);

/* The CPU variants in use, e.g. "bmi2 avx2", or "portable". */
const char *dctload_cpu_features(void);

/* 178,956,970 pixels, 4 components, 500 scans, 2 GiB. */
void dctload_default_limits(struct dctload_limits *limits_ret);

/*
 * Read the header up to the first scan.  On failure 'error_offset_ret' (if not
 * NULL) is the first byte not understood.  'limits' may be NULL: the defaults.
 */
enum dctload_status
dctload_read_info(const uint8_t *in, size_t in_nbytes,
		  const struct dctload_limits *limits,
		  struct dctload_info *info_ret, size_t *error_offset_ret);

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
};

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

/* ---- many files, many threads ------------------------------------------ */

struct dctload_item {
	/* Set by the caller: bytes that outlive the batch's work, or a path. */
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
	struct dctload_geometry geometry;
	uint32_t skip; /* not 0: leave this item alone */
};

/*
 * A pool of threads with one queue of work that spans batches: a thread takes
 * item after item across batch borders, so it never waits for a batch to end.
 * 0 threads: the work is done inside dctload_wait().  Threads start at the first
 * submission.  In a forked child the parent's engine is inert: every submission
 * fails with DCTLOAD_BAD_ARGUMENT, and freeing it releases memory only.
 */
struct dctload_engine *dctload_alloc_engine(uint32_t num_threads);
void dctload_free_engine(struct dctload_engine *e);

/*
 * Items that are worked on and waited for together.  Files read from paths stay
 * in memory owned by the batch until it is freed or its next submit_read.
 */
struct dctload_batch *dctload_alloc_batch(uint32_t num_items);
struct dctload_item *dctload_batch_items(struct dctload_batch *b);

/* Drops what is queued and waits for what has begun. */
void dctload_free_batch(struct dctload_batch *b);

/*
 * Set item.planes for the items from 'first' on, one image after the other in
 * 'memory', until the next one does not fit or 'num_items' is reached.  Items
 * that are skipped or failed take nothing.  Returns the first item without
 * planes, and in '*nbytes_ret' what it needs; 'num_items' and 0 at the end.
 */
uint32_t dctload_place_planes(struct dctload_batch *b, uint32_t first,
			      uint32_t num_items, void *memory, size_t capacity,
			      size_t *nbytes_ret);

/* Times summed over threads, in nanoseconds, since the engine was made. */
struct dctload_engine_stats {
	uint64_t read_ns, work_ns, idle_ns;
	uint64_t files, in_nbytes;
};

/*
 * Queue work on the first 'num_items' items; returns at once.  One piece of
 * work on a batch at a time: submit, dctload_wait(), submit the next.
 *
 *   read     path -> in, then dctload_read_info() -> info, status
 *   decode   in -> planes, for items whose status is DCTLOAD_OK
 *   sample   in -> out with item.geometry and 'output', likewise; 'output' is
 *            copied
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
