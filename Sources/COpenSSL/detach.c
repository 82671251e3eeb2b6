// What must be known of a connection to go on without it.
#include "internal.h"

#include <openssl/obj_mac.h>
#include <string.h>

// MARK: - Watching

void copenssl_message_seen(int is_write, int version, int type, const void *bytes, size_t count, SSL *ssl,
                           void *unused) {
  (void)version, (void)unused;
  copenssl_handshake *handshake = copenssl_handshake_of(ssl);
  uint64_t *records = is_write ? &handshake->write_records : &handshake->read_records;
  if (type == SSL3_RT_HEADER) {
    *records += 1;
  } else if (type == SSL3_RT_HANDSHAKE && count > 0) {
    const uint8_t message = ((const uint8_t *)bytes)[0];
    // The record with Finished is the last under the keys before in TLS 1.3, the first under the new ones in TLS 1.2.
    if (message == SSL3_MT_FINISHED) *records = SSL_version(ssl) == TLS1_3_VERSION ? 0 : 1;
    if (message == SSL3_MT_KEY_UPDATE) handshake->keys_changed = 1;
  }
}

void copenssl_keylog_seen(const SSL *ssl, const char *line) {
  copenssl_handshake *handshake = copenssl_handshake_of(ssl);
  handshake->context->keylog(handshake->context->rules, handshake->connection, line, strlen(line));
}

void copenssl_scan(record_scan *scan, const uint8_t *bytes, size_t count) {
  while (count > 0) {
    if (scan->body_left == 0) {
      if (scan->header_count == 5) scan->header_count = scan->nonce_count = 0;
      scan->header[scan->header_count++] = *bytes++;
      count--;
      if (scan->header_count == 5) scan->body_left = (uint32_t)scan->header[3] << 8 | scan->header[4];
      continue;
    }
    size_t part = count < scan->body_left ? count : scan->body_left;
    for (size_t i = 0; i < part && scan->nonce_count < 8; i++) scan->nonce[scan->nonce_count++] = bytes[i];
    scan->body_left -= (uint32_t)part;
    bytes += part;
    count -= part;
  }
}

static int is_between_records(const record_scan *scan) {
  return scan->body_left == 0 && (scan->header_count == 5 || scan->header_count == 0);
}

// MARK: - Leaving

static int suite_of(const SSL *ssl) {
  switch (SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(ssl))) {
  case NID_aes_128_gcm: return COPENSSL_AES_128_GCM;
  case NID_aes_256_gcm: return COPENSSL_AES_256_GCM;
  case NID_chacha20_poly1305: return COPENSSL_CHACHA20_POLY1305;
  default: return -1;
  }
}

static int is_quiet(const copenssl_handshake *handshake) {
  const SSL *ssl = handshake->ssl;
  return SSL_is_init_finished(ssl) && !SSL_has_pending(ssl) && !SSL_want_write(ssl) && SSL_get_shutdown(ssl) == 0 &&
         !handshake->keys_changed && is_between_records(&handshake->read_scan) &&
         is_between_records(&handshake->write_scan);
}

static int take_keys_13(copenssl_handshake *handshake, copenssl_library *library, int suite, copenssl_keys *to) {
  if (!handshake->has_client_secret || !handshake->has_server_secret) return 0;
  const int is_server = handshake->context->is_server;
  const uint8_t *read = is_server ? handshake->client_secret : handshake->server_secret;
  const uint8_t *write = is_server ? handshake->server_secret : handshake->client_secret;
  return copenssl_keys_from_secrets(library, suite, read, write, to);
}

static int take_keys_12(copenssl_handshake *handshake, copenssl_library *library, int suite, copenssl_keys *to) {
  const SSL *ssl = handshake->ssl;
  uint8_t master[SSL_MAX_MASTER_KEY_LENGTH], client[32], server[32];
  const size_t count = SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof master);
  int done = count > 0 && SSL_get_client_random(ssl, client, 32) == 32 && SSL_get_server_random(ssl, server, 32) == 32 &&
             copenssl_keys_from_master(library, suite, handshake->context->is_server, master, count, client, server, to);
  OPENSSL_cleanse(master, sizeof master);
  if (!done) return 0;
  // Our explicit nonces go on behind the last one of the library, so that none repeats.
  uint64_t nonce = 0;
  for (int i = 0; i < 8; i++) nonce = nonce << 8 | handshake->write_scan.nonce[i];
  to->write.nonce = nonce + 1;
  return 1;
}

int copenssl_handshake_detach(copenssl_handshake *handshake, copenssl_library *library, copenssl_keys *to) {
  SSL *ssl = handshake->ssl;
  if (!is_quiet(handshake)) return 0;
  // Records would have to be smaller (RFC 6066, section 4); hardly anybody asks, so the library does it.
  if (SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl)) != 0) return 0;
  const int suite = suite_of(ssl);
  if (suite < 0) return 0;
  const int is_tls13 = SSL_version(ssl) == TLS1_3_VERSION;
  if (!is_tls13 && SSL_version(ssl) != TLS1_2_VERSION) return 0;
  if (!(is_tls13 ? take_keys_13 : take_keys_12)(handshake, library, suite, to)) return 0;
  to->read.sequence = handshake->read_records;
  to->write.sequence = handshake->write_records;
  return 1;
}
