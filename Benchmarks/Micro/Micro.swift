/// Microbenchmarks of what a request passes through: each case does one thing many times and prints
/// a digest of what came out. `Benchmarks/micro` counts their instructions and allocations.
///
///   apus-micro                        the names of all cases
///   apus-micro CASE COUNT [COUNT...]  runs one case that often, then again
///   apus-micro all COUNT [COUNT...]   the same for every case
import Glibc

@main
enum Micro {
  static let cases: [MicroCase] =
    requestHeadCases + responseHeadCases + bodyCases + headerMapCases + routingCases
    + filterChainCases + statsCases + balancerCases + formatCases + timerCases + segmentCases

  static func main() throws {
    let arguments = CommandLine.arguments.dropFirst()
    guard let wanted = arguments.first else {
      for each in cases { print(each.name) }
      return
    }
    let counts = arguments.dropFirst().map { Int($0) ?? 0 }
    let chosen = wanted == "all" ? cases : cases.filter { $0.name == wanted }
    guard !chosen.isEmpty, !counts.isEmpty, counts.allSatisfy({ $0 > 0 }) else {
      print("usage: apus-micro [CASE|all COUNT...]; without arguments it prints the cases")
      exit(2)
    }
    for each in chosen {
      let work = try each.prepare()
      for count in counts {
        print("\(each.name) \(count) \(String(countedLoop(work, count), radix: 16))")
      }
    }
  }
}

/// What is counted: callgrind collects only inside this function, which it knows by this name.
@inline(never)
func countedLoop(_ work: (Int) -> UInt64, _ count: Int) -> UInt64 { work(count) }
