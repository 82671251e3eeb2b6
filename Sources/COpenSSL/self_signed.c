#include "internal.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

static int fill(X509 *certificate, EVP_PKEY *key, const char *common_name, const char *names, int64_t from,
                int64_t until) {
  uint8_t serial[8];
  if (RAND_bytes(serial, sizeof serial) != 1) return 0;
  serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); // positive and of full length
  BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
  const int numbered = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
  BN_free(number);
  X509_NAME *name = X509_get_subject_name(certificate);
  if (!numbered || X509_set_version(certificate, X509_VERSION_3) != 1 ||
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) != 1 ||
      X509_set_issuer_name(certificate, name) != 1 || !ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)from) ||
      !ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)until) || X509_set_pubkey(certificate, key) != 1)
    return 0;
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
  const int added = extension && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added && X509_sign(certificate, key, EVP_sha256()) > 0;
}

int copenssl_self_signed(const char *common_name, const char *names, int64_t from, int64_t until, uint8_t **certificate,
                         size_t *certificate_count, uint8_t **key, size_t *key_count) {
  copenssl_start();
  *certificate = *key = NULL;
  EVP_PKEY *pair = EVP_EC_gen("P-256");
  X509 *made = pair ? X509_new() : NULL;
  int certificate_bytes = 0, key_bytes = 0;
  if (made && fill(made, pair, common_name, names, from, until)) {
    certificate_bytes = i2d_X509(made, certificate);
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pair);
    key_bytes = info ? i2d_PKCS8_PRIV_KEY_INFO(info, key) : 0;
    PKCS8_PRIV_KEY_INFO_free(info);
  }
  X509_free(made);
  EVP_PKEY_free(pair);
  ERR_clear_error();
  *certificate_count = certificate_bytes > 0 ? (size_t)certificate_bytes : 0;
  *key_count = key_bytes > 0 ? (size_t)key_bytes : 0;
  return *certificate_count > 0 && *key_count > 0;
}
