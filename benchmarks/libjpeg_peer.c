/* SPDX-License-Identifier: MIT */
/*
 * libjpeg_peer.c - how long the system's libjpeg takes, without Python
 *
 *	libjpeg_peer LIST        LIST: a file with one path a line
 *
 * Reads all files into memory, then for each line on stdin does one pass over
 * them and prints the nanoseconds that it took:
 *
 *	coefficients   jpeg_read_coefficients(): entropy decoding only
 *	rgb            the full decode, libjpeg's defaults
 *	dump PATH      no timing: every coefficient, int16, to a file
 *
 * One decompression object is kept over all images, libjpeg's best setting.
 * BENCH_CLOCK=cpu in the environment counts time on the CPU, as in peers.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jpeglib.h>

struct file {
	unsigned char *data;
	unsigned long nbytes;
};

static struct file *files;
static size_t num_files;
static struct jpeg_decompress_struct cinfo;
static struct jpeg_error_mgr errors;
static JSAMPLE *pixels;
static size_t pixels_nbytes;
static clockid_t clock_id = CLOCK_MONOTONIC;

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static void
load(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct file *file;

	if (f == NULL)
		fail(path);
	files = realloc(files, (num_files + 1) * sizeof(*files));
	if (files == NULL)
		fail("memory");
	file = &files[num_files++];
	fseek(f, 0, SEEK_END);
	file->nbytes = (unsigned long)ftell(f);
	rewind(f);
	file->data = malloc(file->nbytes + 1);
	if (file->data == NULL ||
	    fread(file->data, 1, file->nbytes, f) != file->nbytes)
		fail(path);
	fclose(f);
}

static void
write_coefficients(jvirt_barray_ptr *arrays, FILE *out)
{
	for (int c = 0; c < cinfo.num_components; c++) {
		const jpeg_component_info *comp = &cinfo.comp_info[c];

		for (JDIMENSION y = 0; y < comp->height_in_blocks; y++) {
			JBLOCKARRAY row = (*cinfo.mem->access_virt_barray)(
				(j_common_ptr)&cinfo, arrays[c], y, 1, FALSE);

			fwrite(row[0], sizeof(JBLOCK), comp->width_in_blocks,
			       out);
		}
	}
}

static void
read_coefficients(const struct file *file, FILE *out)
{
	jvirt_barray_ptr *arrays;

	jpeg_mem_src(&cinfo, file->data, file->nbytes);
	jpeg_read_header(&cinfo, TRUE);
	arrays = jpeg_read_coefficients(&cinfo);
	if (out != NULL)
		write_coefficients(arrays, out);
	jpeg_finish_decompress(&cinfo);
}

static void
read_rgb(const struct file *file)
{
	size_t stride, nbytes;

	jpeg_mem_src(&cinfo, file->data, file->nbytes);
	jpeg_read_header(&cinfo, TRUE);
	if (cinfo.num_components == 3)
		cinfo.out_color_space = JCS_RGB;
	jpeg_start_decompress(&cinfo);
	stride = (size_t)cinfo.output_width * (size_t)cinfo.output_components;
	nbytes = stride * cinfo.output_height;
	if (nbytes > pixels_nbytes) {
		free(pixels);
		pixels = malloc(nbytes);
		pixels_nbytes = nbytes;
		if (pixels == NULL)
			fail("memory");
	}
	while (cinfo.output_scanline < cinfo.output_height) {
		JSAMPROW row = pixels + cinfo.output_scanline * stride;

		jpeg_read_scanlines(&cinfo, &row, 1);
	}
	jpeg_finish_decompress(&cinfo);
}

static long long
now_ns(void)
{
	struct timespec ts;

	clock_gettime(clock_id, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void
answer(const char *command)
{
	const long long start = now_ns();
	FILE *out = NULL;

	if (strncmp(command, "dump ", 5) == 0) {
		out = fopen(command + 5, "wb");
		if (out == NULL)
			fail(command + 5);
	}
	for (size_t i = 0; i < num_files; i++) {
		if (strcmp(command, "rgb") == 0)
			read_rgb(&files[i]);
		else
			read_coefficients(&files[i], out);
	}
	if (out != NULL)
		fclose(out);
	printf("%lld\n", now_ns() - start);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	char line[4096];
	FILE *list = argc == 2 ? fopen(argv[1], "r") : NULL;
	const char *clock_name = getenv("BENCH_CLOCK");

	if (clock_name != NULL && strcmp(clock_name, "cpu") == 0)
		clock_id = CLOCK_PROCESS_CPUTIME_ID;
	if (list == NULL)
		fail("LIST");
	while (fgets(line, sizeof(line), list)) {
		line[strcspn(line, "\n")] = 0;
		load(line);
	}
	fclose(list);
	cinfo.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&cinfo);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		answer(line);
	}
	jpeg_destroy_decompress(&cinfo);
	return 0;
}
