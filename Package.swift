// swift-tools-version: 6.1
import PackageDescription

// Every target: Swift 6 language mode, warnings are errors.
let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .unsafeFlags(["-warnings-as-errors"]),
]
// The data path: specialise and inline across modules. Exclusivity is checked
// statically everywhere and dynamically in debug builds, where the tests run.
let hot: [SwiftSetting] =
  strict + [
    .unsafeFlags(
      ["-cross-module-optimization", "-enforce-exclusivity=unchecked"],
      .when(configuration: .release))
  ]

func library(
  _ name: String, _ dependencies: [Target.Dependency], settings: [SwiftSetting] = strict,
  exclude: [String] = []
) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

func tests(
  _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let swiftProtobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let hdrHistogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
  name: "apus",
  products: [
    .executable(name: "apus", targets: ["apus"]),
    .executable(name: "apus-micro", targets: ["apus-micro"]),
    .executable(name: "apus-publish", targets: ["apus-publish"]),
    .executable(name: "apus-load", targets: ["apus-load"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", exact: "0.2.0"),
  ],
  targets: [
    // C shims: only what Swift cannot import. No policy.
    .target(name: "CURing", linkerSettings: [.linkedLibrary("uring")]),
    .target(name: "CRE2", linkerSettings: [.linkedLibrary("re2"), .linkedLibrary("stdc++")]),
    .target(name: "CNGHTTP2", linkerSettings: [.linkedLibrary("nghttp2")]),
    .target(name: "CSystem"),
    .target(
      name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),

    // Pure: no sockets, no clock, no configuration.
    library("Primitives", [], settings: hot),
    library("HTTPCore", ["Primitives"], settings: hot),
    library("HTTP1", ["Primitives", "HTTPCore"], settings: hot),
    library("HTTP2", ["CNGHTTP2", "HTTPCore", "Primitives"], settings: hot),
    library("TLS", ["COpenSSL", "Primitives"], settings: hot),
    library("Balancing", ["Primitives"], settings: hot),
    library("Stats", ["Primitives"], settings: hot),
    library("StatsSinks", ["Stats", "Primitives"]),
    library("RegularExpressions", ["Primitives", "CRE2"], settings: hot),
    library("Format", ["Primitives", "HTTPCore"], settings: hot),
    library("Routing", ["Primitives", "HTTPCore", "RegularExpressions", "Format"], settings: hot),
    library("HostHealth", ["Primitives"], settings: hot),

    // What the load generator says about a run: data in, text out. `record` is on its request path.
    library("LoadReport", ["HTTPCore", hdrHistogram], settings: hot),

    // The load generator and its origin.
    library("LoadBase", ["Reactor", "TLS", "Primitives"], settings: hot),
    library(
      "LoadGenerator",
      ["LoadBase", "LoadReport", "Reactor", "HTTP1", "HTTP2", "HTTPCore", "TLS", "Primitives"],
      settings: hot),
    library(
      "LoadOrigin", ["LoadBase", "Reactor", "CSystem", "HTTP1", "HTTP2", "HTTPCore", "TLS", "Primitives"],
      settings: hot),
    .executableTarget(
      name: "apus-load",
      dependencies: [
        "LoadGenerator", "LoadOrigin", "LoadBase", "LoadReport", "Reactor", "CSystem", "TLS", "Primitives",
        argumentParser,
      ], swiftSettings: strict),

    // Configuration: text to messages to a snapshot. Never on the request path.
    library("ConfigSchema", [swiftProtobuf], exclude: ["Protos"]),
    library("ConfigLoader", ["ConfigSchema", swiftProtobuf, yams]),

    // I/O and time, and the data plane on top.
    library("Reactor", ["CURing", "CSystem", "Primitives"], settings: hot),
    library(
      "Proxy",
      [
        "Reactor", "CSystem", "HTTP1", "HTTP2", "HTTPCore", "Stats", "Routing", "Format", "TLS", "Balancing", "HostHealth",
        "Primitives",
      ], settings: hot),

    // The process: main thread, compiler, admin, flusher, log writer.
    library(
      "ConfigCompiler",
      [
        "ConfigSchema", "ConfigLoader", "Proxy", "Reactor", "Routing", "RegularExpressions",
        "Format", "HTTP1", "HTTP2", "HTTPCore", "Stats", "TLS", "Balancing", "HostHealth", "Primitives",
        swiftProtobuf,
      ]),
    library(
      "Upstreams",
      [
        "ConfigCompiler", "Proxy", "Reactor", "HostHealth", "HTTPCore", "Format", "Routing", "Stats", "Primitives",
      ]),
    library(
      "Server",
      [
        "Upstreams", "ConfigCompiler", "ConfigLoader", "ConfigSchema", "Proxy", "HostHealth", "Reactor", "CSystem", "Stats", "TLS",
        "StatsSinks", "HTTPCore", "HTTP1", "HTTP2", "Routing", "Format", "RegularExpressions", "Primitives",
        swiftProtobuf,
      ]),
    .executableTarget(
      name: "apus", dependencies: ["Server", argumentParser], swiftSettings: strict),

    // What a request passes through, piece by piece, for counting instructions (Benchmarks/micro).
    .executableTarget(
      name: "apus-micro",
      dependencies: [
        "Proxy", "Reactor", "CURing", "Routing", "Format", "HTTP1", "HTTPCore", "Stats",
        "Primitives",
      ],
      path: "Benchmarks/Micro", exclude: ["thresholds.json"], swiftSettings: hot),
    // Publishes snapshots to a worker under load, without a text in between (Benchmarks/run).
    .executableTarget(
      name: "apus-publish",
      dependencies: ["ConfigCompiler", "ConfigLoader", "Proxy", "Reactor", "Stats", "Primitives"],
      path: "Benchmarks/Publish", swiftSettings: strict),

    // The data plane in a simulated world; never part of the proxy.
    library(
      "Simulation",
      [
        "CURing", "Reactor", "Proxy", "ConfigCompiler", "ConfigLoader", "Stats", "Primitives", "HTTP2Harness", "TLS",
        "TLSHarness", "Upstreams", "HostHealth", "Balancing",
      ]),
    .executableTarget(
      name: "apus-simulate", dependencies: ["Simulation", argumentParser], swiftSettings: strict),

    // For tests and fuzzing, no part of apus.
    library("HTTPHarness", ["HTTPCore", "Primitives"]),
    library("HTTP1Harness", ["HTTPHarness", "HTTP1", "HTTPCore", "Primitives"]),
    library("HTTP2Harness", ["HTTPHarness", "HTTP2", "CNGHTTP2", "HTTPCore", "Primitives"]),
    .target(
      name: "CTLSHarness", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
    library("TLSHarness", ["TLS", "CTLSHarness", "Primitives"]),
    library(
      "FuzzTargets",
      [
        "HTTP1Harness", "HTTP2Harness", "HTTPHarness", "HTTP1", "HTTP2", "HTTPCore", "Proxy",
        "ConfigLoader", "ConfigCompiler", "Stats", "StatsSinks", "Format", "Routing", "RegularExpressions",
        "TLS", "TLSHarness", "Reactor", "Upstreams", "Primitives",
      ]),
    .executableTarget(
      name: "http1-events", dependencies: ["FuzzTargets"], swiftSettings: strict),

    tests("PrimitivesTests", ["Primitives"]),
    tests("HTTPCoreTests", ["HTTPHarness", "HTTPCore", "Primitives"]),
    tests(
      "HTTP1Tests", ["HTTP1Harness", "HTTPHarness", "HTTP1", "HTTPCore", "Primitives"],
      exclude: ["EnvoyDifferences.md"]),
    tests(
      "HTTP2Tests", ["HTTP2Harness", "HTTPHarness", "HTTP2", "CNGHTTP2", "HTTPCore", "Primitives"]),
    tests("TLSTests", ["TLS", "TLSHarness", "Primitives"]),
    tests("BalancingTests", ["Balancing", "Primitives"]),
    tests("StatsTests", ["Stats", "Primitives"]),
    tests("StatsSinksTests", ["StatsSinks", "Stats"]),
    tests("LoadReportTests", ["LoadReport", hdrHistogram]),
    tests(
      "LoadGeneratorTests",
      ["LoadGenerator", "LoadOrigin", "LoadBase", "LoadReport", "Reactor", "HTTPCore", "TLS", "Primitives"]),
    tests("LoadOriginTests", ["LoadOrigin", "LoadBase", "Primitives"]),
    tests("ConfigLoaderTests", ["ConfigLoader", "ConfigSchema", swiftProtobuf]),
    tests(
      "ConfigCompilerTests",
      [
        "ConfigCompiler", "ConfigLoader", "ConfigSchema", "Proxy", "Reactor", "Routing", "HTTP1", "HTTP2", "HTTPCore",
        "Stats", "Balancing", "HostHealth", "Primitives", "TLS",
      ]),
    tests("FormatTests", ["Format", "HTTPCore", "Primitives"]),
    tests("RoutingTests", ["Routing", "RegularExpressions", "HTTPCore", "Format", "Primitives"]),
    tests("HostHealthTests", ["HostHealth", "Primitives"]),
    tests(
      "UpstreamsTests",
      ["Upstreams", "ConfigCompiler", "ConfigLoader", "Proxy", "Reactor", "HostHealth", "Stats", "Primitives"]),
    tests("ReactorTests", ["Reactor", "CURing", "Primitives"]),
    tests(
      "ServerTests",
      [
        "Server", "Proxy", "ConfigSchema", "Stats", "Reactor", "HTTP1", "HTTP2", "HTTPCore", "CSystem",
        "Primitives", "Upstreams", "HostHealth", swiftProtobuf,
      ]),
    tests("SimulationTests", ["Simulation"]),
    tests(
      "ProxyTests",
      [
        "Proxy", "Reactor", "Routing", "Format", "HTTP1", "HTTP2", "HTTPCore", "Stats", "Balancing", "HostHealth",
        "Primitives",
      ]),
    tests("FuzzTargetsTests", ["FuzzTargets", "HTTP1"]),
  ],
  swiftLanguageModes: [.v6]
)

// libFuzzer's program, which needs instrumented code and its runtime: only tools/fuzz builds it.
if Context.environment["APUS_FUZZ"] == "1" {
  package.targets.append(
    .executableTarget(name: "apus-fuzz", dependencies: ["FuzzTargets"], swiftSettings: strict))
}
