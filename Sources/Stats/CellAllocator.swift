/// Hands out cells, the same ones in every slab: counters and gauges from the front, so that they are dense,
/// histograms (whole pages, mostly untouched) from the back.
struct CellAllocator {
  private var front: Int
  private var back: Int
  private var freeScalars: [UInt32] = []
  private var freeFamilies: [UInt32] = []
  private var freeBlocks: [UInt32] = []
  private var freeHistograms: [UInt32] = []

  init(cellCount: Int) {
    front = CellLayout.firstFree
    back = cellCount / 512 * 512
  }

  /// A cell for a counter or a gauge; nil when the slab is full.
  mutating func takeScalar() -> UInt32? {
    freeScalars.popLast() ?? takeFront(1)
  }

  mutating func takeFamily() -> UInt32? {
    if let cell = freeFamilies.popLast() { return cell }
    beginCacheLine()
    return takeFront(CellLayout.familyCells)
  }

  mutating func takeBlock() -> UInt32? {
    if let cell = freeBlocks.popLast() { return cell }
    beginCacheLine()
    return takeFront(CounterBlock.count)
  }

  private mutating func beginCacheLine() {
    while front % 8 != 0, let cell = takeFront(1) { freeScalars.append(cell) }
  }

  mutating func takeHistogram() -> UInt32? {
    if let cell = freeHistograms.popLast() { return cell }
    guard back - front >= HistogramLayout.strideCells else { return nil }
    back -= HistogramLayout.strideCells
    return UInt32(back)
  }

  /// Takes cells back. They must hold zero in every slab.
  mutating func give(back cell: UInt32, of kind: Metric.Kind) {
    switch kind {
    case .counter, .gauge: freeScalars.append(cell)
    case .family: freeFamilies.append(cell)
    case .histogram: freeHistograms.append(cell)
    case .text: break
    }
  }

  mutating func give(backBlock cell: UInt32) { freeBlocks.append(cell) }

  private mutating func takeFront(_ count: Int) -> UInt32? {
    guard back - front >= count else { return nil }
    defer { front += count }
    return UInt32(front)
  }
}
