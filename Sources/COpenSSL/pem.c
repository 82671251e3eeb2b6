// Files of certificates and keys, stores, OCSP responses: what a configuration names. Never on a worker.
#define _GNU_SOURCE // memmem
#include "internal.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <stdio.h>
#include <string.h>

// MARK: - PEM

int copenssl_pem_each(const uint8_t *text, size_t count, void *argument,
                      void (*each)(void *, const char *, const uint8_t *, size_t)) {
  copenssl_start();
  BIO *bio = count <= 1 << 26 ? BIO_new_mem_buf(text, (int)count) : NULL;
  if (!bio) return -1;
  int found = 0, outcome;
  for (;;) {
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long der_count = 0;
    ERR_clear_error();
    const int read = PEM_read_bio(bio, &name, &header, &der, &der_count);
    if (read) each(argument, name, der, (size_t)der_count);
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(der, (size_t)der_count);
    if (!read) break;
    found++;
  }
  const unsigned long error = ERR_peek_last_error();
  outcome = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE ? found : -(found + 1);
  ERR_clear_error();
  BIO_free(bio);
  return outcome;
}

typedef struct {
  const uint8_t *password;
  size_t count;
  int was_asked;
} password_source;

static int give_password(char *to, int room, int is_writing, void *argument) {
  (void)is_writing;
  password_source *source = argument;
  source->was_asked = 1;
  if (!source->password || source->count > (size_t)room) return -1;
  memcpy(to, source->password, source->count);
  return (int)source->count;
}

copenssl_key_outcome copenssl_key_read(const uint8_t *text, size_t count, const uint8_t *password, size_t password_count,
                                       uint8_t **to, size_t *to_count) {
  *to = NULL;
  copenssl_start();
  BIO *bio = count <= 1 << 26 ? BIO_new_mem_buf(text, (int)count) : NULL;
  if (!bio) return COPENSSL_KEY_BROKEN;
  password_source source = {password, password_count, 0};
  ERR_clear_error();
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, give_password, &source);
  BIO_free(bio);
  PKCS8_PRIV_KEY_INFO *info = key ? EVP_PKEY2PKCS8(key) : NULL;
  const int made = info ? i2d_PKCS8_PRIV_KEY_INFO(info, to) : 0;
  PKCS8_PRIV_KEY_INFO_free(info);
  EVP_PKEY_free(key);
  ERR_clear_error();
  if (made > 0) {
    *to_count = (size_t)made;
    return COPENSSL_KEY_FINE;
  }
  if (source.was_asked) return password ? COPENSSL_KEY_WRONG_PASSWORD : COPENSSL_KEY_ENCRYPTED;
  return memmem(text, count, "PRIVATE KEY-----", 16) ? COPENSSL_KEY_BROKEN : COPENSSL_KEY_MISSING;
}

void copenssl_secret_free(uint8_t *bytes, size_t count) { OPENSSL_clear_free(bytes, count); }

// MARK: - Stores

copenssl_store *copenssl_store_new(void) {
  copenssl_start();
  return (copenssl_store *)X509_STORE_new();
}

void copenssl_store_free(copenssl_store *store) { X509_STORE_free((X509_STORE *)store); }

int copenssl_store_add(copenssl_store *store, int is_crl, const uint8_t *der, size_t count, char *error, size_t room) {
  ERR_clear_error();
  const uint8_t *at = der;
  int done = 0;
  if (count > 0 && count <= 1 << 26) {
    if (is_crl) {
      X509_CRL *list = d2i_X509_CRL(NULL, &at, (long)count);
      done = list && X509_STORE_add_crl((X509_STORE *)store, list);
      X509_CRL_free(list);
    } else {
      X509 *certificate = d2i_X509(NULL, &at, (long)count);
      // What the library keeps with a certificate is filled in now: workers only read it.
      if (certificate) X509_check_purpose(certificate, -1, 0);
      done = certificate && X509_STORE_add_cert((X509_STORE *)store, certificate);
      X509_free(certificate);
    }
  }
  if (!done && room) {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    snprintf(error, room, "%s", reason ? reason : "it is empty");
  }
  ERR_clear_error();
  return done;
}

int copenssl_store_count(const copenssl_store *store) {
  return sk_X509_OBJECT_num(X509_STORE_get0_objects((X509_STORE *)store));
}

// MARK: - OCSP

/// Seconds since 1970 of a time of OCSP; 0 when there is none.
static int64_t seconds_of(const ASN1_GENERALIZEDTIME *time) {
  ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
  int days = 0, seconds = 0;
  const int done = time && epoch && ASN1_TIME_diff(&days, &seconds, epoch, time);
  ASN1_TIME_free(epoch);
  return done ? (int64_t)days * 86400 + seconds : 0;
}

static void write_serial(const ASN1_INTEGER *serial, char *to, size_t room) {
  BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
  char *hex = number ? BN_bn2hex(number) : NULL;
  size_t i = 0;
  for (; hex && hex[i] && i + 1 < room; i++) to[i] = hex[i] >= 'A' && hex[i] <= 'F' ? (char)(hex[i] + 32) : hex[i];
  to[i] = 0;
  OPENSSL_free(hex);
  BN_free(number);
}

static copenssl_ocsp_outcome read_basic(OCSP_BASICRESP *basic, const copenssl_certificate *certificate, copenssl_ocsp *to) {
  if (OCSP_resp_count(basic) != 1) return COPENSSL_OCSP_SEVERAL;
  OCSP_SINGLERESP *single = OCSP_resp_get0(basic, 0);
  ASN1_INTEGER *serial = NULL;
  // Only looks; nothing is checked or changed.
  OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single));
  ASN1_GENERALIZEDTIME *this_update = NULL, *next_update = NULL;
  to->status = OCSP_single_get0_status(single, NULL, NULL, &this_update, &next_update);
  to->this_update = seconds_of(this_update);
  to->next_update = seconds_of(next_update);
  if (!serial) return COPENSSL_OCSP_UNREADABLE;
  write_serial(serial, to->serial, sizeof to->serial);
  return ASN1_INTEGER_cmp(serial, X509_get0_serialNumber((const X509 *)certificate)) == 0 ? COPENSSL_OCSP_FINE
                                                                                          : COPENSSL_OCSP_OTHER_CERTIFICATE;
}

copenssl_ocsp_outcome copenssl_ocsp_read(const uint8_t *der, size_t count, const copenssl_certificate *certificate,
                                         copenssl_ocsp *to) {
  memset(to, 0, sizeof *to);
  const uint8_t *at = der;
  OCSP_RESPONSE *response = count > 0 && count <= 1 << 20 ? d2i_OCSP_RESPONSE(NULL, &at, (long)count) : NULL;
  copenssl_ocsp_outcome outcome = COPENSSL_OCSP_UNREADABLE;
  if (response && at == der + count) {
    outcome = COPENSSL_OCSP_UNSUCCESSFUL;
    if (OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL) {
      OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
      outcome = basic ? read_basic(basic, certificate, to) : COPENSSL_OCSP_UNREADABLE;
      OCSP_BASICRESP_free(basic);
    }
  }
  OCSP_RESPONSE_free(response);
  ERR_clear_error();
  return outcome;
}
