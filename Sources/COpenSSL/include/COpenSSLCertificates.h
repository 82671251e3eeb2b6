#pragma once
#include "COpenSSLLibrary.h"

/// One certificate, read.
typedef struct copenssl_certificate copenssl_certificate;
/// Certificates and revocation lists that chains are checked against. Shared by threads once it is made, and read only.
typedef struct copenssl_store copenssl_store;

// MARK: - Certificates

/// Reads DER; NULL when it is none, or bytes follow. `error` gets the reason.
copenssl_certificate *copenssl_certificate_read(const uint8_t *der, size_t count, char *error, size_t room);
void copenssl_certificate_free(copenssl_certificate *certificate);

typedef enum {
  COPENSSL_SUBJECT,     // RFC 2253
  COPENSSL_ISSUER,      // RFC 2253
  COPENSSL_COMMON_NAME, // the first, as UTF-8
  COPENSSL_SERIAL,      // lower hex
  COPENSSL_PEM,
  COPENSSL_DER,
} copenssl_text;

/// Writes at most `room` bytes and answers how many there are in all.
size_t copenssl_certificate_text(const copenssl_certificate *certificate, copenssl_text text, uint8_t *to, size_t room);

typedef enum { COPENSSL_KEY_OTHER, COPENSSL_KEY_RSA, COPENSSL_KEY_EC } copenssl_key_kind;

typedef struct {
  int64_t not_before, not_after; // seconds since 1970
  copenssl_key_kind key_kind;
  int key_bits;
  uint16_t curve;          // number in the registry of groups: 23, 24, 25; 0 = another
  int must_staple;         // RFC 7633
  int is_authority;
  uint8_t sha256[32], sha1[20], key_sha256[32]; // of the DER, and of its SubjectPublicKeyInfo
} copenssl_facts;

/// 0 when a time or the key cannot be understood.
int copenssl_certificate_facts(const copenssl_certificate *certificate, copenssl_facts *to);

typedef enum {
  COPENSSL_NAME_EMAIL = 1, // in Envoy's order of SanType
  COPENSSL_NAME_DNS = 2,
  COPENSSL_NAME_URI = 3,
  COPENSSL_NAME_IP = 4, // as text
  COPENSSL_NAME_OTHER = 5,
} copenssl_name_kind;

/// Calls `each` for every subject alternative name of these kinds, in order. `oid` is set for COPENSSL_NAME_OTHER.
void copenssl_certificate_names(const copenssl_certificate *certificate, void *argument,
                                void (*each)(void *argument, copenssl_name_kind kind, const uint8_t *text, size_t count,
                                             const char *oid));

/// Whether `issuer` may have issued the certificate, by names and identifiers; signatures are not checked.
int copenssl_certificate_is_issued_by(const copenssl_certificate *certificate, const copenssl_certificate *issuer);
/// Whether the key (PKCS#8 DER) belongs to the certificate.
int copenssl_certificate_has_key(const copenssl_certificate *certificate, const uint8_t *key, size_t count);

// MARK: - PEM

/// Calls `each` for every PEM block; answers how many there were, or -(n + 1) when block n (from 0) is broken.
int copenssl_pem_each(const uint8_t *text, size_t count, void *argument,
                      void (*each)(void *argument, const char *name, const uint8_t *der, size_t der_count));

typedef enum { COPENSSL_KEY_FINE, COPENSSL_KEY_MISSING, COPENSSL_KEY_ENCRYPTED, COPENSSL_KEY_WRONG_PASSWORD, COPENSSL_KEY_BROKEN } copenssl_key_outcome;

/// Reads the first private key of a PEM text as PKCS#8 DER: `*to` is freed with copenssl_secret_free. `password` may be NULL.
copenssl_key_outcome copenssl_key_read(const uint8_t *text, size_t count, const uint8_t *password, size_t password_count,
                                       uint8_t **to, size_t *to_count);
void copenssl_secret_free(uint8_t *bytes, size_t count);

// MARK: - Certificates of our own

/// A new P-256 key and a certificate that it signs itself, valid between two times in seconds since 1970. `names` is a
/// subjectAltName in the syntax of openssl.cnf. Both are DER, freed with copenssl_secret_free; 0 when nothing could be made.
int copenssl_self_signed(const char *common_name, const char *names, int64_t from, int64_t until, uint8_t **certificate,
                         size_t *certificate_count, uint8_t **key, size_t *key_count);

// MARK: - Stores

copenssl_store *copenssl_store_new(void);
void copenssl_store_free(copenssl_store *store);
/// DER of a certificate, or of a revocation list; 0 with a reason.
int copenssl_store_add(copenssl_store *store, int is_crl, const uint8_t *der, size_t count, char *error, size_t room);
int copenssl_store_count(const copenssl_store *store);

// MARK: - OCSP

typedef enum { COPENSSL_OCSP_FINE, COPENSSL_OCSP_UNREADABLE, COPENSSL_OCSP_UNSUCCESSFUL, COPENSSL_OCSP_OTHER_CERTIFICATE, COPENSSL_OCSP_SEVERAL } copenssl_ocsp_outcome;

typedef struct {
  int64_t this_update, next_update; // seconds since 1970; 0: none
  int status;                       // 0 good, 1 revoked, 2 unknown
  char serial[80];                  // lower hex, as the response has it
} copenssl_ocsp;

/// Reads a response and whether it is for the certificate, by its serial number.
copenssl_ocsp_outcome copenssl_ocsp_read(const uint8_t *der, size_t count, const copenssl_certificate *certificate,
                                         copenssl_ocsp *to);
/// The words for an X509_V_ERR_*.
const char *copenssl_verify_words(int error);
