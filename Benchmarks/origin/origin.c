// The benchmark's origin: epoll, HTTP/1.1 keep-alive, one fixed answer of N bytes, as little work as possible.
//
//   origin PORT BODY_BYTES
//
// Understands pipelined requests and Content-Length bodies (which it skips). With "Connection: close" it closes.
#include "../listening.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { head_bytes_max = 16384, descriptors_max = 65536, events_max = 256 };

struct connection {
  size_t held;             // bytes of an unfinished head
  size_t skip;             // bytes of a request body still to come
  size_t answers;          // answers owed
  size_t sent;             // bytes of the current answer already sent
  int close_after;
  char head[head_bytes_max];
};

static struct connection *connections[descriptors_max];
static char *answer;
static size_t answer_bytes;

static void forget(int fd) {
  close(fd);
  free(connections[fd]);
  connections[fd] = NULL;
}

static size_t content_length(const char *head, size_t count) {
  static const char name[] = "\r\ncontent-length:";
  for (size_t at = 0; at + sizeof name - 1 < count; at++)
    if (head[at] == '\r' && strncasecmp(head + at, name, sizeof name - 1) == 0)
      return strtoull(head + at + sizeof name - 1, NULL, 10);
  return 0;
}

static int wants_close(const char *head, size_t count) {
  static const char field[] = "\r\nconnection: close";
  for (size_t at = 0; at + sizeof field - 1 < count; at++)
    if (head[at] == '\r' && strncasecmp(head + at, field, sizeof field - 1) == 0) return 1;
  return 0;
}

// Counts the complete requests in the buffer, bodies included: an early answer would spare the proxy the body.
static void take_requests(struct connection *connection) {
  size_t at = 0;
  while (at < connection->held) {
    if (connection->skip) {
      size_t have = connection->held - at;
      size_t skipped = have < connection->skip ? have : connection->skip;
      connection->skip -= skipped;
      at += skipped;
      if (!connection->skip) connection->answers++;
      continue;
    }
    char *end = memmem(connection->head + at, connection->held - at, "\r\n\r\n", 4);
    if (!end) break;
    size_t head_bytes = (size_t)(end - (connection->head + at)) + 4;
    connection->skip = content_length(connection->head + at, head_bytes);
    connection->close_after |= wants_close(connection->head + at, head_bytes);
    if (!connection->skip) connection->answers++;
    at += head_bytes;
  }
  connection->held -= at;
  memmove(connection->head, connection->head + at, connection->held);
}

// Returns 0 when all is sent, 1 when the socket is full, -1 when the connection is over.
static int send_answers(int fd, struct connection *connection) {
  while (connection->answers) {
    ssize_t n = send(fd, answer + connection->sent, answer_bytes - connection->sent, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN ? 1 : -1;
    connection->sent += (size_t)n;
    if (connection->sent == answer_bytes) {
      connection->sent = 0;
      connection->answers--;
    }
  }
  return connection->close_after && !connection->skip ? -1 : 0;
}

static void serve(int epoll, int fd) {
  struct connection *connection = connections[fd];
  for (;;) {
    int state = send_answers(fd, connection);
    if (state < 0) {
      forget(fd);
      return;
    }
    struct epoll_event wanted = {.events = state ? EPOLLOUT : EPOLLIN, .data.fd = fd};
    if (state) {
      epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &wanted);
      return;
    }
    ssize_t n = recv(fd, connection->head + connection->held, head_bytes_max - connection->held, 0);
    if (n < 0 && errno == EAGAIN) {
      return;
    }
    if (n <= 0) {
      forget(fd);
      return;
    }
    connection->held += (size_t)n;
    take_requests(connection);
    if (connection->held == head_bytes_max) {
      forget(fd);
      return;
    }
    if (connection->answers && send_answers(fd, connection) == 0) return;  // level-triggered: come again for more
  }
}

static void accept_all(int epoll, int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    if (fd >= descriptors_max || !(connections[fd] = calloc(1, sizeof(struct connection)))) {
      close(fd);
      continue;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: origin PORT BODY_BYTES\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  size_t body_bytes = strtoull(argv[2], NULL, 10);
  answer = malloc(body_bytes + 256);
  if (!answer) die("malloc");
  int head = sprintf(answer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: %zu\r\n\r\n", body_bytes);
  memset(answer + head, 'x', body_bytes);
  answer_bytes = (size_t)head + body_bytes;

  int listener = listen_on(INADDR_LOOPBACK, argv[1]), epoll = epoll_with(listener);
  struct epoll_event events[events_max];
  for (;;) {
    int count = epoll_wait(epoll, events, events_max, -1);
    for (int index = 0; index < count; index++) {
      int fd = events[index].data.fd;
      if (fd == listener) {
        accept_all(epoll, listener);
      } else if (connections[fd]) {
        if (events[index].events & EPOLLOUT && send_answers(fd, connections[fd]) == 0) {
          struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fd};
          epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &wanted);
        }
        serve(epoll, fd);
      }
    }
  }
}
