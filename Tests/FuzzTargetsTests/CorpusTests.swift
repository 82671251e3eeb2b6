import FuzzTargets
import Testing

import struct Foundation.Data
import class Foundation.FileManager
import struct Foundation.URL

/// Every input of the corpus, those of former findings too, through the functions that the fuzzer runs.
@Suite struct CorpusTests {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Corpus")

  static func inputs(_ folder: String) throws -> [(name: String, bytes: [UInt8])] {
    let folder = root.appendingPathComponent(folder)
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
      (name, [UInt8](try Data(contentsOf: folder.appendingPathComponent(name))))
    }
  }

  @Test(arguments: FuzzTarget.all)
  func replays(_ target: FuzzTarget) throws {
    let inputs = try Self.inputs(target.name)
    #expect(inputs.count >= 5, "a corpus worth the name")
    for input in inputs {
      #expect(throws: Never.self, "\(target.name)/\(input.name)") { try target.run(input.bytes) }
    }
  }

  /// Every beginning of every input: cheap, and more hostile than the seeds themselves.
  @Test(arguments: FuzzTarget.all.filter { $0.name != "configuration" })
  func replaysBeginnings(_ target: FuzzTarget) throws {
    for input in try Self.inputs(target.name) where input.bytes.count <= 200 {
      for end in 0..<input.bytes.count {
        #expect(throws: Never.self, "\(end) bytes of \(target.name)/\(input.name)") {
          try target.run(Array(input.bytes[..<end]))
        }
      }
    }
  }

  @Test func everyTargetHasADictionaryAndEveryFolderATarget() throws {
    let names = FuzzTarget.all.map(\.name)
    #expect(Set(names).count == names.count)
    let found = try FileManager.default.contentsOfDirectory(atPath: Self.root.path)
    #expect(Set(found) == Set(names + names.map { "\($0).dict" }))
  }
}
