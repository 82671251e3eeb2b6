import Proxy

extension Explainer {
  func buffer(_ filter: BufferFilter, _ asked: AskedFilter) -> FilterEffect {
    switch filter.trace(asked.at.headers, own: asked.own, isUpgrade: asked.isUpgrade) {
    case .off: FilterEffect(says: "switched off (disabled)")
    case .upgrade: FilterEffect(says: "lets upgrades pass")
    case .holds(let limit): FilterEffect(says: "holds it until all of its body is here; 413 over \(limit) bytes")
    case .refuses(let length, let limit):
      .answers("413 because content-length \(length) is over \(limit) bytes", by: asked.shown, fails: true)
    }
  }
}
