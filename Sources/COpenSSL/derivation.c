#include "derivation.h"
#include "hmac.h"

#include <openssl/crypto.h>
#include <string.h>

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

void copenssl_extract(size_t hash, copenssl_run salt, copenssl_run secret, uint8_t *to) {
  copenssl_hmac_key key;
  copenssl_hmac_key_make(&key, hash, salt.bytes, salt.count);
  copenssl_hash message = copenssl_hmac_begin(&key);
  copenssl_hash_update(&message, hash, secret.bytes, secret.count);
  copenssl_hmac_end(&key, &message, to);
  OPENSSL_cleanse(&key, sizeof key);
}

/// HKDF-Expand.
static void expand(size_t hash, copenssl_run secret, const uint8_t *info, size_t info_count, uint8_t *to, size_t count) {
  copenssl_hmac_key key;
  copenssl_hmac_key_make(&key, hash, secret.bytes, secret.count);
  uint8_t block[hmac_max];
  for (uint8_t number = 1; count > 0; number++) {
    copenssl_hash message = copenssl_hmac_begin(&key);
    if (number > 1) copenssl_hash_update(&message, hash, block, hash);
    copenssl_hash_update(&message, hash, info, info_count);
    copenssl_hash_update(&message, hash, &number, 1);
    copenssl_hmac_end(&key, &message, block);
    const size_t part = least(count, hash);
    memcpy(to, block, part);
    to += part;
    count -= part;
  }
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(&key, sizeof key);
}

static uint8_t *append(uint8_t *at, copenssl_run run) {
  if (run.count > 0) memcpy(at, run.bytes, run.count);
  return at + run.count;
}

int copenssl_expand_label(size_t hash, copenssl_run secret, copenssl_run prefix, copenssl_run label, copenssl_run data,
                          uint8_t *to, size_t count) {
  if (prefix.count + label.count > 255 || data.count > 255 || count > 255 * hash) return 0;
  uint8_t info[2 + 1 + 255 + 1 + 255], *at = info;
  *at++ = (uint8_t)(count >> 8);
  *at++ = (uint8_t)count;
  *at++ = (uint8_t)(prefix.count + label.count);
  at = append(append(at, prefix), label);
  *at++ = (uint8_t)data.count;
  at = append(at, data);
  expand(hash, secret, info, (size_t)(at - info), to, count);
  return 1;
}

static void seed(copenssl_hash *message, size_t hash, const copenssl_run *seeds, size_t seed_count) {
  for (size_t i = 0; i < seed_count; i++) copenssl_hash_update(message, hash, seeds[i].bytes, seeds[i].count);
}

void copenssl_prf(size_t hash, copenssl_run secret, const copenssl_run *seeds, size_t seed_count, uint8_t *to,
                  size_t count) {
  copenssl_hmac_key key;
  copenssl_hmac_key_make(&key, hash, secret.bytes, secret.count);
  uint8_t chain[hmac_max], block[hmac_max]; // A(i), and what it gives
  copenssl_hash message = copenssl_hmac_begin(&key);
  seed(&message, hash, seeds, seed_count);
  copenssl_hmac_end(&key, &message, chain);
  while (count > 0) {
    message = copenssl_hmac_begin(&key);
    copenssl_hash_update(&message, hash, chain, hash);
    seed(&message, hash, seeds, seed_count);
    copenssl_hmac_end(&key, &message, block);
    const size_t part = least(count, hash);
    memcpy(to, block, part);
    to += part;
    count -= part;
    message = copenssl_hmac_begin(&key);
    copenssl_hash_update(&message, hash, chain, hash);
    copenssl_hmac_end(&key, &message, chain);
  }
  OPENSSL_cleanse(chain, sizeof chain);
  OPENSSL_cleanse(block, sizeof block);
  OPENSSL_cleanse(&key, sizeof key);
}
