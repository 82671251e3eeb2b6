#pragma once
// A C face for libre2: compile, match, replace, delete. No policy. Every function is safe to call
// from several threads on one compiled expression.
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cre2_regex cre2_regex;

/// Compiles `pattern`. On failure returns NULL and writes a NUL-terminated message of at most
/// `error_capacity` bytes to `error`. `case_sensitive` 0 folds case.
cre2_regex *cre2_compile(const uint8_t *pattern, size_t count, int case_sensitive, char *error,
                         size_t error_capacity);
void cre2_delete(cre2_regex *regex);

/// RE2's measure of the compiled program's size.
int cre2_program_size(const cre2_regex *regex);
int cre2_group_count(const cre2_regex *regex);

/// 1 when the expression matches the whole text.
int cre2_full_match(const cre2_regex *regex, const uint8_t *text, size_t count);
/// 1 when the expression matches somewhere in the text.
int cre2_partial_match(const cre2_regex *regex, const uint8_t *text, size_t count);

/// 1 when `rewrite` (with \0 to \9) is well formed for the expression; otherwise writes a message.
int cre2_check_rewrite(const cre2_regex *regex, const uint8_t *rewrite, size_t count, char *error,
                       size_t error_capacity);

/// Replaces every non-overlapping match by `rewrite`, from left to right. Writes at most `capacity`
/// bytes to `output` and returns the full length of the result; -1 when `rewrite` is malformed.
/// `replacements` receives the number of matches.
int64_t cre2_global_replace(const cre2_regex *regex, const uint8_t *text, size_t count,
                            const uint8_t *rewrite, size_t rewrite_count, uint8_t *output,
                            size_t capacity, int *replacements);

#ifdef __cplusplus
}
#endif
