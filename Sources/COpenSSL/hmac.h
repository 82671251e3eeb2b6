#pragma once
// HMAC (RFC 2104) over the library's SHA-2, without its generic layers: those fetch the hash by name for each use, which
// costs several times what hashing does.
#include <stddef.h>
#include <stdint.h>

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

enum { hmac_max = 48 };

typedef union {
  SHA256_CTX sha256;
  SHA512_CTX sha384;
} copenssl_hash;

/// A key that is ready: `inner` and `outer` have taken it in.
typedef struct {
  size_t count; // of the output: 32 or 48
  copenssl_hash inner, outer;
} copenssl_hmac_key;

/// - count: 32 for SHA-256, 48 for SHA-384.
void copenssl_hash_begin(copenssl_hash *hash, size_t count);
void copenssl_hash_update(copenssl_hash *hash, size_t count, const void *bytes, size_t length);
void copenssl_hash_end(copenssl_hash *hash, size_t count, uint8_t *to);

void copenssl_hmac_key_make(copenssl_hmac_key *key, size_t count, const void *secret, size_t length);
/// Begins a message; go on with `copenssl_hash_update`, end with `copenssl_hmac_end`.
copenssl_hash copenssl_hmac_begin(const copenssl_hmac_key *key);
void copenssl_hmac_end(const copenssl_hmac_key *key, copenssl_hash *message, uint8_t *to);
