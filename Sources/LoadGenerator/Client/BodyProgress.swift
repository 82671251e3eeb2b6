import Primitives

/// What has come of an answer's content, as far as the checks want to know.
struct BodyProgress {
  var bytes: UInt64 = 0
  /// It is not the beginning of the expected one.
  var isOther = false
  var hash = XXHash64Stream()
}
