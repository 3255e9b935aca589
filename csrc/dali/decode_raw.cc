/* SPDX-License-Identifier: MIT */
/* decode_raw.cc - fn.dctload.decode_raw: the integers of JPEG files */
#include <stdexcept>

#include "emission.hpp"
#include "files.hpp"

namespace dctload
{

namespace
{

constexpr int COMPONENTS = 3, BLOCK_SIZE = 64;

size_t
num_blocks(const dctload_component &c)
{
	return size_t(c.blocks_h) * c.blocks_w;
}

} /* namespace */

class DecodeRaw : public FileOperator
{
      public:
	explicit DecodeRaw(const dali::OpSpec &spec);

      protected:
	bool SetupImpl(std::vector<dali::OutputDesc> &desc,
		       const dali::Workspace &ws) override;
	void RunImpl(dali::Workspace &ws) override;

      private:
	dali::TensorListShape<> grids(int num, int c);
	void place_in_outputs(dali::Workspace &ws, int num);
	void place_in_scratch(int num);
	void pack(dali::Workspace &ws, int num);
	void write_tables(dali::Workspace &ws, int num);

	Subset subset_;
	bool is_whole_; /* all 64 frequencies of all components */
	std::vector<int16_t> scratch_;
};

DecodeRaw::DecodeRaw(const dali::OpSpec &spec)
    : FileOperator(spec),
      subset_(parse_frequencies(spec.GetArgument<std::string>("frequencies")))
{
	is_whole_ = true;
	for (const auto &freqs : subset_)
		is_whole_ = is_whole_ && freqs.size() == BLOCK_SIZE;
}

/* Component c's grid of every sample; empty where there is no such component. */
dali::TensorListShape<>
DecodeRaw::grids(int num, int c)
{
	const int ndim = is_whole_ ? 4 : 3;
	dali::TensorListShape<> out(num, ndim);

	for (int i = 0; i < num; i++) {
		const dctload_info &info = item(i).info;
		const bool has =
			item(i).status == DCTLOAD_OK && c < info.num_components;
		const int64_t rows = has ? info.components[c].blocks_h : 0;
		const int64_t columns = has ? info.components[c].blocks_w : 0;
		const int64_t kept = int64_t(subset_[size_t(c)].size());

		if (is_whole_)
			out.set_tensor_shape(
				i, dali::TensorShape<4>{ rows, columns, 8, 8 });
		else
			out.set_tensor_shape(
				i, dali::TensorShape<3>{ rows, columns, kept });
	}
	return out;
}

bool
DecodeRaw::SetupImpl(std::vector<dali::OutputDesc> &desc,
		     const dali::Workspace &ws)
{
	const int num = read_headers(ws);

	/* As integers of Y, Cb and Cr nothing else can be understood. */
	for (int i = 0; i < num; i++)
		if (item(i).status == DCTLOAD_OK &&
		    item(i).info.color != DCTLOAD_GRAY &&
		    item(i).info.color != DCTLOAD_YCBCR)
			item(i).status = DCTLOAD_COLOR;
	desc.clear();
	for (int c = 0; c < COMPONENTS; c++)
		desc.push_back({ grids(num, c), DALI_INT16 });
	desc.push_back({ dali::uniform_list_shape(
				 num, dali::TensorShape<3>{ COMPONENTS, 8, 8 }),
			 DALI_INT32 });
	describe_status(&desc, num);
	return true;
}

void
DecodeRaw::place_in_outputs(dali::Workspace &ws, int num)
{
	for (int i = 0; i < num; i++)
		for (int c = 0; c < item(i).info.num_components; c++)
			if (item(i).status == DCTLOAD_OK)
				item(i).planes[c] =
					ws.Output<dali::CPUBackend>(c)
						.mutable_tensor<int16_t>(i);
}

void
DecodeRaw::place_in_scratch(int num)
{
	size_t need = 0, at = 0;

	for (int i = 0; i < num; i++)
		for (int c = 0; c < item(i).info.num_components; c++)
			if (item(i).status == DCTLOAD_OK)
				need += num_blocks(item(i).info.components[c]);
	if (scratch_.size() < need * BLOCK_SIZE)
		scratch_.resize(need * BLOCK_SIZE);
	for (int i = 0; i < num; i++) {
		for (int c = 0; c < item(i).info.num_components; c++) {
			if (item(i).status != DCTLOAD_OK)
				continue;
			item(i).planes[c] = scratch_.data() + at;
			at += num_blocks(item(i).info.components[c]) *
			      BLOCK_SIZE;
		}
	}
}

/* Keep the wanted frequencies of each block. */
void
DecodeRaw::pack(dali::Workspace &ws, int num)
{
	auto &pool = ws.GetThreadPool();

	for (int i = 0; i < num; i++) {
		if (item(i).status != DCTLOAD_OK)
			continue;
		pool.AddWork([this, &ws, i](int) {
			const dctload_item &it = item(i);

			for (int c = 0; c < it.info.num_components; c++) {
				const auto &freqs = subset_[size_t(c)];
				const size_t blocks =
					num_blocks(it.info.components[c]);
				const int16_t *from = it.planes[c];
				int16_t *to =
					ws.Output<dali::CPUBackend>(c)
						.mutable_tensor<int16_t>(i);

				for (size_t b = 0; b < blocks; b++) {
					for (const uint8_t f : freqs)
						*to++ = from[f];
					from += BLOCK_SIZE;
				}
			}
		});
	}
	pool.RunAll();
}

void
DecodeRaw::write_tables(dali::Workspace &ws, int num)
{
	for (int i = 0; i < num; i++) {
		const dctload_info &info = item(i).info;
		int32_t *out = ws.Output<dali::CPUBackend>(COMPONENTS)
				       .mutable_tensor<int32_t>(i);

		for (int c = 0; c < COMPONENTS; c++)
			for (int f = 0; f < BLOCK_SIZE; f++)
				*out++ = c < info.num_components ?
						 info.qtables[c][f] :
						 0;
	}
}

void
DecodeRaw::RunImpl(dali::Workspace &ws)
{
	const int num = ws.GetInputBatchSize(0);

	if (is_whole_)
		place_in_outputs(ws, num);
	else
		place_in_scratch(num);
	if (core.begin_decode(batch_.get(), uint32_t(num), &limits_, 0) !=
	    DCTLOAD_OK)
		throw std::logic_error("the batch is in use");
	run(ws);
	if (!is_whole_)
		pack(ws, num);
	write_tables(ws, num);
	finish(ws, COMPONENTS + 1);
}

} /* namespace dctload */

DALI_SCHEMA(dctload__DecodeRaw)
	.DocStr(R"(JPEG files to the integers that they hold, of their own sizes.

Nothing but the entropy code is undone: no dequantisation, cropping or resizing. Files
must be grey or YCbCr.

Four outputs: ``y``, ``cb`` and ``cr``, int16 ``(rows, columns, 8, 8)`` of blocks, ``[v, u]``
within one, or ``(rows, columns, K)`` if only some frequencies are kept; and the
quantisation tables, int32 ``(3, 8, 8)``. Grey files have no ``cb`` and ``cr`` (no rows and
columns) and zeroes as their tables. A file whose header cannot be read has no rows and
columns at all.)")
	.NumOutput(4)
	.AdditionalOutputsFn(::dctload::num_status_outputs)
	.MakeStateless()
	.NumInput(1)
	.InputDox(0, "files", "1-D TensorList of uint8",
		  "Encoded JPEG files, as readers give them.")
	.AddParent("dctload__Files")
	.AddOptionalArg("frequencies",
			R"(As ``fn.dctload.decode`` has it. Default: all.)",
			"192");

DALI_REGISTER_OPERATOR(dctload__DecodeRaw, ::dctload::DecodeRaw, ::dali::CPU);
