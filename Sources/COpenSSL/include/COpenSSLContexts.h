#pragma once
#include "COpenSSLCertificates.h"
#include "COpenSSLLibrary.h"

/// What many connections share: an SSL_CTX and what its callbacks need.
typedef struct copenssl_context copenssl_context;
/// One connection until it is detached or ends; see COpenSSLHandshakes.h.
typedef struct copenssl_handshake copenssl_handshake;

// MARK: - Keys of tickets

/// The 80 bytes of a key file, in its order.
typedef struct {
  uint8_t name[16], hmac[32], aes[32];
} copenssl_ticket_key;

enum { COPENSSL_TICKET_KEYS_MAX = 8 };

/// The first key encrypts, all decrypt.
typedef struct {
  uint32_t count;
  copenssl_ticket_key keys[COPENSSL_TICKET_KEYS_MAX];
} copenssl_ticket_keys;

/// Where all threads find the current set.
typedef struct copenssl_keyring copenssl_keyring;

copenssl_keyring *copenssl_keyring_new(void);
/// Puts a set in place, which must not change any more, and answers the one before, which others may still read for a moment.
copenssl_ticket_keys *copenssl_keyring_exchange(copenssl_keyring *ring, copenssl_ticket_keys *keys);
void copenssl_keyring_free(copenssl_keyring *ring);

// MARK: - Verification

/// What the chain of a peer came to before its rules are asked.
enum {
  COPENSSL_CHAIN_TRUSTED = 0,
  COPENSSL_CHAIN_UNCHECKED = -1, // there is no store
  COPENSSL_CHAIN_RESUMED = -2,   // a ticket remembers the certificate; only its facts can be looked at
  // > 0: an X509_V_ERR_* at `depth`
};

/// What rules say of a peer.
typedef struct {
  int kind;      // 0 accepted; else a kind of refusal that the rules define
  int error;     // the X509_V_ERR_* that words the alert
  int tolerated; // accepted though the rules refuse it
  char why[512]; // a text that ends with NUL
} copenssl_verdict;

/// How chains are checked against the store.
typedef struct {
  copenssl_store *store; // NULL: not checked
  int depth_max;         // certificates between leaf and root
  int allows_expired, checks_crls, checks_leaf_crl_only;
} copenssl_chain_rules;

/// Called once for each peer with a certificate, and when a ticket would resume its connection.
typedef void (*copenssl_verify)(void *rules, copenssl_handshake *handshake, copenssl_certificate *leaf, int chain_error,
                                int depth, copenssl_verdict *verdict);

// MARK: - Contexts

/// What a context is made of. Read while it is made; what outlives that is said.
typedef struct {
  int is_server, min_version, max_version; // 0x0303, 0x0304
  const char *ciphers, *suites_of_tls13, *groups, *signatures; // OpenSSL's syntax; NULL: the library's default
  const uint8_t *const *chain; // DER, leaf first
  const size_t *chain_counts;
  size_t chain_length; // 0: no certificate
  const uint8_t *key;  // PKCS#8 or the key's own DER
  size_t key_count;
  const uint8_t *protocols; // ALPN, wire form
  size_t protocols_count;
  const uint8_t *staple; // DER of an OCSP response
  size_t staple_count;
  copenssl_chain_rules chain_rules;
  copenssl_verify verify; // NULL: peers are not looked at
  void *rules;            // must outlive the context
  int requests_certificate, requires_certificate;
  int prefers_client_ciphers;
  int tickets; // server: sent after a full handshake, 0 = no resumption; client: whether they are kept
  uint8_t id_context[32];
  uint32_t lifetime_seconds;
  copenssl_keyring *keyring; // server with tickets; must outlive the context
  void (*keylog)(void *rules, void *connection, const char *line, size_t count); // NULL: no key leaves
} copenssl_options;

/// NULL with a sentence in `error`.
copenssl_context *copenssl_context_new(copenssl_library *library, const copenssl_options *options, char *error,
                                       size_t room);
void copenssl_context_free(copenssl_context *context);
/// Whether a list of ciphers, groups or signature algorithms is one that OpenSSL knows: kind 0, 1, 2.
int copenssl_knows_list(copenssl_library *library, int kind, const char *list);
