// A provider of the library for what TLS derives, a score of times a handshake. The library's own looks up the hash by
// name and makes several objects for each; with this one a handshake costs a fifth less. It also sees the secrets of the
// traffic go by, so that `detach.c` knows them; otherwise they could only be had as text from the key log.
#include "provider.h"

#include "derivation.h"
#include "hmac.h"
#include "internal.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

// MARK: - Parameters

static copenssl_run run_of(const OSSL_PARAM *parameter) {
  const void *bytes = NULL;
  size_t count = 0;
  if (!parameter || !OSSL_PARAM_get_octet_string_ptr(parameter, &bytes, &count)) return (copenssl_run){NULL, 0};
  return (copenssl_run){bytes, count};
}

static copenssl_run octets(const OSSL_PARAM *parameters, const char *name) {
  return run_of(OSSL_PARAM_locate_const(parameters, name));
}

/// 32 or 48; 0 for a hash that no suite of TLS 1.2 or 1.3 with an AEAD has.
static size_t hash_of(const OSSL_PARAM *parameters) {
  const OSSL_PARAM *parameter = OSSL_PARAM_locate_const(parameters, OSSL_KDF_PARAM_DIGEST);
  const char *name = NULL;
  if (!parameter || !OSSL_PARAM_get_utf8_string_ptr(parameter, &name)) return 0;
  if (strcasecmp(name, "SHA256") == 0 || strcasecmp(name, "SHA2-256") == 0) return 32;
  if (strcasecmp(name, "SHA384") == 0 || strcasecmp(name, "SHA2-384") == 0) return 48;
  return 0;
}

// MARK: - Derivations have no state: their parameters come with each call

static void *derivation_new(void *provider) { return provider; }
static void derivation_free(void *context) { (void)context; }

static int is_label(copenssl_run label, const char *text) {
  return label.count == strlen(text) && memcmp(label.bytes, text, label.count) == 0;
}

static void keep_secret(const copenssl_derivations *derivations, copenssl_run label, const uint8_t *secret, size_t count) {
  copenssl_handshake *handshake = derivations->handshake;
  if (!handshake || count > sizeof handshake->client_secret) return;
  if (is_label(label, "c ap traffic")) {
    memcpy(handshake->client_secret, secret, count);
    handshake->has_client_secret = 1;
  } else if (is_label(label, "s ap traffic")) {
    memcpy(handshake->server_secret, secret, count);
    handshake->has_server_secret = 1;
  }
}

/// The next secret of the key schedule: HKDF-Extract of a new one with what is derived of the one before.
static int next_stage(size_t hash, const OSSL_PARAM *parameters, copenssl_run prefix, copenssl_run label, uint8_t *to,
                      size_t count) {
  static const uint8_t zeros[hmac_max];
  uint8_t empty[hmac_max], derived[hmac_max];
  copenssl_run salt = octets(parameters, OSSL_KDF_PARAM_SALT), secret = octets(parameters, OSSL_KDF_PARAM_KEY);
  if (count != hash) return 0;
  if (!secret.bytes) secret = (copenssl_run){zeros, hash};
  if (salt.bytes) {
    copenssl_hash nothing;
    copenssl_hash_begin(&nothing, hash);
    copenssl_hash_end(&nothing, hash, empty);
    if (!copenssl_expand_label(hash, salt, prefix, label, (copenssl_run){empty, hash}, derived, hash)) return 0;
    salt = (copenssl_run){derived, hash};
  } else {
    salt = (copenssl_run){zeros, hash};
  }
  copenssl_extract(hash, salt, secret, to);
  OPENSSL_cleanse(derived, sizeof derived);
  return 1;
}

static int derive_tls13(void *context, unsigned char *to, size_t count, const OSSL_PARAM parameters[]) {
  const size_t hash = hash_of(parameters);
  const OSSL_PARAM *mode_parameter = OSSL_PARAM_locate_const(parameters, OSSL_KDF_PARAM_MODE);
  int mode = 0;
  if (hash == 0 || !mode_parameter || !OSSL_PARAM_get_int(mode_parameter, &mode)) return 0;
  const copenssl_run prefix = octets(parameters, OSSL_KDF_PARAM_PREFIX), label = octets(parameters, OSSL_KDF_PARAM_LABEL);
  if (mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY) return next_stage(hash, parameters, prefix, label, to, count);
  const copenssl_run secret = octets(parameters, OSSL_KDF_PARAM_KEY);
  if (mode != EVP_KDF_HKDF_MODE_EXPAND_ONLY || !secret.bytes) return 0;
  if (!copenssl_expand_label(hash, secret, prefix, label, octets(parameters, OSSL_KDF_PARAM_DATA), to, count)) return 0;
  keep_secret(context, label, to, count);
  return 1;
}

static int derive_tls12(void *context, unsigned char *to, size_t count, const OSSL_PARAM parameters[]) {
  (void)context;
  enum { seeds_max = 8 };
  copenssl_run seeds[seeds_max];
  size_t seed_count = 0;
  const size_t hash = hash_of(parameters);
  const copenssl_run secret = octets(parameters, OSSL_KDF_PARAM_SECRET);
  if (hash == 0 || !secret.bytes) return 0;
  for (const OSSL_PARAM *at = parameters; (at = OSSL_PARAM_locate_const(at, OSSL_KDF_PARAM_SEED)) != NULL; at++) {
    if (seed_count == seeds_max) return 0;
    seeds[seed_count++] = run_of(at);
  }
  copenssl_prf(hash, secret, seeds, seed_count, to, count);
  return 1;
}

// MARK: - What the library asks of a provider

typedef void (*function)(void);

static const OSSL_DISPATCH tls13_functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (function)derivation_new},
    {OSSL_FUNC_KDF_FREECTX, (function)derivation_free},
    {OSSL_FUNC_KDF_DERIVE, (function)derive_tls13},
    {0, NULL}};
static const OSSL_DISPATCH tls12_functions[] = {
    {OSSL_FUNC_KDF_NEWCTX, (function)derivation_new},
    {OSSL_FUNC_KDF_FREECTX, (function)derivation_free},
    {OSSL_FUNC_KDF_DERIVE, (function)derive_tls12},
    {0, NULL}};
static const OSSL_ALGORITHM derivations[] = {
    {OSSL_KDF_NAME_TLS1_3_KDF, "provider=apus", tls13_functions, "TLS 1.3"},
    {OSSL_KDF_NAME_TLS1_PRF, "provider=apus", tls12_functions, "TLS 1.2"},
    {NULL, NULL, NULL, NULL}};

static const OSSL_ALGORITHM *query(void *provider, int operation, int *is_volatile) {
  (void)provider;
  *is_volatile = 0;
  return operation == OSSL_OP_KDF ? derivations : NULL;
}

static void tear_down(void *provider) { free(provider); }

static const OSSL_DISPATCH provider_functions[] = {
    {OSSL_FUNC_PROVIDER_QUERY_OPERATION, (function)query},
    {OSSL_FUNC_PROVIDER_TEARDOWN, (function)tear_down},
    {0, NULL}};

static int start(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **provider) {
  (void)handle, (void)in;
  *out = provider_functions;
  return (*provider = calloc(1, sizeof(copenssl_derivations))) != NULL;
}

copenssl_derivations *copenssl_provide_derivations(OSSL_LIB_CTX *context) {
  // Once a provider is loaded by name, the library's own is not by itself.
  OSSL_PROVIDER *provider = NULL;
  if (OSSL_PROVIDER_load(context, "default") && OSSL_PROVIDER_add_builtin(context, "apus", start))
    provider = OSSL_PROVIDER_load(context, "apus");
  return provider ? OSSL_PROVIDER_get0_provider_ctx(provider) : NULL;
}
