import Format
import HTTPCore
import Primitives

/// Changes to headers, done one after the other in the order of the configuration: a later step sees
/// what an earlier one did.
public final class HeaderMutationSteps: @unchecked Sendable {
  // Sendable: written in the initialiser, read-only afterwards.
  private let owners: [HeaderMutations]
  private let programs: FrozenList<HeaderMutationProgram>

  /// One entry of `request_mutations` or `response_mutations`.
  public enum Step: Sendable {
    case remove(String)
    case append(HeaderMutationSpec.Addition)
  }

  /// - Throws: With a path that begins with the step, e.g. `[2].append.value`.
  public init(
    _ steps: [Step], environment: FormatEnvironment = .process
  ) throws(HeaderMutationError) {
    var owners: [HeaderMutations] = []
    for (i, step) in steps.enumerated() {
      let spec: HeaderMutationSpec
      let place: String
      switch step {
      case .remove(let name):
        spec = HeaderMutationSpec(removals: [name])
        place = "[\(i)].remove"
      case .append(let addition):
        spec = HeaderMutationSpec(additions: [addition])
        place = "[\(i)].append"
      }
      do {
        owners.append(try HeaderMutations(spec, environment: environment))
      } catch {
        let field = error.path.split(separator: ".").dropFirst().joined(separator: ".")
        throw HeaderMutationError(
          path: field.isEmpty ? place : "\(place).\(field)", message: error.message)
      }
    }
    self.owners = owners
    self.programs = FrozenList(owners.map(\.program))
  }

  var isEmpty: Bool { programs.buffer.isEmpty }

  func apply(
    to headers: UnsafeMutablePointer<HeaderMap>, arena: UnsafeMutablePointer<Arena>,
    context: borrowing FormatContext
  ) {
    for program in programs.buffer { program.apply(to: headers, arena: arena, context: context) }
  }
}
