import Glibc
import Testing

@testable import Server

/// Watches tell of files that were moved into place, and of nothing else.
@Suite struct FileWatcherTests {
  private final class Bench {
    let files: TemporaryFiles
    var seen: [String] = []
    var gone: [String] = []
    private(set) var watcher: FileWatcher?

    init() throws {
      files = try TemporaryFiles()
      watcher = FileWatcher { [unowned self] in gone.append($0) }
    }

    /// Watches `name`, or the whole directory.
    func watch(_ directory: String, _ name: String?, as label: String) -> FileWatcher.Watch? {
      watcher?.add(.init(directory: files.path(directory), name: name)) { [unowned self] in
        seen.append(label)
      }
    }

    func make(_ directory: String) { #expect(mkdir(files.path(directory), 0o700) == 0) }

    func write(_ name: String) {
      let descriptor = open(files.path(name), O_WRONLY | O_CREAT, 0o600)
      #expect(descriptor >= 0 && Glibc.write(descriptor, "x", 1) == 1)
      close(descriptor)
    }

    /// As a program does that replaces a file whole.
    func replace(_ name: String) {
      write("new")
      #expect(files.rename("new", name))
    }

    /// What the watches told since the last call.
    func told() -> [String] {
      watcher?.takeEvents()
      defer { seen = [] }
      return seen
    }
  }

  @Test func onlyTheNameThatIsWatched() throws {
    let bench = try Bench()
    #expect(bench.watch("", "a", as: "a") != nil)
    #expect(bench.watch("", "b", as: "b") != nil)
    #expect(bench.told() == [])
    bench.replace("a")
    #expect(bench.told() == ["a"])
    bench.replace("c")
    bench.write("a")
    #expect(bench.told() == [], "a write is no replacement")
    bench.replace("b")
    bench.replace("a")
    bench.replace("a")
    #expect(bench.told() == ["a", "b"], "each once")
  }

  @Test func directoriesAreTold() throws {
    let bench = try Bench()
    bench.make("one")
    bench.make("two")
    #expect(bench.watch("one", "x", as: "one/x") != nil)
    #expect(bench.watch("two", "x", as: "two/x") != nil)
    #expect(bench.watch("two", nil, as: "two") != nil)
    bench.replace("one/x")
    #expect(bench.told() == ["one/x"])
    bench.replace("two/y")
    #expect(bench.told() == ["two"])
    bench.replace("two/x")
    #expect(bench.told() == ["two/x", "two"])
  }

  @Test func aSwappedLinkTouchesAllNames() throws {
    let bench = try Bench()
    #expect(bench.watch("", "a", as: "a") != nil)
    #expect(symlink("somewhere", bench.files.path("..tmp")) == 0)
    #expect(bench.told() == [])
    #expect(bench.files.rename("..tmp", "..data"))
    #expect(bench.told() == ["a"])
  }

  @Test func onePathOrAnother() throws {
    let bench = try Bench()
    bench.make("one")
    #expect(symlink("one", bench.files.path("link")) == 0)
    #expect(bench.watch("one", "x", as: "one") != nil)
    #expect(bench.watch("link", "x", as: "link") != nil)
    bench.replace("one/x")
    #expect(bench.told() == ["one", "link"])
  }

  @Test func aWatchEnds() throws {
    let bench = try Bench()
    let first = try #require(bench.watch("", "a", as: "first"))
    let second = try #require(bench.watch("", "a", as: "second"))
    bench.watcher?.remove(first)
    bench.replace("a")
    #expect(bench.told() == ["second"])
    bench.watcher?.remove(second)
    bench.watcher?.remove(second)
    bench.replace("a")
    #expect(bench.told() == [])
    #expect(bench.gone == [], "it was not the directory that went")
    #expect(bench.watch("", "a", as: "third") != nil)
    bench.replace("a")
    #expect(bench.told() == ["third"])
  }

  @Test func handlersMayAddAndRemove() throws {
    let bench = try Bench()
    var later: FileWatcher.Watch?
    let place = FileWatcher.Place(file: bench.files.path("a"))
    _ = bench.watcher?.add(place) { [unowned bench] in
      bench.seen.append("first")
      if let later { bench.watcher?.remove(later) }
      _ = bench.watch("", "a", as: "new")
    }
    later = bench.watch("", "a", as: "later")
    bench.replace("a")
    #expect(bench.told() == ["first"])
    bench.replace("a")
    #expect(bench.told() == ["first", "new"])
  }

  @Test func aDirectoryThatGoesIsTold() throws {
    let bench = try Bench()
    bench.make("one")
    #expect(bench.watch("one", "x", as: "x") != nil)
    #expect(bench.watch("one", "y", as: "y") != nil)
    bench.replace("one/x")
    #expect(unlink(bench.files.path("one/x")) == 0 && rmdir(bench.files.path("one")) == 0)
    _ = bench.told()
    #expect(bench.gone == [bench.files.path("one")])
    #expect(bench.watch("one", "x", as: "x") == nil, "there is nothing to watch")
  }

  @Test func placesOfFiles() {
    let table: [(path: String, directory: String, name: String)] = [
      ("apus.yaml", ".", "apus.yaml"), ("/apus.yaml", "/", "apus.yaml"),
      ("etc/apus.yaml", "etc", "apus.yaml"), ("/etc/apus/a.yaml", "/etc/apus", "a.yaml"),
    ]
    for row in table {
      #expect(FileWatcher.Place(file: row.path) == .init(directory: row.directory, name: row.name))
    }
  }
}
