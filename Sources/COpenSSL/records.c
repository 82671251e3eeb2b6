// AEAD over runs of any size, and the keys for it.
#include "derivation.h"
#include "internal.h"

#include <string.h>

enum { tag_count = 16 };

size_t copenssl_key_count(int suite) { return suite == COPENSSL_AES_128_GCM ? 16 : 32; }
size_t copenssl_secret_count(int suite) { return suite == COPENSSL_AES_256_GCM ? 48 : 32; }

static EVP_CIPHER_CTX *context_of(copenssl_aead *aead) { return (EVP_CIPHER_CTX *)aead; }

copenssl_aead *copenssl_aead_new(copenssl_library *library, int suite, int is_sealing, const uint8_t *key) {
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  if (context && EVP_CipherInit_ex2(context, library->ciphers[suite], key, NULL, is_sealing, NULL) != 1) {
    EVP_CIPHER_CTX_free(context);
    return NULL;
  }
  return (copenssl_aead *)context;
}

void copenssl_aead_free(copenssl_aead *aead) { EVP_CIPHER_CTX_free(context_of(aead)); }

int copenssl_aead_begin(copenssl_aead *aead, const uint8_t *nonce, const uint8_t *aad, size_t aad_count) {
  int made = 0;
  return EVP_CipherInit_ex2(context_of(aead), NULL, NULL, nonce, -1, NULL) == 1 &&
         EVP_CipherUpdate(context_of(aead), NULL, &made, aad, (int)aad_count) == 1;
}

int copenssl_aead_update(copenssl_aead *aead, const uint8_t *from, uint8_t *to, size_t count) {
  int made = 0;
  // An empty update would end the additional data's turn in some ciphers and not in others.
  if (count == 0) return 1;
  return EVP_CipherUpdate(context_of(aead), to, &made, from, (int)count) == 1 && made == (int)count;
}

int copenssl_aead_seal_end(copenssl_aead *aead, uint8_t *tag) {
  uint8_t nothing[tag_count];
  int made = 0;
  return EVP_EncryptFinal_ex(context_of(aead), nothing, &made) == 1 && made == 0 &&
         EVP_CIPHER_CTX_ctrl(context_of(aead), EVP_CTRL_AEAD_GET_TAG, tag_count, tag) == 1;
}

int copenssl_aead_open_end(copenssl_aead *aead, const uint8_t *tag) {
  uint8_t nothing[tag_count];
  int made = 0;
  return EVP_CIPHER_CTX_ctrl(context_of(aead), EVP_CTRL_AEAD_SET_TAG, tag_count, (void *)tag) == 1 &&
         EVP_DecryptFinal_ex(context_of(aead), nothing, &made) == 1;
}

// MARK: - TLS 1.3

static void expand(int suite, const uint8_t *secret, const char *label, uint8_t *to, size_t count) {
  const size_t hash = copenssl_secret_count(suite);
  static const copenssl_run prefix = {(const uint8_t *)"tls13 ", 6};
  copenssl_expand_label(hash, (copenssl_run){secret, hash}, prefix, (copenssl_run){(const uint8_t *)label, strlen(label)},
                        (copenssl_run){NULL, 0}, to, count);
}

static int direction_from_secret(copenssl_library *library, int suite, int is_sealing,
                                   copenssl_direction *direction) {
  uint8_t key[32];
  expand(suite, direction->secret, "key", key, copenssl_key_count(suite));
  expand(suite, direction->secret, "iv", direction->iv, sizeof direction->iv);
  direction->aead = copenssl_aead_new(library, suite, is_sealing, key);
  OPENSSL_cleanse(key, sizeof key);
  return direction->aead != NULL;
}

int copenssl_keys_from_secrets(copenssl_library *library, int suite, const uint8_t *read_secret,
                               const uint8_t *write_secret, copenssl_keys *to) {
  const size_t count = copenssl_secret_count(suite);
  memset(to, 0, sizeof *to);
  to->suite = (uint8_t)suite;
  to->is_tls13 = 1;
  to->secret_count = (uint8_t)count;
  memcpy(to->read.secret, read_secret, count);
  memcpy(to->write.secret, write_secret, count);
  if (direction_from_secret(library, suite, 0, &to->read) &&
      direction_from_secret(library, suite, 1, &to->write))
    return 1;
  copenssl_keys_free(to);
  return 0;
}

int copenssl_next_secret(copenssl_library *library, copenssl_keys *keys, int is_read) {
  copenssl_direction *direction = is_read ? &keys->read : &keys->write;
  copenssl_direction next = {0};
  expand(keys->suite, direction->secret, "traffic upd", next.secret, keys->secret_count);
  const int done = direction_from_secret(library, keys->suite, !is_read, &next);
  if (done) {
    copenssl_aead_free(direction->aead);
    *direction = next;
  }
  OPENSSL_cleanse(&next, sizeof next);
  return done;
}

// MARK: - TLS 1.2

int copenssl_keys_from_master(copenssl_library *library, int suite, int is_server, const uint8_t *master,
                              size_t master_count, const uint8_t client_random[32], const uint8_t server_random[32],
                              copenssl_keys *to) {
  memset(to, 0, sizeof *to);
  to->suite = (uint8_t)suite;
  const size_t key_count = copenssl_key_count(suite), iv_count = suite == COPENSSL_CHACHA20_POLY1305 ? 12 : 4;
  // Client key, server key, client IV, server IV (RFC 5246, section 6.3; AEAD suites have no MAC keys).
  uint8_t block[2 * 32 + 2 * 12];
  const copenssl_run seeds[] = {{(const uint8_t *)"key expansion", 13}, {server_random, 32}, {client_random, 32}};
  copenssl_prf(copenssl_secret_count(suite), (copenssl_run){master, master_count}, seeds, 3, block,
               2 * (key_count + iv_count));
  const uint8_t *client_key = block, *server_key = block + key_count;
  const uint8_t *client_iv = block + 2 * key_count, *server_iv = client_iv + iv_count;
  memcpy(to->read.iv, is_server ? client_iv : server_iv, iv_count);
  memcpy(to->write.iv, is_server ? server_iv : client_iv, iv_count);
  to->read.aead = copenssl_aead_new(library, suite, 0, is_server ? client_key : server_key);
  to->write.aead = copenssl_aead_new(library, suite, 1, is_server ? server_key : client_key);
  to->read.sequence = to->write.sequence = 1;
  const int done = to->read.aead && to->write.aead;
  OPENSSL_cleanse(block, sizeof block);
  if (!done) copenssl_keys_free(to);
  return done;
}

void copenssl_keys_free(copenssl_keys *keys) {
  copenssl_aead_free(keys->read.aead);
  copenssl_aead_free(keys->write.aead);
  OPENSSL_cleanse(keys, sizeof *keys);
}
