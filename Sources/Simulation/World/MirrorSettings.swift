/// Whether requests are copied to another cluster: drawn by seed.
struct MirrorSettings {
  let isOn: Bool
  let isHTTP2: Bool
  /// Of a hundred requests; operators change it.
  private var percent: Int
  private let keepsHost: Bool

  init(_ dice: Dice) {
    isOn = dice.chance(0.4)
    isHTTP2 = dice.chance(0.5)
    percent = dice.pick([100, 100, 50])
    keepsHost = dice.chance(0.3)
  }

  mutating func change(_ dice: Dice) { percent = dice.pick([100, 50, 0]) }

  /// What a copy has for a host.
  var host: String { keepsHost ? "sim" : "sim-shadow" }

  /// Fields of a virtual host.
  var text: String {
    guard isOn else { return "" }
    let suffix = keepsHost ? ", disable_shadow_host_suffix_append: true" : ""
    return
      "request_mirror_policies: [{ cluster: m, runtime_fraction: { default_value: { numerator: \(percent) } }\(suffix), request_headers_mutations: [{ append: { header: { key: x-copied, value: \"%REQ(x-id)%\" } } }] }], "
  }
}
