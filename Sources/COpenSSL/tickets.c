// Resumption: tickets of a server, encrypted with the keys of a ring, and those that a client keeps.
#include "internal.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct copenssl_keyring {
  _Atomic(copenssl_ticket_keys *) current;
};

copenssl_keyring *copenssl_keyring_new(void) { return calloc(1, sizeof(copenssl_keyring)); }

copenssl_ticket_keys *copenssl_keyring_exchange(copenssl_keyring *ring, copenssl_ticket_keys *keys) {
  return atomic_exchange_explicit(&ring->current, keys, memory_order_acq_rel);
}

void copenssl_keyring_free(copenssl_keyring *ring) { free(ring); }

static int use_key(copenssl_library *library, const copenssl_ticket_key *key, unsigned char *iv,
                   EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypts) {
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac, sizeof key->hmac),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0), OSSL_PARAM_construct_end()};
  return EVP_CipherInit_ex2(cipher, library->ticket_cipher, key->aes, iv, encrypts, NULL) == 1 &&
         EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

/// Answers -1 for a failure, 0 for no ticket, 1 for a key, 2 for a key that is not the newest.
static int find_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                    int encrypts) {
  copenssl_context *context = copenssl_handshake_of(ssl)->context;
  // The set stays alive: whoever exchanges it waits long before freeing it.
  const copenssl_ticket_keys *keys = atomic_load_explicit(&context->keyring->current, memory_order_acquire);
  if (!keys || keys->count == 0) return 0;
  if (encrypts) {
    const copenssl_ticket_key *key = &keys->keys[0];
    memcpy(name, key->name, sizeof key->name);
    if (RAND_bytes_ex(context->library->context, iv, 16, 0) != 1) return -1;
    return use_key(context->library, key, iv, cipher, mac, 1) ? 1 : -1;
  }
  for (uint32_t i = 0; i < keys->count; i++) {
    const copenssl_ticket_key *key = &keys->keys[i];
    if (memcmp(name, key->name, sizeof key->name) != 0) continue;
    if (!use_key(context->library, key, iv, cipher, mac, 0)) return -1;
    return i == 0 ? 1 : 2;
  }
  return 0;
}

/// Whether a ticket that could be read may be used: the peer it remembers must still be one that the rules accept.
static SSL_TICKET_RETURN ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_count,
                                     SSL_TICKET_STATUS status, void *unused) {
  (void)name, (void)name_count, (void)unused;
  copenssl_handshake *handshake = copenssl_handshake_of(ssl);
  // Clients use a ticket of TLS 1.3 once (RFC 8446, appendix C.4), so each connection gives the next.
  const int renews = status == SSL_TICKET_SUCCESS_RENEW || SSL_version(ssl) == TLS1_3_VERSION;
  if (status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW) {
    if (!copenssl_verify_resumed(handshake, SSL_SESSION_get0_peer(session))) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return renews ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
  }
  return status == SSL_TICKET_NO_DECRYPT || status == SSL_TICKET_EMPTY ? SSL_TICKET_RETURN_IGNORE_RENEW
                                                                       : SSL_TICKET_RETURN_ABORT;
}

/// Set on threads of simulations.
static _Thread_local int hides_time;

void copenssl_hide_time(int hides) { hides_time = hides; }

/// Gives the ticket that is being made a time that is the same in every run, and never too long ago.
static int date_ticket(SSL *ssl, void *unused) {
  (void)unused;
  return SSL_SESSION_set_time(SSL_get_session(ssl), 4000000000) != 0;
}

static int ticket_came(SSL *ssl, SSL_SESSION *session) {
  copenssl_handshake *handshake = copenssl_handshake_of(ssl);
  SSL_SESSION_free(handshake->ticket);
  handshake->ticket = session;
  return 1; // the reference is kept
}

void copenssl_use_tickets(copenssl_context *context, const copenssl_options *options) {
  SSL_CTX *ssl = context->ssl;
  if (!options->is_server) {
    SSL_CTX_set_session_cache_mode(ssl, options->tickets ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL
                                                         : SSL_SESS_CACHE_OFF);
    if (options->tickets) SSL_CTX_sess_set_new_cb(ssl, ticket_came);
    if (!options->tickets) SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    return;
  }
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(ssl, options->id_context, sizeof options->id_context);
  if (options->lifetime_seconds) SSL_CTX_set_timeout(ssl, (long)options->lifetime_seconds);
  if (!options->tickets || !options->keyring) {
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ssl, 0);
    return;
  }
  SSL_CTX_set_num_tickets(ssl, (size_t)options->tickets);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, find_key);
  SSL_CTX_set_session_ticket_cb(ssl, hides_time ? date_ticket : NULL, ticket_read, NULL);
}

int copenssl_handshake_resume(copenssl_handshake *handshake, copenssl_ticket *ticket) {
  // A client tells the ticket's age in seconds of the real clock.
  if (hides_time) SSL_SESSION_set_time((SSL_SESSION *)ticket, time(NULL));
  return SSL_set_session(handshake->ssl, (SSL_SESSION *)ticket) == 1;
}

copenssl_ticket *copenssl_handshake_take_ticket(copenssl_handshake *handshake) {
  SSL *ssl = handshake->ssl;
  SSL_SESSION *taken = handshake->ticket;
  handshake->ticket = NULL;
  // A resumed connection of TLS 1.2 goes on with the ticket it came with, or with one that the callback is not told of.
  if (!taken && SSL_session_reused(ssl) && SSL_version(ssl) == TLS1_2_VERSION &&
      SSL_SESSION_is_resumable(SSL_get_session(ssl)))
    taken = SSL_get1_session(ssl);
  return (copenssl_ticket *)taken;
}

void copenssl_ticket_free(copenssl_ticket *ticket) { SSL_SESSION_free((SSL_SESSION *)ticket); }
