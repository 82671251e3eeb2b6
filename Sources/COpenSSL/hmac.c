#include "hmac.h"

#include <openssl/crypto.h>
#include <string.h>

void copenssl_hash_begin(copenssl_hash *hash, size_t count) {
  if (count == SHA256_DIGEST_LENGTH)
    SHA256_Init(&hash->sha256);
  else
    SHA384_Init(&hash->sha384);
}

void copenssl_hash_update(copenssl_hash *hash, size_t count, const void *bytes, size_t length) {
  if (count == SHA256_DIGEST_LENGTH)
    SHA256_Update(&hash->sha256, bytes, length);
  else
    SHA384_Update(&hash->sha384, bytes, length);
}

void copenssl_hash_end(copenssl_hash *hash, size_t count, uint8_t *to) {
  if (count == SHA256_DIGEST_LENGTH)
    SHA256_Final(to, &hash->sha256);
  else
    SHA384_Final(to, &hash->sha384);
}

void copenssl_hmac_key_make(copenssl_hmac_key *key, size_t count, const void *secret, size_t length) {
  uint8_t block[SHA512_CBLOCK] = {0};
  const size_t block_count = count == SHA256_DIGEST_LENGTH ? SHA256_CBLOCK : SHA512_CBLOCK;
  key->count = count;
  if (length > block_count) {
    copenssl_hash_begin(&key->inner, count);
    copenssl_hash_update(&key->inner, count, secret, length);
    copenssl_hash_end(&key->inner, count, block);
  } else if (length > 0) {
    memcpy(block, secret, length);
  }
  for (size_t i = 0; i < block_count; i++) block[i] ^= 0x36;
  copenssl_hash_begin(&key->inner, count);
  copenssl_hash_update(&key->inner, count, block, block_count);
  for (size_t i = 0; i < block_count; i++) block[i] ^= 0x36 ^ 0x5c;
  copenssl_hash_begin(&key->outer, count);
  copenssl_hash_update(&key->outer, count, block, block_count);
  OPENSSL_cleanse(block, sizeof block);
}

copenssl_hash copenssl_hmac_begin(const copenssl_hmac_key *key) { return key->inner; }

void copenssl_hmac_end(const copenssl_hmac_key *key, copenssl_hash *message, uint8_t *to) {
  uint8_t digest[hmac_max];
  copenssl_hash_end(message, key->count, digest);
  *message = key->outer;
  copenssl_hash_update(message, key->count, digest, key->count);
  copenssl_hash_end(message, key->count, to);
  OPENSSL_cleanse(digest, sizeof digest);
}
