/* SPDX-License-Identifier: MIT */
/* decode.cc - fn.dctload.decode: from JPEG files to tensors of coefficients */
#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "arguments.hpp"
#include "emission.hpp"
#include "files.hpp"
#include "geometry.hpp"

namespace dctload
{

namespace
{

/* Of what is computed of a window in single precision, at 65,535 pixels. */
constexpr double TOLERANCE = 0.02;

constexpr uint32_t MAX_SIZE = 65536;

/* Of a window, in samples.  Any part of a sample can be enlarged, but not nothing. */
constexpr double MIN_LENGTH = 1e-3;

constexpr uint32_t
filter_of(dali::DALIInterpType interp)
{
	switch (interp) {
	case dali::DALI_INTERP_LINEAR:
	case dali::DALI_INTERP_TRIANGULAR:
		return DCTLOAD_BILINEAR;
	case dali::DALI_INTERP_CUBIC:
		return DCTLOAD_BICUBIC;
	case dali::DALI_INTERP_LANCZOS3:
		return DCTLOAD_LANCZOS;
	default:
		throw std::invalid_argument(
			"interp_type must be INTERP_LINEAR, INTERP_CUBIC, "
			"INTERP_LANCZOS3 or INTERP_TRIANGULAR");
	}
}

uint32_t
dtype_of(dali::DALIDataType dtype)
{
	switch (dtype) {
	case DALI_FLOAT:
		return DCTLOAD_F32;
	case DALI_FLOAT16:
		return DCTLOAD_F16;
	case DALI_INT16:
		return DCTLOAD_I16;
	case DALI_INT8:
		return DCTLOAD_I8;
	default:
		throw std::invalid_argument(
			"dtype must be FLOAT, FLOAT16, INT16 or INT8");
	}
}

/* Keeps a window that is outside by rounding only; NaN is never inside. */
bool
fit_inside(double *start, double *length, double size)
{
	if (!(*length >= MIN_LENGTH && *start >= -TOLERANCE &&
	      *start + *length <= size + TOLERANCE))
		return false;
	*start = std::max(*start, 0.0);
	*length = std::min(*length, size - *start);
	return *length >= MIN_LENGTH;
}

} /* namespace */

class Decode : public FileOperator
{
      public:
	explicit Decode(const dali::OpSpec &spec);

      protected:
	bool SetupImpl(std::vector<dali::OutputDesc> &desc,
		       const dali::Workspace &ws) override;
	void RunImpl(dali::Workspace &ws) override;

      private:
	void read_arguments(const dali::Workspace &ws, int num);
	void check_arguments(const std::string &order, int shorter) const;
	void set_size(uint32_t height, uint32_t width);
	Scaling scaling(uint32_t shorter_side) const;
	Window window(const dali::Workspace &ws, const Size &size, int i);
	Window given_window(const Size &size, int i) const;
	Window attempted_window(const Size &size, int i) const;
	void describe(std::vector<dali::OutputDesc> *desc, int num) const;

	SampleNumbers size_, anchor_, shape_, attempts_, mirror_;
	bool normalized_anchor_, normalized_shape_;
	std::string layout_, normalize_;
	std::vector<float> mean_, std_, scale_, shift_;
	dali::DALIDataType dtype_;
	Subset subset_;
	Target target_{};
	dctload_output output_{};
};

Decode::Decode(const dali::OpSpec &spec)
    : FileOperator(spec), size_(spec, "size"), anchor_(spec, "anchor"),
      shape_(spec, "shape"), attempts_(spec, "attempts"),
      mirror_(spec, "mirror"),
      normalized_anchor_(spec.GetArgument<bool>("normalized_anchor")),
      normalized_shape_(spec.GetArgument<bool>("normalized_shape")),
      layout_(spec.GetArgument<std::string>("layout")),
      normalize_(spec.GetArgument<std::string>("normalize")),
      mean_(spec.GetRepeatedArgument<float>("mean")),
      std_(spec.GetRepeatedArgument<float>("std")),
      scale_(spec.GetRepeatedArgument<float>("scale")),
      shift_(spec.GetRepeatedArgument<float>("shift")),
      dtype_(spec.GetArgument<dali::DALIDataType>("dtype")),
      subset_(parse_frequencies(spec.GetArgument<std::string>("frequencies")))
{
	const auto order = spec.GetArgument<std::string>("output_layout");
	const int shorter = spec.GetArgument<int>("resize_shorter");

	check_arguments(order, shorter);
	output_.layout = layout_ == "planes" ? DCTLOAD_PLANES : DCTLOAD_CONCAT;
	output_.dtype = dtype_of(dtype_);
	output_.channels_last = order == "HWC";
	target_.filter = filter_of(
		spec.GetArgument<dali::DALIInterpType>("interp_type"));
	target_.resize_shorter = uint32_t(shorter);
	target_.adjust_orientation =
		spec.GetArgument<bool>("adjust_orientation");
}

void
Decode::check_arguments(const std::string &order, int shorter) const
{
	if (layout_ != "concat" && layout_ != "planes")
		throw std::invalid_argument(
			"layout must be 'concat' or 'planes', got '" + layout_ +
			"'; integers as in the file are fn.dctload.decode_raw");
	if (order != "CHW" && order != "HWC")
		throw std::invalid_argument(
			"output_layout must be 'CHW' or 'HWC', got '" + order +
			"'");
	if (!normalize_.empty() + (!mean_.empty() || !std_.empty()) +
		    (!scale_.empty() || !shift_.empty()) >
	    1)
		throw std::invalid_argument(
			"normalize; mean and std; scale and "
			"shift: one of these, not two");
	if (attempts_ && (anchor_ || shape_))
		throw std::invalid_argument(
			"attempts and anchor, shape exclude each other");
	if (!size_)
		throw std::invalid_argument("size is needed: (height, width) "
					    "of every sample, or one "
					    "number for a square");
	if (shorter < 0)
		throw std::invalid_argument(
			"resize_shorter must be >= 0, got " +
			std::to_string(shorter));
}

Scaling
Decode::scaling(uint32_t shorter_side) const
{
	if (!normalize_.empty())
		return preset_scaling(normalize_, layout_, shorter_side);
	if (!mean_.empty() || !std_.empty())
		return statistics_scaling(mean_, std_, subset_);
	return given_scaling(scale_, shift_, subset_);
}

/* Size and statistics: known before the first batch, unless size is an input. */
void
Decode::set_size(uint32_t height, uint32_t width)
{
	const uint32_t unit = layout_ == "planes" ? 16 : 8;

	if (height == output_.height && width == output_.width && height != 0)
		return;
	if (height == 0 || width == 0 || height % unit || width % unit ||
	    height > MAX_SIZE || width > MAX_SIZE)
		throw std::invalid_argument("size for layout '" + layout_ +
					    "' must be multiples of " +
					    std::to_string(unit) + ", got " +
					    std::to_string(height) + " x " +
					    std::to_string(width));
	if (target_.resize_shorter != 0 &&
	    target_.resize_shorter < std::max(height, width))
		throw std::invalid_argument(
			"resize_shorter must be at least the size, got " +
			std::to_string(target_.resize_shorter));
	fill_channels(&output_, subset_, scaling(std::min(height, width)));
	output_.height = target_.height = height;
	output_.width = target_.width = width;
}

void
Decode::read_arguments(const dali::Workspace &ws, int num)
{
	size_.acquire(ws, num, { 1, 2 });
	anchor_.acquire(ws, num, { 2 });
	shape_.acquire(ws, num, { 2 });
	attempts_.acquire(ws, num, {});
	mirror_.acquire(ws, num, { 1 });
	for (int i = 0; i < num; i++) {
		const std::vector<double> sides = size_[i];

		for (const double side : sides)
			if (!(side >= 0 && side <= MAX_SIZE))
				throw std::invalid_argument(
					"size must be positive, got " +
					std::to_string(side));
		if (i > 0 && sides != size_[0])
			throw std::invalid_argument("size must be the same for "
						    "all samples of a batch");
		set_size(uint32_t(sides.front()), uint32_t(sides.back()));
	}
}

Window
Decode::given_window(const Size &size, int i) const
{
	Window out{ 0, 0, size.width, size.height };

	if (anchor_) {
		const std::vector<double> at = anchor_[i];

		out.top = at[0] * (normalized_anchor_ ? size.height : 1);
		out.left = at[1] * (normalized_anchor_ ? size.width : 1);
		out.height -= out.top;
		out.width -= out.left;
	}
	if (shape_) {
		const std::vector<double> extent = shape_[i];

		out.height = extent[0] * (normalized_shape_ ? size.height : 1);
		out.width = extent[1] * (normalized_shape_ ? size.width : 1);
	}
	return out;
}

Window
Decode::attempted_window(const Size &size, int i) const
{
	const std::vector<double> numbers = attempts_[i];
	const std::size_t num = numbers.size() / 2;

	if (num < 2 || numbers.size() % 2)
		throw std::invalid_argument("attempts must be pairs of area "
					    "and ratio, then top, left, "
					    "least and most ratio; got " +
					    std::to_string(numbers.size()) +
					    " numbers");
	const double *rest = numbers.data() + 2 * (num - 2);
	return choose_window(size, { numbers.data(), num - 2, rest[0], rest[1],
				     rest[2], rest[3] });
}

Window
Decode::window(const dali::Workspace &ws, const Size &size, int i)
{
	Window out =
		attempts_ ? attempted_window(size, i) : given_window(size, i);
	const Window wanted = out;
	char crop[256];

	if (fit_inside(&out.left, &out.width, size.width) &&
	    fit_inside(&out.top, &out.height, size.height))
		return out;
	/* Not a stream: DALI brings parts of a C++ library of another version. */
	std::snprintf(crop, sizeof(crop),
		      "the crop of %g x %g at (%g, %g) is empty or reaches "
		      "beyond the image of %g x %g (height x width)",
		      wanted.height, wanted.width, wanted.top, wanted.left,
		      size.height, size.width);
	throw std::invalid_argument(name(ws, i) + ": " + crop);
}

void
Decode::describe(std::vector<dali::OutputDesc> *desc, int num) const
{
	const int64_t y = output_.num_freqs[0];
	const int64_t chroma = output_.num_freqs[1] + output_.num_freqs[2];
	const int64_t rows = output_.height / 8, columns = output_.width / 8;
	const auto add = [&](int64_t c, int64_t h, int64_t w) {
		const auto shape = output_.channels_last ?
					   dali::TensorShape<3>{ h, w, c } :
					   dali::TensorShape<3>{ c, h, w };

		desc->push_back(
			{ dali::uniform_list_shape(num, shape), dtype_ });
	};

	if (output_.layout == DCTLOAD_CONCAT) {
		add(y + chroma, rows, columns);
		return;
	}
	add(y, rows, columns);
	add(chroma, rows / 2, columns / 2);
}

bool
Decode::SetupImpl(std::vector<dali::OutputDesc> &desc,
		  const dali::Workspace &ws)
{
	const int num = read_headers(ws);

	read_arguments(ws, num);
	for (int i = 0; i < num; i++) {
		dctload_item &it = item(i);

		if (it.status != DCTLOAD_OK)
			continue;
		const Size size =
			upright_size(it.info, target_.adjust_orientation);
		const bool mirror = mirror_ && mirror_[i].front() != 0;

		it.geometry = make_geometry(it.info, window(ws, size, i),
					    mirror, target_);
	}
	desc.clear();
	describe(&desc, num);
	describe_status(&desc, num);
	return true;
}

void
Decode::RunImpl(dali::Workspace &ws)
{
	const int num = ws.GetInputBatchSize(0);
	const int outputs = output_.layout == DCTLOAD_PLANES ? 2 : 1;
	const char *order = output_.channels_last ? "HWC" : "CHW";

	for (int k = 0; k < outputs; k++) {
		Samples &output = ws.Output<dali::CPUBackend>(k);

		output.SetLayout(order);
		for (int i = 0; i < num; i++)
			item(i).out[k] = output.raw_mutable_tensor(i);
	}
	if (core.begin_sample(batch_.get(), uint32_t(num), &limits_, 0,
			      &output_) != DCTLOAD_OK)
		throw std::logic_error("the batch is in use");
	run(ws);
	finish(ws, outputs);
}

namespace
{

int
num_outputs(const dali::OpSpec &spec)
{
	return spec.GetArgument<std::string>("layout") == "planes" ? 2 : 1;
}

} /* namespace */

} /* namespace dctload */

/* Two underscores in a name make a submodule: fn.dctload.decode. */
DALI_SCHEMA(dctload__Decode)
	.DocStr(R"(JPEG files to tensors of DCT coefficients, never to pixels.

Decodes the entropy code, then crops, resizes, mirrors, selects frequencies and
normalises in the DCT domain, as ``dctload.DataLoader`` does, with the same result.
A channel is a frequency, in the order of ``frequencies``; values are amplitudes of the
orthonormal 8x8 DCT of samples minus 128, then normalised.)")
	.NumOutput(1)
	.OutputFn(::dctload::num_outputs)
	.AdditionalOutputsFn(::dctload::num_status_outputs)
	.MakeStateless()
	.NumInput(1)
	.InputDox(0, "files", "1-D TensorList of uint8",
		  "Encoded JPEG files, as readers give them.")
	.AddParent("dctload__Files")
	.AddOptionalArg<int>(
		"size",
		R"(Height and width of every sample, or one number for a square:
multiples of 8, of 16 for ``layout="planes"``. As an input it may change from batch to
batch, not within one.)",
		std::vector<int>(), true)
	.AddOptionalArg<float>(
		"anchor",
		R"(Top and left of the crop window, as ``fn.random_crop_generator`` gives
it; integers or floats of any type. Default: (0, 0).)",
		std::vector<float>(), true)
	.AddOptionalArg<float>(
		"shape",
		R"(Height and width of the crop window. Default: what is left of the
image.)",
		std::vector<float>(), true)
	.AddOptionalArg(
		"normalized_anchor",
		R"(``anchor`` is in shares of the image's height and width.)",
		false)
	.AddOptionalArg(
		"normalized_shape",
		R"(``shape`` is in shares of the image's height and width.)",
		false)
	.AddOptionalArg<float>(
		"attempts",
		R"(Crop windows to try in turn, in place of ``anchor`` and ``shape``, as
float64 or float32: pairs of a share of the area and a ratio of width to height; then
the place of the window in [0, 1), from the top and from the left; then the least and
the most ratio of the middle part that is taken if none fits.)",
		std::vector<float>(), true)
	.AddOptionalArg(
		"resize_shorter",
		R"(Resize the window so that its shorter side has this length, and keep
the middle of ``size``. 0: resize the window to ``size``.)",
		0)
	.AddOptionalArg("mirror", R"(Exchange left and right if not 0.)", 0,
			true)
	.AddOptionalArg(
		"interp_type",
		R"(``INTERP_LINEAR``, ``INTERP_CUBIC`` or ``INTERP_LANCZOS3``, always
antialiased.)",
		::dali::DALI_INTERP_LINEAR)
	.AddOptionalArg("adjust_orientation",
			R"(Show images upright, as their EXIF data say.)", true)
	.AddOptionalArg(
		"frequencies",
		R"(A published subset by its name (``"6"``, ``"24"``, ``"48"``, ``"64"``,
``"192"``, ``"y"``, ...), or three lists of natural indices ``8 * v + u``, ascending, for Y,
Cb and Cr.)",
		"192")
	.AddOptionalArg(
		"normalize",
		R"(Name of the statistics that come with dctload, e.g. ``"imagenet"``.)",
		"")
	.AddOptionalArg<float>(
		"mean",
		R"(Subtracted from each channel: 192 values (Y, Cb, Cr, natural order),
or one for each channel that is kept.)",
		std::vector<float>())
	.AddOptionalArg<float>("std", R"(Divides each channel, likewise.)",
			       std::vector<float>())
	.AddOptionalArg<float>(
		"scale",
		R"(Multiplies each channel, likewise, in place of ``mean`` and ``std``.)",
		std::vector<float>())
	.AddOptionalArg<float>("shift",
			       R"(Added to each channel after that, likewise.)",
			       std::vector<float>())
	.AddOptionalArg(
		"layout",
		R"(``"concat"``: one output, Y, Cb and Cr at (H / 8, W / 8).
``"planes"``: two, Y at (H / 8, W / 8), Cb and Cr at (H / 16, W / 16).)",
		"concat")
	.AddOptionalArg("output_layout", R"(``"CHW"`` or ``"HWC"``.)", "CHW")
	.AddOptionalTypeArg(
		"dtype",
		R"(``FLOAT``, ``FLOAT16``, or rounded to nearest even and saturated
``INT16`` or ``INT8``.)",
		DALI_FLOAT);

DALI_REGISTER_OPERATOR(dctload__Decode, ::dctload::Decode, ::dali::CPU);
