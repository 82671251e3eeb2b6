#pragma once
// What the files of this target know of each other's structures.
#include "COpenSSL.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>

enum { suite_count = 3 };

struct copenssl_library {
  OSSL_LIB_CTX *context;
  EVP_CIPHER *ciphers[suite_count]; // by copenssl_suite: fetching one a connection would cost locks
  EVP_CIPHER *ticket_cipher;
  EVP_MAC_CTX *hmacs[2]; // SHA-256, SHA-384: kept, since making one costs more than using it
  EVP_KDF *prf;          // of TLS 1.2
};

/// Fills `*keys` for one direction from its TLS 1.3 secret.
int copenssl_direction_from_secret(copenssl_library *library, int suite, int is_sealing, copenssl_direction *direction);
size_t copenssl_key_count(int suite);
size_t copenssl_secret_count(int suite);
