/* SPDX-License-Identifier: MIT */
/* geometry.hpp - from crop windows and sizes to struct dctload_geometry */
#ifndef DCTLOAD_DALI_GEOMETRY_HPP
#define DCTLOAD_DALI_GEOMETRY_HPP

#include <cstddef>
#include <optional>

#include "core.hpp"

namespace dctload
{

/* A rectangle of the image shown upright, in pixels; corners may be anywhere. */
struct Window {
	double left, top, width, height;
};

/* Width and height shown upright. */
struct Size {
	double width, height;
};

Size upright_size(const dctload_info &info, bool adjust_orientation);

/*
 * Windows tried in turn: 'num' pairs of a share of the area and a ratio of width
 * to height, then the place of the window, from the top and from the left, in
 * [0, 1), and the ratios allowed if none fits.
 */
struct Attempts {
	const double *pairs;
	std::size_t num;
	double top, left, least_ratio, most_ratio;
};

/*
 * The first attempt that fits, else the largest middle part of an allowed ratio,
 * as transforms.RandomResizedCrop has it: additions, products, square roots and
 * roundings only, which IEEE 754 makes the same in Python and here.
 */
Window choose_window(const Size &size, const Attempts &attempts);

/* What is done to every image of a batch. */
struct Target {
	uint32_t width, height;
	uint32_t filter;         /* enum dctload_filter */
	uint32_t resize_shorter; /* 0: the window becomes the output */
	bool adjust_orientation;
};

/* 'window' is upright and lies in the image. */
dctload_geometry make_geometry(const dctload_info &info, const Window &window,
			       bool mirror, const Target &target);

} /* namespace dctload */

#endif /* DCTLOAD_DALI_GEOMETRY_HPP */
