// OpenSSL's reading of a ClientHello, to compare another with.
#include "CTLSHarness.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

static SSL_CTX *context;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int64_t copy(SSL *ssl, unsigned type, uint8_t *to, size_t room) {
  const unsigned char *content;
  size_t count;
  if (!SSL_client_hello_get0_ext(ssl, type, &content, &count)) return -1;
  if (count > room) count = room;
  memcpy(to, content, count);
  return (int64_t)count;
}

static int seen(SSL *ssl, int *alert, void *unused) {
  (void)alert, (void)unused;
  ctlsharness_hello *to = SSL_get_app_data(ssl);
  to->server_name_count = copy(ssl, TLSEXT_TYPE_server_name, to->server_name, sizeof to->server_name);
  to->protocols_count =
      copy(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, to->protocols, sizeof to->protocols);
  return SSL_CLIENT_HELLO_RETRY; // that is all
}

static void make_context(void) {
  context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_client_hello_cb(context, seen, NULL);
}

int ctlsharness_read_hello(const uint8_t *bytes, size_t count, ctlsharness_hello *to) {
  pthread_once(&once, make_context);
  SSL *ssl = SSL_new(context);
  SSL_set_accept_state(ssl);
  SSL_set_app_data(ssl, to);
  SSL_set0_rbio(ssl, BIO_new_mem_buf(bytes, (int)count));
  SSL_set0_wbio(ssl, BIO_new(BIO_s_mem()));
  const int result = SSL_do_handshake(ssl);
  const int found = SSL_get_error(ssl, result) == SSL_ERROR_WANT_CLIENT_HELLO_CB;
  SSL_free(ssl);
  ERR_clear_error();
  return found;
}
