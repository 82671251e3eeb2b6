// The floor: an io_uring byte forwarder that parses nothing. What it costs is what the kernel costs.
//
//   floor LISTEN_PORT UPSTREAM_PORT
//
// One upstream connection per downstream connection; multishot accept and receive, provided buffers,
// SINGLE_ISSUER|DEFER_TASKRUN, one submit-and-wait a turn.
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  ring_entries = 4096,
  buffers = 4096,  // a power of two
  buffer_bytes = 16384,
  descriptors_max = 65536,
  group = 0,
};
enum operation { op_accept = 1, op_connect, op_receive, op_send, op_close };

// A buffer on its way to a socket. Sends of one socket go out one at a time, in order.
struct piece {
  int next;
  unsigned offset, count;
};
struct side {
  int peer;           // the other socket, or -1
  int first, last;    // queued pieces (buffer ids), or -1
  int sending, connected;
  int ended;      // its receive is over
  int finishing;  // the peer's receive is over: shut down when the queue is sent
};

static struct io_uring ring;
static struct io_uring_buf_ring *pool;
static unsigned char *memory;
static struct piece pieces[buffers];
static struct side sides[descriptors_max];
static struct sockaddr_in upstream;

static void die(const char *what, int error) {
  fprintf(stderr, "%s: %s\n", what, strerror(error));
  exit(1);
}

static struct io_uring_sqe *prepare(enum operation operation, int fd, unsigned buffer) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
  if (!sqe) {
    io_uring_submit(&ring);
    sqe = io_uring_get_sqe(&ring);
  }
  if (!sqe) die("submission queue", ENOSPC);
  sqe->user_data = (unsigned long long)operation << 56 | (unsigned long long)buffer << 32 | (unsigned)fd;
  return sqe;
}

// The prep functions clear user_data in some versions of liburing: set it last.
#define SUBMIT(operation, fd, buffer, prep)                                                                         \
  do {                                                                                                              \
    struct io_uring_sqe *sqe = prepare(operation, fd, buffer);                                                      \
    unsigned long long tag = sqe->user_data;                                                                        \
    prep;                                                                                                           \
    sqe->user_data = tag;                                                                                           \
  } while (0)

static void give_back(int id) {
  io_uring_buf_ring_add(pool, memory + (size_t)id * buffer_bytes, buffer_bytes, (unsigned short)id,
                        io_uring_buf_ring_mask(buffers), 0);
  io_uring_buf_ring_advance(pool, 1);
}

static void arm_receive(int fd) {
  SUBMIT(op_receive, fd, 0, {
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = group;
  });
}

static void send_next(int fd) {
  struct side *side = &sides[fd];
  if (side->sending || !side->connected || side->ended) return;
  if (side->first < 0) {
    if (side->finishing) shutdown(fd, SHUT_RDWR);  // which ends its receive
    return;
  }
  int id = side->first;
  side->sending = 1;
  SUBMIT(op_send, fd, (unsigned)id, {
    io_uring_prep_send(sqe, fd, memory + (size_t)id * buffer_bytes + pieces[id].offset, pieces[id].count, MSG_NOSIGNAL);
  });
}

static void queue(int fd, int id, unsigned count) {
  struct side *side = &sides[fd];
  pieces[id] = (struct piece){.next = -1, .offset = 0, .count = count};
  if (side->first < 0) side->first = id;
  else pieces[side->last].next = id;
  side->last = id;
  send_next(fd);
}

static void accepted(int fd) {
  int on = 1, other = socket(AF_INET, SOCK_STREAM, 0);
  if (other < 0 || fd >= descriptors_max || other >= descriptors_max) {
    close(fd);
    if (other >= 0) close(other);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(other, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sides[fd] = (struct side){.peer = other, .first = -1, .last = -1, .connected = 1};
  sides[other] = (struct side){.peer = fd, .first = -1, .last = -1};
  SUBMIT(op_connect, other, 0, io_uring_prep_connect(sqe, other, (struct sockaddr *)&upstream, sizeof upstream));
  arm_receive(fd);
}

// Closes a socket whose receive is over, once no send uses it.
static void close_when_idle(int fd) {
  struct side *side = &sides[fd];
  if (side->sending) return;  // the completion of the send comes here again
  while (side->first >= 0) {
    int id = side->first;
    side->first = pieces[id].next;
    give_back(id);
  }
  SUBMIT(op_close, fd, 0, io_uring_prep_close(sqe, fd));
}

static void finished(int fd) {
  struct side *side = &sides[fd];
  int peer = side->peer;
  side->ended = 1;
  side->peer = -1;
  if (peer >= 0) {
    sides[peer].peer = -1;
    sides[peer].finishing = 1;
    send_next(peer);
  }
  close_when_idle(fd);
}

static void received(int fd, int result, unsigned flags) {
  if (result > 0) {
    int id = (int)(flags >> IORING_CQE_BUFFER_SHIFT);
    if (sides[fd].peer >= 0) queue(sides[fd].peer, id, (unsigned)result);
    else give_back(id);
    if (!(flags & IORING_CQE_F_MORE)) arm_receive(fd);
  } else if (result == -ENOBUFS) {
    arm_receive(fd);
  } else {
    finished(fd);
  }
}

static void sent(int fd, int id, int result) {
  struct side *side = &sides[fd];
  side->sending = 0;
  if (result > 0 && (unsigned)result < pieces[id].count) {
    pieces[id].offset += (unsigned)result;
    pieces[id].count -= (unsigned)result;
    send_next(fd);
    return;
  }
  side->first = pieces[id].next;
  give_back(id);
  if (result <= 0) shutdown(fd, SHUT_RDWR);
  if (side->ended) close_when_idle(fd);
  else send_next(fd);
}

static void handle(struct io_uring_cqe *cqe, int listener) {
  enum operation operation = (enum operation)(cqe->user_data >> 56);
  int fd = (int)(unsigned)cqe->user_data, id = (int)(cqe->user_data >> 32 & 0xffff), result = cqe->res;
  switch (operation) {
    case op_accept:
      if (result >= 0) accepted(result);
      if (!(cqe->flags & IORING_CQE_F_MORE))
        SUBMIT(op_accept, listener, 0, io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, 0));
      break;
    case op_connect:
      sides[fd].connected = 1;
      if (result == 0) {
        arm_receive(fd);
        send_next(fd);
      } else {
        finished(fd);
      }
      break;
    case op_receive: received(fd, result, cqe->flags); break;
    case op_send: sent(fd, id, result); break;
    case op_close: break;
  }
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) die("bind", errno);
  if (listen(fd, 8192)) die("listen", errno);
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: floor LISTEN_PORT UPSTREAM_PORT\n"), 2;
  upstream = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)atoi(argv[2])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int listener = listen_on(atoi(argv[1]));
  struct io_uring_params parameters = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
      .cq_entries = 4 * ring_entries};
  int error = io_uring_queue_init_params(ring_entries, &ring, &parameters);
  if (error) die("io_uring_queue_init (Linux 6.1 or newer is needed)", -error);

  void *shared;
  if (posix_memalign(&shared, 4096, sizeof(struct io_uring_buf) * buffers) ||
      posix_memalign((void **)&memory, 4096, (size_t)buffers * buffer_bytes))
    die("buffers", ENOMEM);
  pool = shared;
  io_uring_buf_ring_init(pool);
  struct io_uring_buf_reg registration = {.ring_addr = (unsigned long long)(size_t)pool, .ring_entries = buffers};
  if ((error = io_uring_register_buf_ring(&ring, &registration, 0))) die("io_uring_register_buf_ring", -error);
  for (int id = 0; id < buffers; id++) give_back(id);

  SUBMIT(op_accept, listener, 0, io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, 0));
  for (;;) {
    error = io_uring_submit_and_wait(&ring, 1);
    if (error < 0 && error != -EINTR && error != -EBUSY) die("io_uring_submit_and_wait", -error);
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      handle(cqe, listener);
      seen++;
    }
    io_uring_cq_advance(&ring, seen);
  }
}
