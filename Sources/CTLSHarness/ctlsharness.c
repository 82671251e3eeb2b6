#include "CTLSHarness.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

struct ctlsharness_identity {
  X509 *certificate;
  EVP_PKEY *key;
};

static EVP_PKEY *make_key(ctlsharness_key kind) {
  switch (kind) {
  case CTLSHARNESS_P256: return EVP_EC_gen("P-256");
  case CTLSHARNESS_P384: return EVP_EC_gen("P-384");
  case CTLSHARNESS_SECP256K1: return EVP_EC_gen("secp256k1");
  case CTLSHARNESS_RSA_2048: return EVP_RSA_gen(2048);
  case CTLSHARNESS_RSA_1024: return EVP_RSA_gen(1024);
  }
  return NULL;
}

static int extend(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  const int done = extension && X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
  return done;
}

static int fill(X509 *certificate, const ctlsharness_spec *spec, ctlsharness_identity *issuer) {
  X509_NAME *name = X509_get_subject_name(certificate);
  ASN1_INTEGER *serial = X509_get_serialNumber(certificate);
  X509 *signer = issuer ? issuer->certificate : certificate;
  if (!X509_set_version(certificate, 2) || !ASN1_INTEGER_set_uint64(serial, spec->serial)) return 0;
  if (!ASN1_TIME_set(X509_getm_notBefore(certificate), spec->not_before)) return 0;
  if (!ASN1_TIME_set(X509_getm_notAfter(certificate), spec->not_after)) return 0;
  if (spec->organization && !X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const uint8_t *)spec->organization, -1, -1, 0)) return 0;
  if (spec->common_name && !X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)spec->common_name, -1, -1, 0)) return 0;
  if (!X509_set_issuer_name(certificate, X509_get_subject_name(signer))) return 0;
  if (spec->is_authority && (!extend(certificate, signer, NID_basic_constraints, "critical,CA:TRUE") ||
                             !extend(certificate, signer, NID_key_usage, "keyCertSign,cRLSign,digitalSignature")))
    return 0;
  if (spec->names && !extend(certificate, signer, NID_subject_alt_name, spec->names)) return 0;
  if (spec->must_staple && !extend(certificate, signer, NID_tlsfeature, "status_request")) return 0;
  return 1;
}

ctlsharness_identity *ctlsharness_make(const ctlsharness_spec *spec, ctlsharness_identity *issuer) {
  ctlsharness_identity *made = calloc(1, sizeof *made);
  if (!made) return NULL;
  const uint8_t *der = spec->key_der;
  made->key = der ? d2i_AutoPrivateKey(NULL, &der, (long)spec->key_der_count) : make_key(spec->key);
  made->certificate = X509_new();
  if (made->key && made->certificate && X509_set_pubkey(made->certificate, made->key) &&
      fill(made->certificate, spec, issuer) &&
      X509_sign(made->certificate, issuer ? issuer->key : made->key, EVP_sha256()))
    return made;
  ctlsharness_free(made);
  return NULL;
}

void ctlsharness_free(ctlsharness_identity *identity) {
  if (!identity) return;
  X509_free(identity->certificate);
  EVP_PKEY_free(identity->key);
  free(identity);
}

static size_t give(BIO *bio, uint8_t *to, size_t room) {
  char *text = NULL;
  const long count = BIO_get_mem_data(bio, &text);
  memcpy(to, text, (size_t)count < room ? (size_t)count : room);
  BIO_free(bio);
  return (size_t)count;
}

size_t ctlsharness_certificate(ctlsharness_identity *identity, uint8_t *to, size_t room) {
  BIO *bio = BIO_new(BIO_s_mem());
  i2d_X509_bio(bio, identity->certificate);
  return give(bio, to, room);
}

size_t ctlsharness_key_der(ctlsharness_identity *identity, uint8_t *to, size_t room) {
  BIO *bio = BIO_new(BIO_s_mem());
  i2d_PKCS8PrivateKeyInfo_bio(bio, identity->key);
  return give(bio, to, room);
}

size_t ctlsharness_certificate_pem(ctlsharness_identity *identity, uint8_t *to, size_t room) {
  BIO *bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, identity->certificate);
  return give(bio, to, room);
}

size_t ctlsharness_key_pem(ctlsharness_identity *identity, const char *password, uint8_t *to, size_t room) {
  BIO *bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(bio, identity->key, password ? EVP_aes_128_cbc() : NULL, password,
                                password ? (int)strlen(password) : 0, NULL, NULL);
  return give(bio, to, room);
}

size_t ctlsharness_crl_pem(ctlsharness_identity *issuer, ctlsharness_identity *revoked, int64_t now, uint8_t *to,
                           size_t room) {
  X509_CRL *list = X509_CRL_new();
  ASN1_TIME *time = ASN1_TIME_set(NULL, now - 60), *next = ASN1_TIME_set(NULL, now + 86400);
  X509_CRL_set_version(list, 1);
  X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate));
  X509_CRL_set1_lastUpdate(list, time);
  X509_CRL_set1_nextUpdate(list, next);
  if (revoked) {
    X509_REVOKED *entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->certificate));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(list, entry);
  }
  X509_CRL_sort(list);
  X509_CRL_sign(list, issuer->key, EVP_sha256());
  BIO *bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509_CRL(bio, list);
  X509_CRL_free(list);
  ASN1_TIME_free(time);
  ASN1_TIME_free(next);
  return give(bio, to, room);
}

size_t ctlsharness_ocsp(ctlsharness_identity *identity, ctlsharness_identity *issuer, int64_t now, int64_t next_update,
                        uint8_t *to, size_t room) {
  OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
  OCSP_CERTID *id = OCSP_cert_to_id(NULL, identity->certificate, issuer->certificate);
  ASN1_TIME *this = ASN1_TIME_set(NULL, now), *next = next_update ? ASN1_TIME_set(NULL, next_update) : NULL;
  OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, this, next);
  OCSP_basic_sign(basic, issuer->certificate, issuer->key, EVP_sha256(), NULL, OCSP_NOCERTS);
  OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  BIO *bio = BIO_new(BIO_s_mem());
  i2d_OCSP_RESPONSE_bio(bio, response);
  OCSP_RESPONSE_free(response);
  OCSP_BASICRESP_free(basic);
  OCSP_CERTID_free(id);
  ASN1_TIME_free(this);
  ASN1_TIME_free(next);
  return give(bio, to, room);
}
