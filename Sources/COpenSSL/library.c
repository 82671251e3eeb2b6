// RAND_set_rand_method is deprecated, but the only way to reach every library context at once.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "internal.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_once(void) {
  // The system's openssl.cnf must not change what the proxy offers and accepts.
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
}

void copenssl_start(void) { pthread_once(&once, start_once); }

copenssl_library *copenssl_library_new(void) {
  copenssl_start();
  copenssl_library *library = calloc(1, sizeof *library);
  if (!library) return NULL;
  OSSL_LIB_CTX *context = library->context = OSSL_LIB_CTX_new();
  if (context) library->derivations = copenssl_provide_derivations(context);
  if (library->derivations) {
    library->ciphers[COPENSSL_AES_128_GCM] = EVP_CIPHER_fetch(context, "AES-128-GCM", NULL);
    library->ciphers[COPENSSL_AES_256_GCM] = EVP_CIPHER_fetch(context, "AES-256-GCM", NULL);
    library->ciphers[COPENSSL_CHACHA20_POLY1305] = EVP_CIPHER_fetch(context, "ChaCha20-Poly1305", NULL);
    library->ticket_cipher = EVP_CIPHER_fetch(context, "AES-256-CBC", NULL);
  }
  if (!library->ciphers[0] || !library->ciphers[1] || !library->ciphers[2] || !library->ticket_cipher) {
    copenssl_library_free(library);
    return NULL;
  }
  return library;
}

void copenssl_library_free(copenssl_library *library) {
  if (!library) return;
  for (int i = 0; i < suite_count; i++) EVP_CIPHER_free(library->ciphers[i]);
  EVP_CIPHER_free(library->ticket_cipher);
  OSSL_LIB_CTX_free(library->context);
  free(library);
}

size_t copenssl_library_handshakes(const copenssl_library *library) { return library->handshakes; }

void copenssl_cleanse(void *bytes, size_t count) { OPENSSL_cleanse(bytes, count); }

int copenssl_random(uint8_t *bytes, size_t count) { return RAND_bytes(bytes, (int)count) == 1; }

void copenssl_sha256(const uint8_t *bytes, size_t count, uint8_t digest[32]) {
  copenssl_start();
  unsigned made = 0;
  EVP_Digest(bytes, count, digest, &made, EVP_sha256(), NULL);
}

// MARK: - Randomness of simulations

static int (*random_source)(uint8_t *, size_t);

static int fill_random(unsigned char *bytes, int count) { return random_source(bytes, (size_t)count); }
static int random_status(void) { return 1; }

void copenssl_use_random(int (*fill)(uint8_t *bytes, size_t count)) {
  static RAND_METHOD method = {.bytes = fill_random, .pseudorand = fill_random, .status = random_status};
  copenssl_start();
  random_source = fill;
  RAND_set_rand_method(fill ? &method : NULL);
}
