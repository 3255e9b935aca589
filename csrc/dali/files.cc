/* SPDX-License-Identifier: MIT */
/* files.cc - what the operators share: encoded files in, a policy for bad ones */
#include "files.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <numeric>
#include <stdexcept>

namespace dctload
{

namespace
{

void
free_batch(dctload_batch *batch)
{
	core.free_batch(batch);
}

void
free_worker(dctload_worker *worker)
{
	core.free_worker(worker);
}

dctload_limits
limits_of(const dali::OpSpec &spec)
{
	dctload_limits limits;
	const int64_t max_pixels = spec.GetArgument<int64_t>("max_pixels");

	if (core.default_limits == nullptr)
		throw std::runtime_error(
			"this plugin is dctload's: it works in a "
			"process that has imported dctload.dali");
	core.default_limits(&limits);
	if (max_pixels < 0)
		throw std::invalid_argument("max_pixels must be >= 0, got " +
					    std::to_string(max_pixels));
	if (max_pixels > 0)
		limits.max_pixels = uint64_t(max_pixels);
	return limits;
}

} /* namespace */

FileOperator::FileOperator(const dali::OpSpec &spec)
    : StatelessOperator(spec),
      on_error_(parse_on_error(spec.GetArgument<std::string>("on_error"))),
      limits_(limits_of(spec)), batch_(nullptr, free_batch)
{
}

void
FileOperator::place_items(const Samples &input, int num)
{
	std::vector<size_t> order(static_cast<size_t>(num));

	std::iota(order.begin(), order.end(), size_t(0));
	std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
		return input.tensor_shape_span(int(a))[0] >
		       input.tensor_shape_span(int(b))[0];
	});
	place_.resize(order.size());
	for (size_t k = 0; k < order.size(); k++)
		place_[order[k]] = k;
}

int
FileOperator::read_headers(const dali::Workspace &ws)
{
	const Samples &input = ws.Input<dali::CPUBackend>(0);
	const int num = input.num_samples();

	if (input.type() != DALI_UINT8 || input.sample_dim() != 1)
		throw std::invalid_argument("the input must be encoded files: "
					    "one-dimensional, uint8");
	if (num > capacity_) {
		batch_.reset(core.alloc_batch(uint32_t(num)));
		if (batch_ == nullptr)
			throw std::bad_alloc();
		capacity_ = num;
	}
	place_items(input, num);
	for (int i = 0; i < num; i++) {
		dctload_item &it = item(i);
		size_t offset = 0;

		it.in = static_cast<const uint8_t *>(input.raw_tensor(i));
		it.in_nbytes = size_t(input.tensor_shape_span(i)[0]);
		it.status = core.read_info(it.in, it.in_nbytes, &limits_,
					   &it.info, &offset);
		it.error_offset = offset;
	}
	return num;
}

std::string
FileOperator::name(const dali::Workspace &ws, int i) const
{
	const Samples &input = ws.Input<dali::CPUBackend>(0);
	const std::string &source = input.GetMeta(i).GetSourceInfo();

	return source.empty() ? "sample " + std::to_string(i) : source;
}

void
FileOperator::run(dali::Workspace &ws)
{
	auto &pool = ws.GetThreadPool();

	while (int(workers_.size()) < pool.NumThreads()) {
		workers_.emplace_back(core.alloc_worker(), free_worker);
		if (workers_.back() == nullptr) {
			workers_.pop_back();
			throw std::bad_alloc();
		}
	}
	for (int i = 0; i < pool.NumThreads(); i++)
		pool.AddWork([this](int thread) {
			core.work(batch_.get(), workers_[size_t(thread)].get());
		});
	pool.RunAll();
}

void
FileOperator::fail(dali::Workspace &ws, int outputs, int i)
{
	const std::string file = name(ws, i);
	const std::string message = fault_message(file, item(i));

	if (on_error_ == OnError::RAISE)
		throw std::runtime_error(message);
	if (count_fault(file, message))
		DALI_WARN("dctload: ", message, " (on_error='zero')");
	for (int k = 0; k < outputs; k++) {
		Samples &output = ws.Output<dali::CPUBackend>(k);
		const size_t nbytes =
			size_t(dali::volume(output.tensor_shape_span(i))) *
			output.type_info().size();

		if (nbytes != 0)
			std::memset(output.raw_mutable_tensor(i), 0, nbytes);
	}
}

void
FileOperator::finish(dali::Workspace &ws, int outputs)
{
	const int num = ws.GetInputBatchSize(0);

	for (int i = 0; i < num; i++) {
		if (item(i).status != DCTLOAD_OK)
			fail(ws, outputs, i);
		if (on_error_ == OnError::ZERO)
			*ws.Output<dali::CPUBackend>(outputs)
				 .mutable_tensor<int32_t>(i) =
				int32_t(item(i).status);
	}
}

void
FileOperator::describe_status(std::vector<dali::OutputDesc> *desc,
			      int num) const
{
	if (on_error_ == OnError::ZERO)
		desc->push_back(
			{ dali::uniform_list_shape(num, dali::TensorShape<0>{}),
			  DALI_INT32 });
}

int
num_status_outputs(const dali::OpSpec &spec)
{
	const auto on_error = spec.GetArgument<std::string>("on_error");

	return parse_on_error(on_error) == OnError::ZERO;
}

} /* namespace dctload */

/* The arguments that all have. */
DALI_SCHEMA(dctload__Files)
	.AddOptionalArg("on_error",
			R"(What to do about a file that cannot be decoded.

``"raise"``
  An error names it, the reason and the byte. That ends a pipeline; build it again.
``"zero"``
  Its tensors are zeroes and it is counted (``dctload.dali.bad_files()``). One more output,
  the last, holds a status for each sample, int32: 0 if it is good.)",
			"raise")
	.AddOptionalArg("max_pixels",
			R"(Refuse larger images; 0: 178,956,970, as Pillow.)",
			int64_t(0));
