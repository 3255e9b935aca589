/* SPDX-License-Identifier: MIT */
/*
 * replay.c - a fuzz target on stored files, with any compiler
 *
 *   replay FILE_OR_FOLDER...
 *
 * Stands in for libFuzzer's main().  Prints each file's name first if REPLAY_NAMES
 * is set, so that the last one is the culprit.
 */

#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned num_files;

static void
replay_file(const char *path)
{
	FILE *const f = fopen(path, "rb");
	long nbytes;
	u8 *in;

	REQUIRE(f != NULL);
	REQUIRE(fseek(f, 0, SEEK_END) == 0);
	nbytes = ftell(f);
	REQUIRE(nbytes >= 0 && fseek(f, 0, SEEK_SET) == 0);
	in = malloc((size_t)nbytes + 1);
	REQUIRE(in != NULL);
	REQUIRE(fread(in, 1, (size_t)nbytes, f) == (size_t)nbytes);
	fclose(f);
	if (getenv("REPLAY_NAMES") != NULL)
		fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(in, (size_t)nbytes);
	free(in);
	num_files++;
}

static void
replay(const char *path)
{
	struct stat st;
	struct dirent *entry;
	DIR *dir;

	REQUIRE(stat(path, &st) == 0);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	dir = opendir(path);
	REQUIRE(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		char child[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
		replay(child);
	}
	closedir(dir);
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%u files\n", num_files);
	return 0;
}
