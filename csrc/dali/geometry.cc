/* SPDX-License-Identifier: MIT */
/*
 * geometry.cc - from crop windows and sizes to struct dctload_geometry
 *
 * The arithmetic is that of dctload/_geometry.py, operation by operation: a last
 * bit's difference in a step would be one in every tensor.
 */
#include "geometry.hpp"

#include <algorithm>
#include <cmath>

namespace dctload
{

namespace
{

/* One axis, shown upright. */
struct Axis {
	double size;
	bool reversed; /* stored from the other end */
};

bool
is_turned(uint8_t orientation)
{
	return orientation >= 5;
}

/* What EXIF's orientations 1 to 8 ask for after the turn (CIPA DC-008, 4.6.4). */
Axis
x_axis(const dctload_info &info, uint8_t orientation)
{
	const bool reversed = orientation == 2 || orientation == 3 ||
			      orientation == 6 || orientation == 7;

	return { double(is_turned(orientation) ? info.height : info.width),
		 reversed };
}

Axis
y_axis(const dctload_info &info, uint8_t orientation)
{
	const bool reversed = orientation == 3 || orientation == 4 ||
			      orientation == 7 || orientation == 8;

	return { double(is_turned(orientation) ? info.width : info.height),
		 reversed };
}

/*
 * [left, left + part) of the axis, resized to 'size', which may be 'part', or more
 * than 32 bits hold: then the middle of it is to be kept.
 */
dctload_step
crop_resize(const Axis &axis, double left, double part, double size,
	    uint32_t filter)
{
	dctload_step step{};
	const double end = axis.size - left;

	step.start = axis.reversed ? end : left;
	step.lo = axis.reversed ? end - part : left;
	step.hi = axis.reversed ? end : left + part;
	step.step = part / size;
	if (axis.reversed)
		step.step = -step.step;
	step.filter = part == size ? uint32_t(DCTLOAD_BILINEAR) : filter;
	return step;
}

/* The middle of 'resized' samples.  What a filter saw it goes on seeing. */
void
keep_middle(dctload_step *step, double resized, uint32_t size)
{
	const double left = std::nearbyint((resized - size) / 2);

	step->start += step->step * left;
	step->out_size = size;
	if (std::fabs(step->step) == 1) {
		const double end = step->start + step->step * size;

		step->lo = std::max(step->lo, std::min(step->start, end));
		step->hi = std::min(step->hi, std::max(step->start, end));
	}
}

void
flip(dctload_step *step)
{
	step->start += step->step * step->out_size;
	step->step = -step->step;
}

/* The largest middle part with an allowed ratio. */
Window
fallback_window(const Size &size, const Attempts &attempts)
{
	const double ratio = size.width / size.height;
	double width = size.width, height = size.height;

	if (ratio < attempts.least_ratio)
		height = std::nearbyint(width / attempts.least_ratio);
	else if (ratio > attempts.most_ratio)
		width = std::nearbyint(height * attempts.most_ratio);
	return { std::floor((size.width - width) / 2),
		 std::floor((size.height - height) / 2), width, height };
}

} /* namespace */

Size
upright_size(const dctload_info &info, bool adjust_orientation)
{
	const uint8_t orientation = adjust_orientation ? info.orientation : 1;

	return { x_axis(info, orientation).size,
		 y_axis(info, orientation).size };
}

Window
choose_window(const Size &size, const Attempts &attempts)
{
	for (std::size_t i = 0; i < attempts.num; i++) {
		const double area =
			size.width * size.height * attempts.pairs[2 * i];
		const double ratio = attempts.pairs[2 * i + 1];
		const double width = std::nearbyint(std::sqrt(area * ratio));
		const double height = std::nearbyint(std::sqrt(area / ratio));

		/* Also false for what is not a number. */
		if (width > 0 && width <= size.width && height > 0 &&
		    height <= size.height)
			return { std::floor(attempts.left *
					    (size.width - width + 1)),
				 std::floor(attempts.top *
					    (size.height - height + 1)),
				 width, height };
	}
	return fallback_window(size, attempts);
}

dctload_geometry
make_geometry(const dctload_info &info, const Window &window, bool mirror,
	      const Target &target)
{
	const uint8_t orientation =
		target.adjust_orientation ? info.orientation : 1;
	const Axis x = x_axis(info, orientation), y = y_axis(info, orientation);
	double width = target.width, height = target.height;
	dctload_geometry geometry{};

	if (target.resize_shorter != 0) {
		const double shorter = target.resize_shorter;
		const double least = std::min(window.width, window.height);

		/* torchvision's rounding, of the longer side only. */
		width = window.width == least ?
				shorter :
				std::floor(shorter * window.width / least);
		height = window.height == least ?
				 shorter :
				 std::floor(shorter * window.height / least);
	}
	geometry.transpose = is_turned(orientation);
	geometry.num_x = geometry.num_y = 1;
	geometry.x[0] =
		crop_resize(x, window.left, window.width, width, target.filter);
	geometry.y[0] = crop_resize(y, window.top, window.height, height,
				    target.filter);
	keep_middle(&geometry.x[0], width, target.width);
	keep_middle(&geometry.y[0], height, target.height);
	if (mirror)
		flip(&geometry.x[0]);
	return geometry;
}

} /* namespace dctload */
