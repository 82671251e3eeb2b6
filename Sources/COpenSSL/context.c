#include "internal.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// MARK: - Callbacks

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_count, const unsigned char *offered,
                           unsigned offered_count, void *argument) {
  (void)ssl;
  copenssl_context *context = argument;
  // The server's order counts. No common protocol is no failure: the connection goes on without one, as with Envoy.
  unsigned char *chosen = NULL;
  if (SSL_select_next_proto(&chosen, out_count, context->protocols, (unsigned)context->protocols_count, offered,
                            offered_count) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static int add_staple(SSL *ssl, void *argument) {
  copenssl_context *context = argument;
  copenssl_handshake *handshake = copenssl_handshake_of(ssl);
  handshake->staple_requested = 1;
  if (!context->staple || handshake->omits_staple) return SSL_TLSEXT_ERR_NOACK;
  uint8_t *copy = OPENSSL_memdup(context->staple, context->staple_count);
  if (!copy) return SSL_TLSEXT_ERR_NOACK;
  // The SSL frees it.
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)context->staple_count);
  handshake->staple_sent = 1;
  return SSL_TLSEXT_ERR_OK;
}

// MARK: - Making one

static int fails(char *error, size_t room, const char *what) {
  const unsigned long code = ERR_peek_last_error();
  const char *reason = code ? ERR_reason_error_string(code) : NULL;
  snprintf(error, room, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
  ERR_clear_error();
  return 0;
}

static X509 *read_certificate(copenssl_library *library, const uint8_t *der, size_t count) {
  X509 *made = X509_new_ex(library->context, NULL);
  const uint8_t *at = der;
  // d2i frees what it was given when it fails, and sets it to NULL.
  if (made && (!d2i_X509(&made, &at, (long)count) || at != der + count)) {
    X509_free(made);
    return NULL;
  }
  return made;
}

static int use_certificate(copenssl_context *context, const copenssl_options *options, char *error, size_t room) {
  SSL_CTX *ssl = context->ssl;
  for (size_t i = 0; i < options->chain_length; i++) {
    X509 *certificate = read_certificate(context->library, options->chain[i], options->chain_counts[i]);
    if (!certificate) return fails(error, room, "the certificate cannot be read");
    int done;
    if (i == 0) {
      done = SSL_CTX_use_certificate(ssl, certificate);
      X509_free(certificate);
    } else {
      done = (int)SSL_CTX_add0_chain_cert(ssl, certificate);
      if (!done) X509_free(certificate);
    }
    if (!done) return fails(error, room, "the certificate cannot be used");
  }
  if (options->chain_length == 0) return 1;
  const uint8_t *at = options->key;
  EVP_PKEY *key = d2i_AutoPrivateKey_ex(NULL, &at, (long)options->key_count, context->library->context, NULL);
  if (!key) return fails(error, room, "the private key cannot be read");
  const int done = SSL_CTX_use_PrivateKey(ssl, key) && SSL_CTX_check_private_key(ssl);
  EVP_PKEY_free(key);
  return done || fails(error, room, "the private key cannot be used");
}

/// Tells clients which authorities their certificate may come from.
static int name_authorities(SSL_CTX *ssl, copenssl_store *store) {
  STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects((X509_STORE *)store);
  for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
    X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i));
    if (certificate && !SSL_CTX_add_client_CA(ssl, certificate)) return 0;
  }
  return 1;
}

static int use_rules(copenssl_context *context, const copenssl_options *options) {
  SSL_CTX *ssl = context->ssl;
  SSL_CTX_set_cert_verify_callback(ssl, copenssl_verify_peer, NULL);
  int mode = SSL_VERIFY_NONE;
  if (options->is_server ? options->requests_certificate : options->verify != NULL) mode = SSL_VERIFY_PEER;
  if (options->requires_certificate) mode |= SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(ssl, mode, NULL);
  if (!options->chain_rules.store) return 1;
  return SSL_CTX_set1_verify_cert_store(ssl, (X509_STORE *)options->chain_rules.store) &&
         (!options->is_server || name_authorities(ssl, options->chain_rules.store));
}

static int use_protocols(copenssl_context *context, const copenssl_options *options) {
  if (options->protocols_count == 0) return 1;
  if (!options->is_server)
    return SSL_CTX_set_alpn_protos(context->ssl, options->protocols, (unsigned)options->protocols_count) == 0;
  context->protocols = OPENSSL_memdup(options->protocols, options->protocols_count);
  context->protocols_count = options->protocols_count;
  SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, context);
  return context->protocols != NULL;
}

static int use_staple(copenssl_context *context, const copenssl_options *options) {
  if (!options->is_server) return 1;
  if (options->staple_count) {
    context->staple = OPENSSL_memdup(options->staple, options->staple_count);
    context->staple_count = options->staple_count;
    if (!context->staple) return 0;
  }
  SSL_CTX_set_tlsext_status_cb(context->ssl, add_staple);
  SSL_CTX_set_tlsext_status_arg(context->ssl, context);
  return 1;
}

static void use_modes(SSL_CTX *ssl, const copenssl_options *options) {
  uint64_t flags = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;
  if (options->is_server && !options->prefers_client_ciphers)
    flags |= SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
  SSL_CTX_set_options(ssl, flags);
  // Output goes where there is room, and a chain is what the configuration says, not what a store completes.
  SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_security_level(ssl, 2);
  SSL_CTX_set_max_cert_list(ssl, 64 * 1024);
  SSL_CTX_set_msg_callback(ssl, copenssl_message_seen);
  if (options->keylog) SSL_CTX_set_keylog_callback(ssl, copenssl_keylog_seen);
}

static int configure(copenssl_context *context, const copenssl_options *options, char *error, size_t room) {
  SSL_CTX *ssl = context->ssl;
  use_modes(ssl, options);
  if (!SSL_CTX_set_min_proto_version(ssl, options->min_version) ||
      !SSL_CTX_set_max_proto_version(ssl, options->max_version))
    return fails(error, room, "the versions cannot be used");
  if (options->ciphers && !SSL_CTX_set_cipher_list(ssl, options->ciphers))
    return fails(error, room, "the cipher suites cannot be used");
  if (options->suites_of_tls13 && !SSL_CTX_set_ciphersuites(ssl, options->suites_of_tls13))
    return fails(error, room, "the cipher suites cannot be used");
  if (options->groups && !SSL_CTX_set1_groups_list(ssl, options->groups))
    return fails(error, room, "the groups cannot be used");
  if (options->signatures && !SSL_CTX_set1_sigalgs_list(ssl, options->signatures))
    return fails(error, room, "the signature algorithms cannot be used");
  if (!use_certificate(context, options, error, room)) return 0;
  if (!use_protocols(context, options)) return fails(error, room, "the protocols cannot be used");
  if (!use_rules(context, options)) return fails(error, room, "the trusted certificates cannot be used");
  if (!use_staple(context, options)) return fails(error, room, "the OCSP response cannot be used");
  copenssl_use_tickets(context, options);
  return 1;
}

copenssl_context *copenssl_context_new(copenssl_library *library, const copenssl_options *options, char *error,
                                       size_t room) {
  ERR_clear_error();
  copenssl_context *context = calloc(1, sizeof *context);
  if (context) context->ssl = SSL_CTX_new_ex(library->context, COPENSSL_PROPERTIES, options->is_server ? TLS_server_method() : TLS_client_method());
  if (!context || !context->ssl) {
    free(context);
    fails(error, room, "a context cannot be made");
    return NULL;
  }
  context->library = library;
  context->is_server = options->is_server;
  context->chain_rules = options->chain_rules;
  context->verify = options->verify;
  context->rules = options->rules;
  context->keyring = options->keyring;
  context->keylog = options->keylog;
  if (configure(context, options, error, room)) return context;
  copenssl_context_free(context);
  return NULL;
}

void copenssl_context_free(copenssl_context *context) {
  if (!context) return;
  SSL_CTX_free(context->ssl);
  OPENSSL_free(context->protocols);
  OPENSSL_free(context->staple);
  free(context);
}

int copenssl_knows_list(copenssl_library *library, int kind, const char *list) {
  SSL_CTX *ssl = SSL_CTX_new_ex(library->context, NULL, TLS_method());
  int known = 0;
  if (ssl) {
    if (kind == 0) known = SSL_CTX_set_cipher_list(ssl, list) == 1;
    if (kind == 1) known = SSL_CTX_set1_groups_list(ssl, list) == 1;
    if (kind == 2) known = SSL_CTX_set1_sigalgs_list(ssl, list) == 1;
  }
  SSL_CTX_free(ssl);
  ERR_clear_error();
  return known;
}
