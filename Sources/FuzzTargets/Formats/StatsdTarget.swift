import HTTP1Harness
import Primitives
import Stats
import StatsSinks

extension FuzzTarget {
  /// Statsd lines from hostile names. Choices: dialect and histograms, values, datagram size; then
  /// a line for the prefix and one for each metric.
  package static let statsd = FuzzTarget(name: "statsd", bytesMax: 512) { bytes in
    var input = FuzzInput(bytes)
    let options = input.choice()
    let value = UInt64(input.choice()) << (UInt64(input.choice()) & 63)
    let datagramBytesMax = Int(input.choice()) * 8
    let format = StatsdFormat(
      prefix: String(decoding: input.line() ?? [], as: UTF8.self),
      dialect: options.bit(0) ? .dogStatsd : .statsd,
      histograms: options.bit(1) ? .timers(linesMax: Int(options >> 4)) : .aggregated)
    let registry = try StatsRegistry(slabCount: 1, options: .init(slabBytes: 64 << 20))
    while let line = input.line() { count(line, value, in: registry) }
    var collector = FlushCollector(registry: registry)
    let flush = collector.collect()
    var lines: [ArraySlice<UInt8>] = []
    StatsdLineBuilder(format: format).build(flush) { lines.append($0) }
    for line in lines { try StatsdLine.check(line, isTagged: options.bit(0)) }
    if !options.bit(1) {
      let expected = flush.counters.count + flush.gauges.count + flush.histograms.count
      try require(lines.count >= expected, "\(lines.count) lines for \(expected) metrics")
    }
    try checkPacking(lines, bytesMax: datagramBytesMax)
  }

  /// The first byte of a line chooses the kind of metric, the rest is its name.
  private static func count(_ line: [UInt8], _ value: UInt64, in registry: StatsRegistry) {
    let name = String(decoding: line.dropFirst(), as: UTF8.self)
    switch line.first.map({ $0 & 3 }) {
    case 0: registry.mainSlab.add(registry.counter(name), value)
    case 1: registry.mainSlab.set(registry.gauge(name), to: value)
    case 2: registry.mainSlab.record(registry.histogram(name), value)
    case 3:
      registry.mainSlab.increment(
        registry.codeFamily(name), code: UInt16(truncatingIfNeeded: value % 600))
    default: break
    }
  }

  /// Nothing is lost or reordered, and a datagram of several lines is not too long.
  private static func checkPacking(
    _ lines: [ArraySlice<UInt8>], bytesMax: Int
  ) throws(Violation) {
    var packer = DatagramPacker(bytesMax: bytesMax)
    var datagrams: [[UInt8]] = []
    var sent: [ArraySlice<UInt8>] = []
    for line in lines where packer.add(line, emit: { datagrams.append($0) }) { sent.append(line) }
    packer.flush { datagrams.append($0) }
    for datagram in datagrams where datagram.contains(UInt8(ascii: "\n")) {
      try require(datagram.count <= bytesMax, "\(datagram.count) bytes, not \(bytesMax)")
    }
    let received = datagrams.flatMap { $0.split(separator: UInt8(ascii: "\n")) }
    try require(received.elementsEqual(sent) { $0.elementsEqual($1) }, "lines differ")
  }
}
