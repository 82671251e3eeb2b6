#include "internal.h"

#include <openssl/x509_vfy.h>
#include <string.h>

static int check_chain(copenssl_handshake *handshake, X509_STORE_CTX *store, int *depth) {
  const copenssl_chain_rules *rules = &handshake->context->chain_rules;
  if (!rules->store) return COPENSSL_CHAIN_UNCHECKED;
  X509_VERIFY_PARAM *parameters = X509_STORE_CTX_get0_param(store);
  // An intermediate in the store is enough, as with Envoy.
  unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;
  if (rules->allows_expired) flags |= X509_V_FLAG_NO_CHECK_TIME;
  if (rules->checks_crls) flags |= X509_V_FLAG_CRL_CHECK | (rules->checks_leaf_crl_only ? 0 : X509_V_FLAG_CRL_CHECK_ALL);
  X509_VERIFY_PARAM_set_flags(parameters, flags);
  X509_VERIFY_PARAM_set_depth(parameters, rules->depth_max);
  if (!rules->allows_expired) X509_VERIFY_PARAM_set_time(parameters, (time_t)handshake->now);
  if (X509_verify_cert(store) == 1) return COPENSSL_CHAIN_TRUSTED;
  *depth = X509_STORE_CTX_get_error_depth(store);
  const int error = X509_STORE_CTX_get_error(store);
  return error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error;
}

int copenssl_verify_peer(X509_STORE_CTX *store, void *unused) {
  (void)unused;
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  copenssl_handshake *handshake = copenssl_handshake_of(ssl);
  copenssl_context *context = handshake->context;
  // Without rules nobody asked; the library looks at the answer only when it was told to.
  if (!context->verify) return 1;
  int depth = 0;
  const int chain_error = check_chain(handshake, store, &depth);
  memset(&handshake->verdict, 0, sizeof handshake->verdict);
  context->verify(context->rules, handshake, (copenssl_certificate *)X509_STORE_CTX_get0_cert(store), chain_error,
                  depth, &handshake->verdict);
  if (handshake->verdict.kind == 0) {
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
  }
  X509_STORE_CTX_set_error(store, handshake->verdict.error);
  return 0;
}

int copenssl_verify_resumed(copenssl_handshake *handshake, X509 *leaf) {
  copenssl_context *context = handshake->context;
  if (!context->verify || !leaf) return 1;
  time_t now = (time_t)handshake->now;
  if (!context->chain_rules.allows_expired && context->chain_rules.store &&
      (X509_cmp_time(X509_get0_notAfter(leaf), &now) < 0 || X509_cmp_time(X509_get0_notBefore(leaf), &now) > 0))
    return 0;
  // What is found now must not look like the reason of a failure: the handshake goes on in full.
  copenssl_verdict verdict = {0};
  context->verify(context->rules, handshake, (copenssl_certificate *)leaf, COPENSSL_CHAIN_RESUMED, 0, &verdict);
  return verdict.kind == 0;
}

const copenssl_verdict *copenssl_handshake_verdict(const copenssl_handshake *handshake) { return &handshake->verdict; }
