#pragma once
#include <stddef.h>
#include <stdint.h>

/// A library context of OpenSSL with the algorithms that are fetched once: about 212 KB. For one thread.
typedef struct copenssl_library copenssl_library;

/// NULL when memory is short, or a needed algorithm is missing.
copenssl_library *copenssl_library_new(void);
/// Everything made of the library must be gone.
void copenssl_library_free(copenssl_library *library);

/// Overwrites memory that held a secret, in a way that no compiler leaves out.
void copenssl_cleanse(void *bytes, size_t count);
/// Fills with unpredictable bytes; 0 when there are none.
int copenssl_random(uint8_t *bytes, size_t count);
/// Makes `fill` the source of all randomness of the process, for simulations: equal sources make equal handshakes. It
/// answers 1. NULL restores the library's own.
void copenssl_use_random(int (*fill)(uint8_t *bytes, size_t count));
/// Whether tickets and hellos of the calling thread are without real time, for simulations. Before contexts are made.
void copenssl_hide_time(int hides);

/// Handshakes of the library that are not freed.
size_t copenssl_library_handshakes(const copenssl_library *library);

void copenssl_sha256(const uint8_t *bytes, size_t count, uint8_t digest[32]);
