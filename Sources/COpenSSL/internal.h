#pragma once
// What the files of this target know of each other's structures.
#include "COpenSSL.h"
#include "provider.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum { suite_count = 3 };

struct copenssl_library {
  OSSL_LIB_CTX *context;
  EVP_CIPHER *ciphers[suite_count]; // by copenssl_suite: fetching one a connection would cost locks
  EVP_CIPHER *ticket_cipher;
  copenssl_derivations *derivations; // the library owns it
  size_t handshakes; // made and not freed
};

struct copenssl_context {
  SSL_CTX *ssl;
  copenssl_library *library;
  int is_server;
  copenssl_chain_rules chain_rules;
  copenssl_verify verify;
  void *rules;
  copenssl_keyring *keyring;
  void (*keylog)(void *, void *, const char *, size_t);
  uint8_t *protocols;
  size_t protocols_count;
  uint8_t *staple;
  size_t staple_count;
};

/// Where a stream of records stands.
typedef struct {
  uint8_t header[5], header_count;
  uint8_t nonce[8], nonce_count; // the first bytes of the body
  uint32_t body_left;
} record_scan;

enum { errors_max = 4, error_data_max = 160 };

struct copenssl_handshake {
  SSL *ssl;
  copenssl_context *context;
  void *connection;
  int64_t now;
  // The memory of the call under way.
  const uint8_t *input;
  size_t input_count, input_taken;
  uint8_t *room;
  size_t room_count, made;
  // What detaching needs to know.
  uint64_t read_records, write_records; // since the keys in force
  record_scan read_scan, write_scan;
  uint8_t client_secret[48], server_secret[48];
  uint8_t has_client_secret, has_server_secret, keys_changed;
  uint8_t staple_requested, staple_sent, omits_staple;
  uint8_t expected_name_count;
  uint8_t expected_name[255];
  SSL_SESSION *ticket;
  copenssl_verdict verdict;
  int error_count;
  struct {
    unsigned long code;
    char data[error_data_max];
  } errors[errors_max];
};

/// Starts OpenSSL the first time; before anything else that a process may do with it.
void copenssl_start(void);
size_t copenssl_key_count(int suite);
size_t copenssl_secret_count(int suite);
/// The handshake that an SSL belongs to.
copenssl_handshake *copenssl_handshake_of(const SSL *ssl);
/// Keeps the thread's errors with the handshake and empties the queue.
void copenssl_keep_errors(copenssl_handshake *handshake);
/// Sets the callbacks of tickets (tickets.c).
void copenssl_use_tickets(copenssl_context *context, const copenssl_options *options);
/// Counts records and sees keys change (detach.c).
void copenssl_message_seen(int is_write, int version, int type, const void *bytes, size_t count, SSL *ssl, void *unused);
/// Passes a line of the key log on (detach.c).
void copenssl_keylog_seen(const SSL *ssl, const char *line);
void copenssl_scan(record_scan *scan, const uint8_t *bytes, size_t count);
/// Checks the chain, then asks the rules (verify.c). For SSL_CTX_set_cert_verify_callback.
int copenssl_verify_peer(X509_STORE_CTX *store, void *unused);
/// Whether the rules still accept the peer that a ticket remembers.
int copenssl_verify_resumed(copenssl_handshake *handshake, X509 *leaf);
