#pragma once
#include <nghttp2/nghttp2.h>
#include <stdint.h>

// Values of C enums as the types in which callbacks and structs have them.
static const int32_t cng_err_pause = NGHTTP2_ERR_PAUSE;
static const int32_t cng_err_deferred = NGHTTP2_ERR_DEFERRED;
static const int32_t cng_err_refuse_stream = NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
static const int32_t cng_err_bad_client_magic = NGHTTP2_ERR_BAD_CLIENT_MAGIC;
static const int32_t cng_err_refused_stream = NGHTTP2_ERR_REFUSED_STREAM;
static const int32_t cng_err_flow_control = NGHTTP2_ERR_FLOW_CONTROL;
static const int32_t cng_err_http_header = NGHTTP2_ERR_HTTP_HEADER;
static const int32_t cng_err_http_messaging = NGHTTP2_ERR_HTTP_MESSAGING;
static const int32_t cng_err_stream_closed = NGHTTP2_ERR_STREAM_CLOSED;
static const int32_t cng_err_stream_closing = NGHTTP2_ERR_STREAM_CLOSING;
static const int32_t cng_err_stream_shut_wr = NGHTTP2_ERR_STREAM_SHUT_WR;
static const int32_t cng_err_session_closing = NGHTTP2_ERR_SESSION_CLOSING;

static const uint32_t cng_data_eof = NGHTTP2_DATA_FLAG_EOF;
static const uint32_t cng_data_no_end_stream = NGHTTP2_DATA_FLAG_NO_END_STREAM;
static const uint32_t cng_data_no_copy = NGHTTP2_DATA_FLAG_NO_COPY;

static const uint8_t cng_nv_no_index = NGHTTP2_NV_FLAG_NO_INDEX;
static const uint8_t cng_nv_borrowed =
    NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;

static const uint8_t cng_hcat_request = NGHTTP2_HCAT_REQUEST;

// Into the union of frames, so that no copy of it is made.
static inline const nghttp2_frame_hd *_Nonnull cng_header(const nghttp2_frame *_Nonnull frame) {
  return &frame->hd;
}
static inline uint8_t cng_headers_category(const nghttp2_frame *_Nonnull frame) {
  return (uint8_t)frame->headers.cat;
}
static inline uint32_t cng_reset_code(const nghttp2_frame *_Nonnull frame) {
  return frame->rst_stream.error_code;
}
static inline const uint8_t *_Nonnull cng_ping_payload(const nghttp2_frame *_Nonnull frame) {
  return frame->ping.opaque_data;
}
static inline const nghttp2_goaway *_Nonnull cng_goaway(const nghttp2_frame *_Nonnull frame) {
  return &frame->goaway;
}
