import Testing

@testable import LoadReport

@Suite struct NumberTextTests {
  @Test(arguments: [
    (0.0, 2, "0.00"), (1.005, 1, "1.0"), (0.05, 1, "0.1"), (-1.25, 1, "-1.3"), (-0.01, 1, "0.0"),
    (1234.5, 0, "1235"), (9.999, 2, "10.00"), (.infinity, 1, "-"), (.nan, 1, "-"), (0.5, 12, "0.500000000000"),
  ])
  func fixed(value: Double, decimals: Int, want: String) {
    #expect(NumberText.fixed(value, decimals: decimals) == want)
  }

  @Test(arguments: [
    (0.0, "0"), (1.0, "1.00"), (9.994, "9.99"), (9.996, "10.0"), (99.96, "100"), (1234.4, "1234"),
    (0.09997, "0.100"), (0.0123, "0.0123"), (0.999, "0.999"), (0.99997, "1.00"), (-2.5, "-2.50"),
  ])
  func significant(value: Double, want: String) {
    #expect(NumberText.significant(value) == want)
  }

  @Test(arguments: [
    (UInt64(0), "0"), (999, "999"), (1000, "1,000"), (123_456, "123,456"),
    (.max, "18,446,744,073,709,551,615"),
  ])
  func grouped(value: UInt64, want: String) {
    #expect(NumberText.grouped(value) == want)
  }

  @Test(arguments: [(0.0, "0"), (2.5, "2.50"), (99.0, "99"), (19_999.6, "20,000"), (1e30, "1e+30"), (-1, "-")])
  func rate(value: Double, want: String) {
    #expect(NumberText.rate(value) == want)
  }

  @Test(arguments: [
    (0.0, "0 %"), (1.0, "100 %"), (0.5, "50.0 %"), (0.000_001, "<0.001 %"), (0.001_23, "0.123 %"),
    (0.9999, "99.990 %"), (0.999_999_9, ">99.999 %"), (1.5, "150 %"),
  ])
  func percent(fraction: Double, want: String) {
    #expect(NumberText.percent(fraction) == want)
  }

  @Test(arguments: [
    (0.0, "0 B"), (999.0, "999 B"), (1024, "1.00 KiB"), (1_048_576, "1.00 MiB"), (1.5e12, "1.36 TiB"),
  ])
  func bytes(value: Double, want: String) {
    #expect(NumberText.bytes(value) == want)
  }

  @Test(arguments: [(1.0, "1"), (2.5, "2.5"), (100.0, "100"), (0.02, "0.02"), (1500, "1500")])
  func shortest(value: Double, want: String) {
    #expect(NumberText.shortest(value) == want)
  }
}

@Suite struct DurationTextTests {
  @Test(arguments: [
    (UInt64(0), "0 ns"), (87, "87 ns"), (999, "999 ns"), (1000, "1.00 µs"), (12_345, "12.3 µs"),
    (999_499, "999 µs"), (999_600, "1.00 ms"), (999_600_000, "1.00 s"), (3_600_000_000_000, "3600 s"),
  ])
  func latency(nanoseconds: UInt64, want: String) {
    #expect(DurationText.latency(nanoseconds, .unicode) == want)
  }

  @Test func latencyInASCII() { #expect(DurationText.latency(UInt64(1500), .ascii) == "1.50 us") }

  @Test(arguments: [
    (UInt64(250_000_000), "250 ms"), (1_000_000_000, "1 s"), (1_540_000_000, "1.5 s"),
    (60_000_000_000, "1 min"), (125_000_000_000, "2 min 5 s"), (3_720_000_000_000, "1 h 2 min"),
  ])
  func span(nanoseconds: UInt64, want: String) {
    #expect(DurationText.span(nanoseconds) == want)
  }

  @Test(arguments: [
    (UInt64(0), "0:00"), (7_900_000_000, "0:07"), (750_000_000_000, "12:30"),
    (3_723_000_000_000, "1:02:03"),
  ])
  func clock(nanoseconds: UInt64, want: String) {
    #expect(DurationText.clock(nanoseconds) == want)
  }

  @Test(arguments: [
    (UInt64(0), "1970-01-01 00:00:00 UTC"), (951_782_399, "2000-02-28 23:59:59 UTC"),
    (951_782_400, "2000-02-29 00:00:00 UTC"), (951_868_800, "2000-03-01 00:00:00 UTC"),
    (1_795_000_000, "2026-11-18 11:06:40 UTC"), (4_107_542_400, "2100-03-01 00:00:00 UTC"),
  ])
  func date(unixSeconds: UInt64, want: String) {
    #expect(DurationText.date(unixSeconds: unixSeconds) == want)
  }

  @Test(arguments: [(1e6, "1 ms"), (2.5e9, "2.5 s"), (500.0, "500 ns"), (3e5, "300 µs")])
  func tick(nanoseconds: Double, want: String) {
    #expect(DurationText.tick(nanoseconds) == want)
  }
}

@Suite struct TextStyleTests {
  @Test(arguments: [
    ([nil, nil, "en_US.UTF-8"], true), (["C", nil, "en_US.UTF-8"], false), (["", "de_DE.utf8", nil], true),
    ([nil, nil, nil], false), ([nil, nil, "POSIX"], false),
  ] as [([String?], Bool)])
  func locale(values: [String?], want: Bool) {
    #expect(TextStyle(locale: values).isUnicode == want)
  }

  @Test func nothingThatATerminalObeysPasses() {
    #expect(TextStyle.unicode.plain("a\u{1B}[31mé\n\u{202E}b") == "a?[31mé??b")
    #expect(TextStyle.ascii.plain("é") == "?")
  }

  @Test func sparklineStartsAtZero() {
    #expect(Sparkline.line([0, 1, nil, 7], .unicode) == "▁▂ █")
    #expect(Sparkline.line([0, 1, nil, 7], .ascii) == "_. #")
    #expect(Sparkline.line([0, 0], .ascii) == "__")
  }

  @Test(arguments: [0, 1, 59, 60, 61, 119, 120, 121, 1000])
  func thinningCoversAll(count: Int) {
    let groups = Thinning.groups(of: count, limit: 60)
    #expect(groups.count <= 60)
    #expect(groups.flatMap { Array($0) } == Array(0..<count))
  }
}
