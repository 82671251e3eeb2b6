/// Publishes snapshots the way that discovery does, without a configuration text in between, to one
/// real worker that serves traffic meanwhile. `Benchmarks/run` starts it for the *reload* workload.
///
///   apus-publish FILE CLUSTER
///
/// FILE is a bootstrap file. Commands are lines on standard input:
///
///   publish RATE [afresh]   publishes so often a second; each snapshot has one other host in CLUSTER;
///                           afresh: and makes all others anew, equal but not the same objects
///   stop                    stops, and answers with a line: how many were published, how many the
///                           worker took
import Glibc

@main
enum Publish {
  static func main() {
    let arguments = Array(CommandLine.arguments.dropFirst())
    guard arguments.count == 2 else { complain("usage: apus-publish FILE CLUSTER") }
    do {
      let publisher = try SnapshotPublisher(configuration: arguments[0], cluster: arguments[1])
      try publisher.startWorker()
      serve(publisher)
    } catch {
      complain("\(error)")
    }
  }

  private static func serve(_ publisher: SnapshotPublisher) {
    var next = 0.0
    var rate = 0.0
    var afresh = false
    while true {
      // Sleeps until a command comes or the next snapshot is due.
      var input = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
      let milliseconds = rate > 0 ? Int32(max(0, (next - seconds()) * 1000) + 0.5) : -1
      if poll(&input, 1, milliseconds) > 0 {
        guard let line = readLine() else { return }
        let words = line.split(separator: " ")
        if words.first == "publish", words.count >= 2, let wanted = Double(words[1]), wanted > 0 {
          rate = wanted
          afresh = words.last == "afresh"
          next = seconds()
        } else {
          rate = 0
          print(publisher.publishedCount, publisher.takenCount)
          fflush(nil)
        }
      } else if rate > 0, seconds() >= next {
        publisher.publish(afresh: afresh)
        next += 1 / rate
      }
    }
  }

  private static func seconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
  }

  private static func complain(_ text: String) -> Never {
    let line = "apus-publish: \(text)\n"
    _ = line.withCString { write(2, $0, strlen($0)) }
    exit(2)
  }
}
