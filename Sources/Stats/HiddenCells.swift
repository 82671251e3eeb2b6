/// The cells of a hidden scope.
struct HiddenCells {
  var scalars: [UInt32] = []
  /// The first of each ``CounterBlock``.
  var blocks: [UInt32] = []
}
