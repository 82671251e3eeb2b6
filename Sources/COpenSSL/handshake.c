#include "internal.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// MARK: - The transport: plain memory

static int memory_read(BIO *bio, char *to, int room) {
  copenssl_handshake *handshake = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  const size_t left = handshake->input_count - handshake->input_taken;
  if (room <= 0) return 0;
  if (left == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t count = left < (size_t)room ? left : (size_t)room;
  const uint8_t *from = handshake->input + handshake->input_taken;
  memcpy(to, from, count);
  copenssl_scan(&handshake->read_scan, from, count);
  handshake->input_taken += count;
  return (int)count;
}

static int memory_write(BIO *bio, const char *from, int wanted) {
  copenssl_handshake *handshake = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  const size_t left = handshake->room_count - handshake->made;
  if (wanted <= 0) return 0;
  if (left == 0) {
    BIO_set_retry_write(bio);
    return -1;
  }
  const size_t count = left < (size_t)wanted ? left : (size_t)wanted;
  memcpy(handshake->room + handshake->made, from, count);
  copenssl_scan(&handshake->write_scan, (const uint8_t *)from, count);
  handshake->made += count;
  return (int)count;
}

static long memory_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static int memory_create(BIO *bio) {
  BIO_set_init(bio, 1);
  return 1;
}

static BIO_METHOD *memory_method;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_method(void) {
  memory_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "memory");
  if (!memory_method) return;
  BIO_meth_set_read(memory_method, memory_read);
  BIO_meth_set_write(memory_method, memory_write);
  BIO_meth_set_ctrl(memory_method, memory_control);
  BIO_meth_set_create(memory_method, memory_create);
}

// MARK: - Life

copenssl_handshake *copenssl_handshake_of(const SSL *ssl) { return SSL_get_app_data(ssl); }

copenssl_handshake *copenssl_handshake_new(copenssl_context *context, void *connection, int64_t now) {
  pthread_once(&once, make_method);
  copenssl_handshake *handshake = calloc(1, sizeof *handshake);
  if (!handshake) return NULL;
  context->library->handshakes++;
  handshake->context = context;
  handshake->connection = connection;
  handshake->now = now;
  ERR_clear_error();
  SSL *ssl = handshake->ssl = SSL_new(context->ssl);
  BIO *bio = ssl && memory_method ? BIO_new(memory_method) : NULL;
  if (!bio) {
    copenssl_handshake_free(handshake);
    return NULL;
  }
  BIO_set_data(bio, handshake);
  SSL_set_bio(ssl, bio, bio); // the SSL owns it
  SSL_set_app_data(ssl, handshake);
  if (context->is_server)
    SSL_set_accept_state(ssl);
  else
    SSL_set_connect_state(ssl);
  return handshake;
}

void copenssl_handshake_free(copenssl_handshake *handshake) {
  if (!handshake) return;
  if (handshake->ssl) {
    // Without this the library takes the connection for broken and forbids its resumption.
    if (handshake->error_count == 0) SSL_set_shutdown(handshake->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(handshake->ssl);
  }
  SSL_SESSION_free(handshake->ticket);
  handshake->context->library->handshakes--;
  OPENSSL_cleanse(handshake, sizeof *handshake);
  free(handshake);
}

void *copenssl_handshake_connection(const copenssl_handshake *handshake) { return handshake->connection; }
int copenssl_handshake_is_server(const copenssl_handshake *handshake) { return handshake->context->is_server; }
int64_t copenssl_handshake_now(const copenssl_handshake *handshake) { return handshake->now; }

void copenssl_handshake_omit_staple(copenssl_handshake *handshake) { handshake->omits_staple = 1; }

int copenssl_handshake_set_server_name(copenssl_handshake *handshake, const char *name) {
  return SSL_set_tlsext_host_name(handshake->ssl, name) == 1;
}

int copenssl_handshake_set_expected_name(copenssl_handshake *handshake, const uint8_t *name, size_t count) {
  if (count > sizeof handshake->expected_name) return 0;
  memcpy(handshake->expected_name, name, count);
  handshake->expected_name_count = (uint8_t)count;
  return 1;
}

const uint8_t *copenssl_handshake_expected_name(const copenssl_handshake *handshake, size_t *count) {
  *count = handshake->expected_name_count;
  return handshake->expected_name;
}

int copenssl_handshake_set_protocols(copenssl_handshake *handshake, const uint8_t *protocols, size_t count) {
  return SSL_set_alpn_protos(handshake->ssl, protocols, (unsigned)count) == 0;
}

// MARK: - Steps

void copenssl_handshake_input(copenssl_handshake *handshake, const uint8_t *bytes, size_t count) {
  handshake->input = bytes;
  handshake->input_count = count;
  handshake->input_taken = 0;
}

size_t copenssl_handshake_taken(const copenssl_handshake *handshake) { return handshake->input_taken; }

void copenssl_handshake_room(copenssl_handshake *handshake, uint8_t *to, size_t room) {
  handshake->room = to;
  handshake->room_count = room;
  handshake->made = 0;
}

size_t copenssl_handshake_made(const copenssl_handshake *handshake) { return handshake->made; }

void copenssl_keep_errors(copenssl_handshake *handshake) {
  const char *data;
  int flags;
  unsigned long code;
  while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
    if (handshake->error_count == errors_max) continue;
    handshake->errors[handshake->error_count].code = code;
    char *to = handshake->errors[handshake->error_count++].data;
    if (flags & ERR_TXT_STRING && data) strncpy(to, data, error_data_max - 1);
  }
}

static copenssl_result outcome(copenssl_handshake *handshake, int result) {
  switch (SSL_get_error(handshake->ssl, result)) {
  case SSL_ERROR_NONE: return COPENSSL_DONE;
  case SSL_ERROR_WANT_READ: return COPENSSL_WANTS_INPUT;
  case SSL_ERROR_WANT_WRITE: return COPENSSL_WANTS_ROOM;
  case SSL_ERROR_ZERO_RETURN: return COPENSSL_ENDED;
  default:
    copenssl_keep_errors(handshake);
    // There is nothing to go on with, whatever the queue says.
    if (handshake->error_count == 0) handshake->errors[handshake->error_count++].code = ERR_PACK(ERR_LIB_SSL, 0, ERR_R_INTERNAL_ERROR);
    return COPENSSL_FAILED;
  }
}

copenssl_result copenssl_handshake_step(copenssl_handshake *handshake) {
  if (handshake->error_count) return COPENSSL_FAILED;
  ERR_clear_error();
  copenssl_derivations *derivations = handshake->context->library->derivations;
  derivations->handshake = handshake;
  const int result = SSL_do_handshake(handshake->ssl);
  derivations->handshake = NULL;
  return outcome(handshake, result);
}

copenssl_result copenssl_handshake_read(copenssl_handshake *handshake, uint8_t *to, size_t room, size_t *count) {
  *count = 0;
  if (handshake->error_count) return COPENSSL_FAILED;
  ERR_clear_error();
  return outcome(handshake, SSL_read_ex(handshake->ssl, to, room, count));
}

size_t copenssl_handshake_pending(const copenssl_handshake *handshake) { return (size_t)SSL_pending(handshake->ssl); }

copenssl_result copenssl_handshake_write(copenssl_handshake *handshake, const uint8_t *bytes, size_t count,
                                         size_t *taken) {
  *taken = 0;
  if (handshake->error_count) return COPENSSL_FAILED;
  ERR_clear_error();
  return outcome(handshake, SSL_write_ex(handshake->ssl, bytes, count, taken));
}

copenssl_result copenssl_handshake_close_notify(copenssl_handshake *handshake) {
  if (handshake->error_count) return COPENSSL_FAILED;
  ERR_clear_error();
  // 0: sent, and the peer's has not come; nobody waits for it.
  const int result = SSL_shutdown(handshake->ssl);
  return result >= 0 ? COPENSSL_DONE : outcome(handshake, result);
}

copenssl_result copenssl_handshake_update_keys(copenssl_handshake *handshake, int asks) {
  ERR_clear_error();
  if (!SSL_key_update(handshake->ssl, asks ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED)) {
    copenssl_keep_errors(handshake);
    return COPENSSL_FAILED;
  }
  return outcome(handshake, SSL_do_handshake(handshake->ssl));
}

// MARK: - Questions

int copenssl_handshake_error(const copenssl_handshake *handshake, int index, copenssl_error *error) {
  if (index < 0 || index >= handshake->error_count) return 0;
  const unsigned long code = handshake->errors[index].code;
  error->library = (uint32_t)ERR_GET_LIB(code);
  error->reason = (uint32_t)ERR_GET_REASON(code);
  error->library_text = ERR_lib_error_string(code);
  error->text = ERR_reason_error_string(code);
  error->data = handshake->errors[index].data;
  return 1;
}

/// The number in the registry of a signature, from the library's kinds of key and hash (RFC 8446, section 4.2.3).
static uint16_t signature_of(SSL *ssl) {
  int key = NID_undef, hash = NID_undef;
  if (!SSL_get_peer_signature_type_nid(ssl, &key)) return 0;
  if (key == NID_ED25519) return 0x0807;
  if (key == NID_ED448) return 0x0808;
  if (!SSL_get_peer_signature_nid(ssl, &hash)) return 0;
  const int size = hash == NID_sha256 ? 0 : hash == NID_sha384 ? 1 : hash == NID_sha512 ? 2 : -1;
  if (size < 0) return 0;
  if (key == EVP_PKEY_RSA_PSS) return (uint16_t)(0x0804 + size);
  if (key == EVP_PKEY_EC) return (uint16_t)(0x0403 + 0x0100 * size);
  if (key == EVP_PKEY_RSA) return (uint16_t)(0x0401 + 0x0100 * size);
  return 0;
}

static uint16_t group_of(SSL *ssl) {
  const long nid = SSL_get_negotiated_group(ssl);
  switch (nid) {
  case NID_X9_62_prime256v1: return 23;
  case NID_secp384r1: return 24;
  case NID_secp521r1: return 25;
  case NID_X25519: return 29;
  case NID_X448: return 30;
  default: return 0;
  }
}

void copenssl_handshake_agreed(const copenssl_handshake *handshake, copenssl_agreed *to) {
  SSL *ssl = handshake->ssl;
  memset(to, 0, sizeof *to);
  const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
  to->version = (uint16_t)SSL_version(ssl);
  to->cipher = cipher ? SSL_CIPHER_get_protocol_id(cipher) : 0;
  to->group = group_of(ssl);
  to->signature = signature_of(ssl);
  to->is_resumed = SSL_session_reused(ssl);
  to->has_peer_certificate = SSL_get0_peer_certificate(ssl) != NULL;
  unsigned count = 0;
  SSL_get0_alpn_selected(ssl, &to->protocol, &count);
  to->protocol_count = count;
  if (to->version == TLS1_2_VERSION && SSL_get_session(ssl)) {
    to->session_id = SSL_SESSION_get_id(SSL_get_session(ssl), &count);
    to->session_id_count = count;
  }
  to->staple_requested = handshake->staple_requested;
  to->staple_sent = handshake->staple_sent;
}

copenssl_certificate *copenssl_handshake_peer_certificate(const copenssl_handshake *handshake, int index) {
  if (index == 0) return (copenssl_certificate *)SSL_get0_peer_certificate(handshake->ssl);
  STACK_OF(X509) *chain = SSL_get_peer_cert_chain(handshake->ssl);
  // A client's chain begins with the leaf, a server's does not.
  const int at = handshake->context->is_server ? index - 1 : index;
  return at < 0 || at >= sk_X509_num(chain) ? NULL : (copenssl_certificate *)sk_X509_value(chain, at);
}
