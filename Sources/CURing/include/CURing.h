#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <features.h>
// fd_set has one member, whose name depends on this macro. Swift's Glibc and Dispatch modules are
// built without it, and a translation unit that sees both modules must see one definition.
#ifdef __USE_XOPEN
#undef __USE_XOPEN
#include <sys/select.h>
#define __USE_XOPEN 1
#endif
#include <errno.h>
#include <liburing.h>
#include <string.h>

// Values newer than Debian 12's liburing headers, and macros that Swift does not import.
#define CURING_ACCEPT_MULTISHOT (1U << 0)
#define CURING_RECV_MULTISHOT (1U << 1)
#define CURING_POLL_ADD_MULTI (1U << 0)
#define CURING_RECVSEND_POLL_FIRST (1U << 0)
#define CURING_CQE_F_BUFFER (1U << 0)
#define CURING_CQE_F_MORE (1U << 1)
#define CURING_CQE_F_SOCK_NONEMPTY (1U << 2)
#define CURING_CQE_BUFFER_SHIFT 16
#define CURING_ASYNC_CANCEL_FD (1U << 1)
#define CURING_ASYNC_CANCEL_ALL (1U << 0)

static const unsigned char curing_sqe_buffer_select = IOSQE_BUFFER_SELECT;
static const unsigned char curing_sqe_cqe_skip_success = IOSQE_CQE_SKIP_SUCCESS;
static const unsigned char curing_sqe_io_link = IOSQE_IO_LINK;

static inline unsigned curing_cq_ready(const struct io_uring *ring) { return io_uring_cq_ready(ring); }

// The oldest unread completion; only valid when curing_cq_ready is not zero.
static inline struct io_uring_cqe *curing_cq_head(const struct io_uring *ring) {
  return &ring->cq.cqes[*ring->cq.khead & ring->cq.ring_mask];
}

static inline void curing_cq_advance(struct io_uring *ring, unsigned n) { io_uring_cq_advance(ring, n); }

// A cleared submission entry, or NULL when the queue is full.
static inline struct io_uring_sqe *curing_sqe(struct io_uring *ring) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
  if (sqe) memset(sqe, 0, sizeof *sqe);
  return sqe;
}

// The fields that share storage with others and that Swift would see as nested unions.
static inline void curing_sqe_set_off(struct io_uring_sqe *s, unsigned long long v) { s->off = v; }
static inline void curing_sqe_set_addr(struct io_uring_sqe *s, unsigned long long v) { s->addr = v; }
static inline void curing_sqe_set_op_flags(struct io_uring_sqe *s, unsigned v) { s->rw_flags = (int)v; }
static inline void curing_sqe_set_buf_group(struct io_uring_sqe *s, unsigned short v) { s->buf_group = v; }
static inline void curing_sqe_set_addr3(struct io_uring_sqe *s, unsigned long long v) { s->addr3 = v; }

static inline void curing_buf_ring_add(struct io_uring_buf_ring *br, void *address, unsigned length,
                                       unsigned short id, int mask, int offset) {
  io_uring_buf_ring_add(br, address, length, id, mask, offset);
}
static inline void curing_buf_ring_advance(struct io_uring_buf_ring *br, int count) {
  io_uring_buf_ring_advance(br, count);
}

// The same fields of a submitted entry, for whoever interprets it.
static inline unsigned long long curing_sqe_off(struct io_uring_sqe s) { return s.off; }
static inline unsigned long long curing_sqe_addr(struct io_uring_sqe s) { return s.addr; }
static inline unsigned curing_sqe_op_flags(struct io_uring_sqe s) { return (unsigned)s.rw_flags; }
static inline unsigned short curing_sqe_buf_group(struct io_uring_sqe s) { return s.buf_group; }
