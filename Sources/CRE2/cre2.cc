#include "CRE2.h"

#include <re2/re2.h>

#include <cstring>
#include <new>
#include <string>

struct cre2_regex {
  re2::RE2 expression;
  cre2_regex(const re2::StringPiece &pattern, const re2::RE2::Options &options)
      : expression(pattern, options) {}
};

namespace {

re2::StringPiece piece(const uint8_t *text, size_t count) {
  return re2::StringPiece(reinterpret_cast<const char *>(text), count);
}

void put_message(const std::string &message, char *error, size_t capacity) {
  if (capacity == 0) return;
  size_t count = message.size() < capacity - 1 ? message.size() : capacity - 1;
  memcpy(error, message.data(), count);
  error[count] = 0;
}

constexpr int kGroupsMax = 10;

}  // namespace

extern "C" {

cre2_regex *cre2_compile(const uint8_t *pattern, size_t count, int case_sensitive, char *error,
                         size_t error_capacity) {
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_case_sensitive(case_sensitive != 0);
  cre2_regex *regex = new (std::nothrow) cre2_regex(piece(pattern, count), options);
  if (regex == nullptr) {
    put_message("out of memory", error, error_capacity);
    return nullptr;
  }
  if (!regex->expression.ok()) {
    put_message(regex->expression.error(), error, error_capacity);
    delete regex;
    return nullptr;
  }
  return regex;
}

void cre2_delete(cre2_regex *regex) { delete regex; }

int cre2_program_size(const cre2_regex *regex) { return regex->expression.ProgramSize(); }

int cre2_group_count(const cre2_regex *regex) {
  return regex->expression.NumberOfCapturingGroups();
}

int cre2_full_match(const cre2_regex *regex, const uint8_t *text, size_t count) {
  return regex->expression.Match(piece(text, count), 0, count, re2::RE2::ANCHOR_BOTH, nullptr, 0);
}

int cre2_partial_match(const cre2_regex *regex, const uint8_t *text, size_t count) {
  return regex->expression.Match(piece(text, count), 0, count, re2::RE2::UNANCHORED, nullptr, 0);
}

int cre2_check_rewrite(const cre2_regex *regex, const uint8_t *rewrite, size_t count, char *error,
                       size_t error_capacity) {
  std::string message;
  if (regex->expression.CheckRewriteString(piece(rewrite, count), &message)) return 1;
  put_message(message, error, error_capacity);
  return 0;
}

int64_t cre2_global_replace(const cre2_regex *regex, const uint8_t *text, size_t count,
                            const uint8_t *rewrite, size_t rewrite_count, uint8_t *output,
                            size_t capacity, int *replacements) {
  size_t written = 0;
  auto put = [&](const char *bytes, size_t n) {
    if (n == 0) return;
    if (written < capacity) {
      size_t room = capacity - written;
      memcpy(output + written, bytes, n < room ? n : room);
    }
    written += n;
  };
  re2::StringPiece groups[kGroupsMax];
  int wanted = regex->expression.NumberOfCapturingGroups() + 1;
  if (wanted > kGroupsMax) wanted = kGroupsMax;
  re2::StringPiece input = piece(text, count);
  const char *const begin = input.data();
  size_t at = 0;
  bool after_match = false;  // an empty match right after a match is not taken
  *replacements = 0;
  while (at <= count) {
    if (!regex->expression.Match(input, at, count, re2::RE2::UNANCHORED, groups, wanted)) break;
    size_t from = static_cast<size_t>(groups[0].data() - begin);
    size_t length = groups[0].size();
    put(begin + at, from - at);
    if (length == 0 && after_match && from == at) {
      if (at == count) break;
      // step over one UTF-8 character
      size_t step = 1;
      while (at + step < count && (static_cast<uint8_t>(begin[at + step]) & 0xC0) == 0x80) step++;
      put(begin + at, step);
      at += step;
      after_match = false;
      continue;
    }
    for (size_t i = 0; i < rewrite_count; i++) {
      uint8_t c = rewrite[i];
      if (c != '\\') {
        put(reinterpret_cast<const char *>(&c), 1);
        continue;
      }
      if (++i == rewrite_count) return -1;
      c = rewrite[i];
      if (c == '\\') {
        put("\\", 1);
      } else if (c >= '0' && c <= '9' && c - '0' < wanted) {
        put(groups[c - '0'].data(), groups[c - '0'].size());
      } else {
        return -1;
      }
    }
    ++*replacements;
    at = from + length;
    after_match = true;
  }
  if (at < count) put(begin + at, count - at);
  return static_cast<int64_t>(written);
}

}  // extern "C"
