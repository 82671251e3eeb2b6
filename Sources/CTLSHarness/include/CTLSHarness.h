#pragma once
// Certificates, revocation lists and OCSP responses made at run time, for tests. No part of the proxy.
#include <stddef.h>
#include <stdint.h>

typedef struct ctlsharness_identity ctlsharness_identity;

typedef enum { CTLSHARNESS_P256, CTLSHARNESS_P384, CTLSHARNESS_RSA_2048, CTLSHARNESS_RSA_1024, CTLSHARNESS_SECP256K1 } ctlsharness_key;

typedef struct {
  const char *common_name, *organization; // NULL: none
  const char *names;                      // subjectAltName in the syntax of openssl.cnf, or NULL
  ctlsharness_key key;
  uint64_t serial;
  int64_t not_before, not_after; // seconds since 1970
  int is_authority, must_staple;
  const uint8_t *key_der; // use this key instead of a new one
  size_t key_der_count;
} ctlsharness_spec;

/// Signed by `issuer`, or by itself without one. NULL when OpenSSL refuses.
ctlsharness_identity *ctlsharness_make(const ctlsharness_spec *spec, ctlsharness_identity *issuer);
void ctlsharness_free(ctlsharness_identity *identity);

// Each writes at most `room` bytes and answers how many there are.
size_t ctlsharness_certificate(ctlsharness_identity *identity, uint8_t *to, size_t room);
size_t ctlsharness_key_der(ctlsharness_identity *identity, uint8_t *to, size_t room);
/// PEM of the certificate; of the key, encrypted when there is a password.
size_t ctlsharness_certificate_pem(ctlsharness_identity *identity, uint8_t *to, size_t room);
size_t ctlsharness_key_pem(ctlsharness_identity *identity, const char *password, uint8_t *to, size_t room);
/// PEM of a list by `issuer` that revokes `revoked` (or nothing).
size_t ctlsharness_crl_pem(ctlsharness_identity *issuer, ctlsharness_identity *revoked, int64_t now, uint8_t *to, size_t room);
/// DER of a response that says "good"; `next_update` 0: none.
size_t ctlsharness_ocsp(ctlsharness_identity *identity, ctlsharness_identity *issuer, int64_t now, int64_t next_update,
                        uint8_t *to, size_t room);

/// What OpenSSL's own reading of a ClientHello comes to: the content of two extensions, or counts of -1 without them.
typedef struct {
  uint8_t server_name[2048], protocols[2048];
  int64_t server_name_count, protocols_count;
} ctlsharness_hello;

/// 1 when OpenSSL takes the bytes for a hello; 0 when not, or not yet. Longer extensions are cut.
int ctlsharness_read_hello(const uint8_t *bytes, size_t count, ctlsharness_hello *to);

/// Gives the calling thread a repeatable source of randomness, until ctlsharness_unseed.
void ctlsharness_seed(uint64_t seed);
void ctlsharness_unseed(void);
/// Fills from the thread's source; without one from the system's. Answers 1.
int ctlsharness_random(uint8_t *to, size_t count);
