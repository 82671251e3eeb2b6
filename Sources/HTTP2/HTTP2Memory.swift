import CNGHTTP2
import HTTPCore
import Primitives

/// What one thread needs for all its sessions: memory for the library, the frame buffer that they
/// share, streams, scratch space. Not thread safe.
///
/// Sessions do not retain it: it must outlive them.
public final class HTTP2Memory {
  let core: UnsafeMutablePointer<MemoryCore>
  private let arenas: ArenaPool

  public init(arenas: ArenaPool) {
    self.arenas = arenas
    core = .allocate(capacity: 1)
    core.initialize(to: MemoryCore(arenas: arenas))
    core.pointee.allocator.mem_user_data = UnsafeMutableRawPointer(core)
  }

  deinit {
    core.pointee.destroy()
    core.deallocate()
  }

  // What is alive; zero when nothing is leaked.
  public var sessionCount: Int { core.pointee.sessionCount }
  public var streamCount: Int { core.pointee.streamCount }
  /// Bytes lent to the library.
  public var bytesHeld: Int { core.pointee.blocks.heldBytes }
  /// How often the library's memory had to come from the system, since the beginning.
  public var systemAllocations: Int { core.pointee.blocks.systemCount }

  /// The version of the library that this process runs with, as `0x013400` for 1.52.0.
  public static var libraryVersion: Int32 { nghttp2_version(0).pointee.version_num }
  /// The oldest library that has what is relied upon.
  public static let libraryVersionMin: Int32 = 0x013400
}

/// The part of ``HTTP2Memory`` that sessions use: trivial and at a fixed address.
struct MemoryCore {
  let arenas: Unmanaged<ArenaPool>
  var blocks = BlockPool()
  var allocator = nghttp2_mem()
  let callbacks: OpaquePointer
  let option: OpaquePointer
  /// The session that has frames in the shared buffer; no other may be used until it is drained.
  var active: HTTP2SessionRef?
  var sessionCount = 0
  var streamCount = 0

  // Fields on their way into a frame.
  private(set) var scratch: UnsafeMutablePointer<nghttp2_nv>
  private var scratchCapacity = 64

  // Streams that are not in use.
  private var freeStreams: HTTP2StreamRef?
  private var freeStreamCount = 0
  private static let freeStreamsMax = 8192

  init(arenas: ArenaPool) {
    self.arenas = .passUnretained(arenas)
    scratch = .allocate(capacity: scratchCapacity)
    var made: OpaquePointer?
    // No input reaches these: they run once for a thread, before its first session, and the library's only failure is
    // a lack of memory, where Swift's own allocations end the process too.
    guard nghttp2_session_callbacks_new(&made) == 0, let callbacks = made else {
      fatalError("no memory for HTTP/2")
    }
    self.callbacks = callbacks
    made = nil
    guard nghttp2_option_new(&made) == 0, let option = made else {
      fatalError("no memory for HTTP/2")
    }
    self.option = option
    SessionCallbacks.install(callbacks)
    allocator.malloc = { size, context in memoryCore(context).pointee.blocks.allocate(size) }
    allocator.free = { pointer, context in memoryCore(context).pointee.blocks.free(pointer) }
    allocator.calloc = { count, size, context in
      memoryCore(context).pointee.blocks.zeroed(count, size)
    }
    allocator.realloc = { pointer, size, context in
      memoryCore(context).pointee.blocks.resize(pointer, size)
    }
  }

  func destroy() {
    assert(sessionCount == 0 && streamCount == 0)
    nghttp2_session_callbacks_del(callbacks)
    nghttp2_option_del(option)
    scratch.deallocate()
    var next = freeStreams
    while let stream = next {
      next = stream.pointee.next
      stream.deallocate()
    }
    blocks.destroy()
  }

  /// Room for `count` fields.
  mutating func reserveScratch(_ count: Int) {
    if count <= scratchCapacity { return }
    scratch.deallocate()
    scratchCapacity = count * 2
    scratch = .allocate(capacity: scratchCapacity)
  }

  mutating func makeStream(_ id: Int32) -> HTTP2StreamRef {
    streamCount += 1
    let stream: HTTP2StreamRef
    if let free = freeStreams {
      freeStreams = free.pointee.next
      freeStreamCount -= 1
      stream = free
    } else {
      stream = .allocate(capacity: 1)
    }
    stream.initialize(to: HTTP2Stream(id: id))
    return stream
  }

  mutating func freeStream(_ stream: HTTP2StreamRef) {
    streamCount -= 1
    if freeStreamCount == Self.freeStreamsMax {
      stream.deallocate()
      return
    }
    stream.pointee.next = freeStreams
    freeStreams = stream
    freeStreamCount += 1
  }
}

/// The context of the library's allocator.
@inline(__always)
private func memoryCore(_ context: UnsafeMutableRawPointer?) -> UnsafeMutablePointer<MemoryCore> {
  // Set before the allocator is given to anybody.
  context.unsafelyUnwrapped.assumingMemoryBound(to: MemoryCore.self)
}
