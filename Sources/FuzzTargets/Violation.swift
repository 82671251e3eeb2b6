/// A property that did not hold.
package struct Violation: Error, CustomStringConvertible {
  package let description: String
}

/// Throws when a property does not hold; the message is made only then.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws(Violation) {
  if !condition { throw Violation(description: message()) }
}

/// Throws when two results that must be the same are not.
func requireEqual<T: Equatable>(
  _ found: T, _ expected: T, _ message: @autoclosure () -> String
) throws(Violation) {
  if found != expected {
    throw Violation(description: "\(message()): \(found) instead of \(expected)")
  }
}
