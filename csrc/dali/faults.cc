/* SPDX-License-Identifier: MIT */
/* faults.cc - what becomes of a file that cannot be decoded */
#include "faults.hpp"

#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>

namespace dctload
{

namespace
{

constexpr std::size_t MAX_NAMES = 1000, MAX_WARNINGS = 10;

std::mutex lock;
std::size_t num;
std::map<std::string, std::string> messages; /* by name */

} /* namespace */

OnError
parse_on_error(const std::string &text)
{
	if (text == "raise")
		return OnError::RAISE;
	if (text == "zero")
		return OnError::ZERO;
	throw std::invalid_argument(
		"on_error must be 'raise' or 'zero', got '" + text + "'");
}

std::string
fault_message(const std::string &name, const dctload_item &item)
{
	const int group = item.status / 100;
	std::string out = name + ": " + core.status_text(item.status);

	/* The others are not about the file's contents. */
	if (group >= 1 && group <= 3)
		out += " at byte " + std::to_string(item.error_offset) +
		       " of " + std::to_string(item.in_nbytes);
	return out;
}

bool
count_fault(const std::string &name, const std::string &message)
{
	const std::lock_guard<std::mutex> guard(lock);

	num++;
	if (messages.size() >= MAX_NAMES)
		return false;
	const bool is_new = messages.emplace(name, message).second;
	return is_new && messages.size() <= MAX_WARNINGS;
}

std::size_t
num_faults(void)
{
	const std::lock_guard<std::mutex> guard(lock);

	return num;
}

std::size_t
list_faults(char *out, std::size_t capacity)
{
	const std::lock_guard<std::mutex> guard(lock);
	std::string text;

	for (const auto &[name, message] : messages)
		text += message + '\0';
	if (text.size() <= capacity)
		std::memcpy(out, text.data(), text.size());
	return text.size();
}

} /* namespace dctload */
