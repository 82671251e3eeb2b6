#pragma once
// How TLS derives keys: HKDF (RFC 5869), its labels (RFC 8446, section 7.1), and the PRF of TLS 1.2 (RFC 5246, section 5).
#include <stddef.h>
#include <stdint.h>

/// A run of bytes.
typedef struct {
  const uint8_t *bytes;
  size_t count;
} copenssl_run;

/// HKDF-Extract.
/// - hash: 32 for SHA-256, 48 for SHA-384; so much is written.
void copenssl_extract(size_t hash, copenssl_run salt, copenssl_run secret, uint8_t *to);
/// HKDF-Expand-Label; `prefix` is "tls13 " as a rule. 0 when something is too long.
int copenssl_expand_label(size_t hash, copenssl_run secret, copenssl_run prefix, copenssl_run label, copenssl_run data,
                          uint8_t *to, size_t count);
/// P_hash.
void copenssl_prf(size_t hash, copenssl_run secret, const copenssl_run *seeds, size_t seed_count, uint8_t *to,
                  size_t count);
