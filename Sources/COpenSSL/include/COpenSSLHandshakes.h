#pragma once
#include "COpenSSLContexts.h"
#include "COpenSSLRecords.h"

typedef enum {
  COPENSSL_FAILED = -1,
  COPENSSL_ENDED = 0, // close_notify
  COPENSSL_DONE = 1,
  COPENSSL_WANTS_INPUT = 2,
  COPENSSL_WANTS_ROOM = 3,
} copenssl_result;

/// A ticket of a client.
typedef struct copenssl_ticket copenssl_ticket;

/// NULL when memory is short. `connection` is handed to callbacks; `now` is in seconds since 1970.
copenssl_handshake *copenssl_handshake_new(copenssl_context *context, void *connection, int64_t now);
/// Cleanses and frees.
void copenssl_handshake_free(copenssl_handshake *handshake);
void *copenssl_handshake_connection(const copenssl_handshake *handshake);
int copenssl_handshake_is_server(const copenssl_handshake *handshake);
int64_t copenssl_handshake_now(const copenssl_handshake *handshake);

/// Sends no OCSP response although the context has one: it is too old.
void copenssl_handshake_omit_staple(copenssl_handshake *handshake);

/// A client says which server it wants (NUL-terminated; sent) and which name its certificate must have (checked by the rules).
int copenssl_handshake_set_server_name(copenssl_handshake *handshake, const char *name);
int copenssl_handshake_set_expected_name(copenssl_handshake *handshake, const uint8_t *name, size_t count);
const uint8_t *copenssl_handshake_expected_name(const copenssl_handshake *handshake, size_t *count);
/// Offers these protocols instead of the context's.
int copenssl_handshake_set_protocols(copenssl_handshake *handshake, const uint8_t *protocols, size_t count);
/// Offers a ticket; it stays the caller's.
int copenssl_handshake_resume(copenssl_handshake *handshake, copenssl_ticket *ticket);
/// The ticket that came last, or NULL; it is the caller's.
copenssl_ticket *copenssl_handshake_take_ticket(copenssl_handshake *handshake);
void copenssl_ticket_free(copenssl_ticket *ticket);

// Memory for the next call: one run of input, which is not copied, and room for output.
void copenssl_handshake_input(copenssl_handshake *handshake, const uint8_t *bytes, size_t count);
size_t copenssl_handshake_taken(const copenssl_handshake *handshake);
void copenssl_handshake_room(copenssl_handshake *handshake, uint8_t *to, size_t room);
size_t copenssl_handshake_made(const copenssl_handshake *handshake);

copenssl_result copenssl_handshake_step(copenssl_handshake *handshake);
copenssl_result copenssl_handshake_read(copenssl_handshake *handshake, uint8_t *to, size_t room, size_t *count);
// Bytes of plaintext that are opened and not yet read.
size_t copenssl_handshake_pending(const copenssl_handshake *handshake);
copenssl_result copenssl_handshake_write(copenssl_handshake *handshake, const uint8_t *bytes, size_t count, size_t *taken);
copenssl_result copenssl_handshake_close_notify(copenssl_handshake *handshake);
/// Sends new keys, and asks for the peer's when `asks`. For tests: contexts of the proxy leave that to RecordProtection.
copenssl_result copenssl_handshake_update_keys(copenssl_handshake *handshake, int asks);

/// Gives the keys of both directions away; 1, or 0 when the connection has to stay: another cipher, a record in pieces, keys
/// changed, small fragments agreed on. After 1 nothing may be called but questions and free.
int copenssl_handshake_detach(copenssl_handshake *handshake, copenssl_library *library, copenssl_keys *to);

// MARK: - Failures

/// One entry of the error queue at the failure.
typedef struct {
  uint32_t library, reason;
  const char *library_text; // its name, or NULL
  const char *text; // the reason in words, or NULL
  const char *data; // what was added, or ""
} copenssl_error;

int copenssl_handshake_error(const copenssl_handshake *handshake, int index, copenssl_error *error);
const copenssl_verdict *copenssl_handshake_verdict(const copenssl_handshake *handshake);

// MARK: - What was agreed on

typedef struct {
  uint16_t version, cipher, group; // numbers of the registries; 0 = none
  uint16_t signature;              // of the peer's certificate's key over the handshake; 0 = none
  int is_resumed, has_peer_certificate;
  const uint8_t *protocol; // in the connection's memory
  size_t protocol_count;
  const uint8_t *session_id; // TLS 1.2
  size_t session_id_count;
  int staple_requested, staple_sent;
} copenssl_agreed;

void copenssl_handshake_agreed(const copenssl_handshake *handshake, copenssl_agreed *to);
/// A certificate of the peer, the leaf first; NULL behind the last. Resumed connections know the leaf at most.
copenssl_certificate *copenssl_handshake_peer_certificate(const copenssl_handshake *handshake, int index);
