/* SPDX-License-Identifier: MIT */
/* peek_shape.cc - fn.dctload.peek_shape: sizes of JPEG files, from their headers */
#include "files.hpp"
#include "geometry.hpp"

namespace dctload
{

class PeekShape : public FileOperator
{
      public:
	explicit PeekShape(const dali::OpSpec &spec)
	    : FileOperator(spec),
	      adjust_orientation_(spec.GetArgument<bool>("adjust_orientation"))
	{
	}

      protected:
	bool
	SetupImpl(std::vector<dali::OutputDesc> &desc,
		  const dali::Workspace &ws) override
	{
		const int num = read_headers(ws);

		desc.clear();
		desc.push_back({ dali::uniform_list_shape(
					 num, dali::TensorShape<1>{ 3 }),
				 DALI_INT64 });
		describe_status(&desc, num);
		return true;
	}

	void RunImpl(dali::Workspace &ws) override;

      private:
	bool adjust_orientation_;
};

void
PeekShape::RunImpl(dali::Workspace &ws)
{
	const int num = ws.GetInputBatchSize(0);

	/* Before the shapes: those of bad files are 1, not the policy's zeroes. */
	finish(ws, 1);
	for (int i = 0; i < num; i++) {
		const dctload_info &info = item(i).info;
		int64_t *out =
			ws.Output<dali::CPUBackend>(0).mutable_tensor<int64_t>(
				i);

		out[0] = out[1] = out[2] = 1;
		if (item(i).status != DCTLOAD_OK)
			continue;
		const Size size = upright_size(info, adjust_orientation_);

		out[0] = int64_t(size.height);
		out[1] = int64_t(size.width);
		out[2] = info.num_components;
	}
}

} /* namespace dctload */

DALI_SCHEMA(dctload__PeekShape)
	.DocStr(R"(Height, width and number of components of JPEG files, int64.

As ``fn.peek_image_shape``, for ``fn.random_crop_generator``; reads headers only. Files that
cannot be read have the shape (1, 1, 1) with ``on_error="zero"``.)")
	.NumOutput(1)
	.AdditionalOutputsFn(::dctload::num_status_outputs)
	.MakeStateless()
	.NumInput(1)
	.InputDox(0, "files", "1-D TensorList of uint8",
		  "Encoded JPEG files, as readers give them.")
	.AddParent("dctload__Files")
	.AddOptionalArg(
		"adjust_orientation",
		R"(The size of the image shown upright, as its EXIF data say.)",
		true);

DALI_REGISTER_OPERATOR(dctload__PeekShape, ::dctload::PeekShape, ::dali::CPU);
