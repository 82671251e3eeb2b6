#pragma once
#include "COpenSSL.h"

#include <openssl/types.h>

/// What the provider's derivations know: the handshake that runs, whose secrets are kept.
typedef struct {
  copenssl_handshake *handshake;
} copenssl_derivations;

/// Which implementation a context wants, where there are two.
#define COPENSSL_PROPERTIES "?provider=apus"

/// Adds the provider to a library context, for as long as that lives; NULL when it cannot be.
copenssl_derivations *copenssl_provide_derivations(OSSL_LIB_CTX *context);
