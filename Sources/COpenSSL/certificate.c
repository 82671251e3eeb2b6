#include "internal.h"

#include <arpa/inet.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static X509 *x509(const copenssl_certificate *certificate) { return (X509 *)certificate; }

copenssl_certificate *copenssl_certificate_read(const uint8_t *der, size_t count, char *error, size_t room) {
  copenssl_start();
  ERR_clear_error();
  const uint8_t *at = der;
  X509 *made = count > 0 && count <= 1 << 20 ? d2i_X509(NULL, &at, (long)count) : NULL;
  if (made && at != der + count) {
    X509_free(made);
    made = NULL;
  }
  if (!made && room) {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    snprintf(error, room, "%s", reason ? reason : "bytes follow");
  }
  ERR_clear_error();
  return (copenssl_certificate *)made;
}

void copenssl_certificate_free(copenssl_certificate *certificate) { X509_free(x509(certificate)); }

// MARK: - Texts

static void print_serial(BIO *bio, const ASN1_INTEGER *serial) {
  BIGNUM *number = ASN1_INTEGER_to_BN(serial, NULL);
  char *hex = number ? BN_bn2hex(number) : NULL;
  for (char *at = hex; at && *at; at++) {
    const char lower = *at >= 'A' && *at <= 'F' ? (char)(*at + 32) : *at;
    BIO_write(bio, &lower, 1);
  }
  OPENSSL_free(hex);
  BN_free(number);
}

static void print_common_name(BIO *bio, const X509_NAME *name) {
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) return;
  unsigned char *text = NULL;
  const int count = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
  if (count > 0) BIO_write(bio, text, count);
  if (count >= 0) OPENSSL_free(text);
}

size_t copenssl_certificate_text(const copenssl_certificate *certificate, copenssl_text text, uint8_t *to, size_t room) {
  X509 *from = x509(certificate);
  BIO *bio = BIO_new(BIO_s_mem());
  if (!bio) return 0;
  switch (text) {
  case COPENSSL_SUBJECT: X509_NAME_print_ex(bio, X509_get_subject_name(from), 0, XN_FLAG_RFC2253); break;
  case COPENSSL_ISSUER: X509_NAME_print_ex(bio, X509_get_issuer_name(from), 0, XN_FLAG_RFC2253); break;
  case COPENSSL_COMMON_NAME: print_common_name(bio, X509_get_subject_name(from)); break;
  case COPENSSL_SERIAL: print_serial(bio, X509_get0_serialNumber(from)); break;
  case COPENSSL_PEM: PEM_write_bio_X509(bio, from); break;
  case COPENSSL_DER: i2d_X509_bio(bio, from); break;
  }
  char *made = NULL;
  const long count = BIO_get_mem_data(bio, &made);
  if (count > 0 && room > 0) memcpy(to, made, (size_t)count < room ? (size_t)count : room);
  BIO_free(bio);
  ERR_clear_error();
  return count > 0 ? (size_t)count : 0;
}

// MARK: - Facts

/// Seconds since 1970 of a time; 0 when it is none.
static int seconds(const ASN1_TIME *time, int64_t *to) {
  struct tm parts;
  if (!time || !ASN1_TIME_to_tm(time, &parts)) return 0;
  // Days since 1970 of a date in the civil calendar, counted in eras of 400 years that begin in March.
  int64_t year = parts.tm_year + 1900 - (parts.tm_mon < 2);
  const int64_t era = (year >= 0 ? year : year - 399) / 400, year_of_era = year - era * 400;
  const int64_t month = (parts.tm_mon + 10) % 12, day_of_year = (153 * month + 2) / 5 + parts.tm_mday - 1;
  const int64_t days = era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
  *to = days * 86400 + parts.tm_hour * 3600 + parts.tm_min * 60 + parts.tm_sec;
  return 1;
}

static void read_key(X509 *from, copenssl_facts *to) {
  EVP_PKEY *key = X509_get0_pubkey(from);
  if (!key) return;
  to->key_bits = EVP_PKEY_get_bits(key);
  if (EVP_PKEY_is_a(key, "RSA")) to->key_kind = COPENSSL_KEY_RSA;
  if (!EVP_PKEY_is_a(key, "EC")) return;
  to->key_kind = COPENSSL_KEY_EC;
  char group[64];
  if (!EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL)) return;
  switch (OBJ_sn2nid(group)) {
  case NID_X9_62_prime256v1: to->curve = 23; break;
  case NID_secp384r1: to->curve = 24; break;
  case NID_secp521r1: to->curve = 25; break;
  }
}

static int must_staple(X509 *from) {
  TLS_FEATURE *features = X509_get_ext_d2i(from, NID_tlsfeature, NULL, NULL);
  int found = 0;
  for (int i = 0; i < sk_ASN1_INTEGER_num(features); i++)
    if (ASN1_INTEGER_get(sk_ASN1_INTEGER_value(features, i)) == TLSEXT_TYPE_status_request) found = 1;
  sk_ASN1_INTEGER_pop_free(features, ASN1_INTEGER_free);
  return found;
}

int copenssl_certificate_facts(const copenssl_certificate *certificate, copenssl_facts *to) {
  X509 *from = x509(certificate);
  memset(to, 0, sizeof *to);
  unsigned count = 0;
  uint8_t *key = NULL;
  const int key_count = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(from), &key);
  const int done = key_count > 0 && seconds(X509_get0_notBefore(from), &to->not_before) &&
                   seconds(X509_get0_notAfter(from), &to->not_after) &&
                   X509_digest(from, EVP_sha256(), to->sha256, &count) && X509_digest(from, EVP_sha1(), to->sha1, &count) &&
                   EVP_Digest(key, (size_t)key_count, to->key_sha256, &count, EVP_sha256(), NULL);
  OPENSSL_free(key);
  read_key(from, to);
  to->must_staple = must_staple(from);
  to->is_authority = X509_check_ca(from) == 1;
  ERR_clear_error();
  return done;
}

static const ASN1_STRING *text_of(const ASN1_TYPE *value) {
  switch (value->type) {
  case V_ASN1_UTF8STRING:
  case V_ASN1_IA5STRING:
  case V_ASN1_PRINTABLESTRING:
  case V_ASN1_T61STRING:
  case V_ASN1_VISIBLESTRING:
  case V_ASN1_OCTET_STRING:
  case V_ASN1_NUMERICSTRING: return value->value.asn1_string;
  default: return NULL;
  }
}

void copenssl_certificate_names(const copenssl_certificate *certificate, void *argument,
                                void (*each)(void *, copenssl_name_kind, const uint8_t *, size_t, const char *)) {
  GENERAL_NAMES *names = X509_get_ext_d2i(x509(certificate), NID_subject_alt_name, NULL, NULL);
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    const ASN1_STRING *text = NULL;
    copenssl_name_kind kind = COPENSSL_NAME_OTHER;
    char oid[128] = "", address[INET6_ADDRSTRLEN];
    switch (name->type) {
    case GEN_DNS: kind = COPENSSL_NAME_DNS, text = name->d.dNSName; break;
    case GEN_URI: kind = COPENSSL_NAME_URI, text = name->d.uniformResourceIdentifier; break;
    case GEN_EMAIL: kind = COPENSSL_NAME_EMAIL, text = name->d.rfc822Name; break;
    case GEN_IPADD: {
      const int count = ASN1_STRING_length(name->d.iPAddress);
      if (count != 4 && count != 16) continue;
      if (!inet_ntop(count == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address))
        continue;
      each(argument, COPENSSL_NAME_IP, (const uint8_t *)address, strlen(address), NULL);
      continue;
    }
    case GEN_OTHERNAME:
      if (OBJ_obj2txt(oid, sizeof oid, name->d.otherName->type_id, 1) <= 0) continue;
      text = text_of(name->d.otherName->value);
      break;
    default: continue;
    }
    if (text)
      each(argument, kind, ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text),
           kind == COPENSSL_NAME_OTHER ? oid : NULL);
  }
  GENERAL_NAMES_free(names);
  ERR_clear_error();
}

int copenssl_certificate_is_issued_by(const copenssl_certificate *certificate, const copenssl_certificate *issuer) {
  return X509_check_issued(x509(issuer), x509(certificate)) == X509_V_OK;
}

int copenssl_certificate_has_key(const copenssl_certificate *certificate, const uint8_t *key, size_t count) {
  const uint8_t *at = key;
  EVP_PKEY *read = d2i_AutoPrivateKey(NULL, &at, (long)count);
  const int belongs = read && X509_check_private_key(x509(certificate), read) == 1;
  EVP_PKEY_free(read);
  ERR_clear_error();
  return belongs;
}

const char *copenssl_verify_words(int error) { return X509_verify_cert_error_string(error); }
