#pragma once
#include "COpenSSLLibrary.h"

/// The ciphers that records can be protected with outside of an SSL.
typedef enum {
  COPENSSL_AES_128_GCM = 0,
  COPENSSL_AES_256_GCM = 1,
  COPENSSL_CHACHA20_POLY1305 = 2,
} copenssl_suite;

/// One cipher context with its key, for one direction.
typedef struct copenssl_aead copenssl_aead;

/// `key` has 16 bytes for AES-128 and 32 for the others.
copenssl_aead *copenssl_aead_new(copenssl_library *library, int suite, int is_sealing, const uint8_t *key);
/// Cleanses the key.
void copenssl_aead_free(copenssl_aead *aead);

// One record: begin, update for each run in order (`to` may be `from`), end. All answer 1, or 0.
int copenssl_aead_begin(copenssl_aead *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_count);
int copenssl_aead_update(copenssl_aead *aead, const uint8_t *from, uint8_t *to, size_t count);
int copenssl_aead_seal_end(copenssl_aead *aead, uint8_t *tag);
/// 1 when the record is authentic.
int copenssl_aead_open_end(copenssl_aead *aead, const uint8_t *tag);

/// What protects one direction. Plain data: whoever holds the last copy frees it.
typedef struct {
  copenssl_aead *aead;
  uint64_t sequence;  // of the next record
  uint64_t nonce;     // TLS 1.2 with AES-GCM: the explicit nonce of the next record sealed
  uint8_t iv[12];     // TLS 1.2 with AES-GCM: the first four bytes are the salt
  uint8_t secret[48]; // TLS 1.3: the traffic secret
} copenssl_direction;

/// The address of a direction's IV: what Swift's view of the array as a tuple does not give for nothing.
static inline const uint8_t *copenssl_direction_iv(const copenssl_direction *direction) { return direction->iv; }

/// Both directions of a connection.
typedef struct {
  copenssl_direction read, write;
  uint8_t suite, is_tls13, secret_count;
} copenssl_keys;

/// Keys of TLS 1.3 from the two traffic secrets of the hash's size (32 bytes, 48 for AES-256), sequences at 0. 1, or 0.
int copenssl_keys_from_secrets(copenssl_library *library, int suite, const uint8_t *read_secret,
                               const uint8_t *write_secret, copenssl_keys *to);
/// Keys of TLS 1.2 (RFC 5246, section 6.3) from the master secret, sequences at 1: both Finished messages have been.
int copenssl_keys_from_master(copenssl_library *library, int suite, int is_server, const uint8_t *master,
                              size_t master_count, const uint8_t client_random[32], const uint8_t server_random[32],
                              copenssl_keys *to);
/// The next generation of one direction (RFC 8446, section 7.2): secret, key, IV, sequence 0. 1, or 0 with nothing changed.
int copenssl_next_secret(copenssl_library *library, copenssl_keys *keys, int is_read);
/// Frees both cipher contexts and cleanses all of it.
void copenssl_keys_free(copenssl_keys *keys);
