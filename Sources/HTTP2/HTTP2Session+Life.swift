import CNGHTTP2
import HTTPCore
import Primitives

extension HTTP2Session {
  /// A session for an accepted connection. Its SETTINGS are the first output.
  ///
  /// - Returns: Nil when there is no memory.
  public static func makeServer(_ options: HTTP2Options, _ memory: HTTP2Memory) -> HTTP2SessionRef?
  {
    make(options, memory.core, isServer: true)
  }

  /// A session for a connection to an upstream. Preface and SETTINGS are the first output; requests
  /// may follow at once.
  public static func makeClient(_ options: HTTP2Options, _ memory: HTTP2Memory) -> HTTP2SessionRef?
  {
    make(options, memory.core, isServer: false)
  }

  private static func make(
    _ options: HTTP2Options, _ memory: UnsafeMutablePointer<MemoryCore>, isServer: Bool
  ) -> HTTP2SessionRef? {
    assert(memory.pointee.active == nil)
    configure(memory.pointee.option, options, isServer: isServer)
    let ref = HTTP2SessionRef.allocate(capacity: 1)
    var made: OpaquePointer?
    memory.pointee.blocks.lendsFrameBuffer = true
    let result =
      isServer
      ? nghttp2_session_server_new3(
        &made, memory.pointee.callbacks, ref, memory.pointee.option, &memory.pointee.allocator)
      : nghttp2_session_client_new3(
        &made, memory.pointee.callbacks, ref, memory.pointee.option, &memory.pointee.allocator)
    memory.pointee.blocks.lendsFrameBuffer = false
    guard result == 0, let library = made else {
      ref.deallocate()
      return nil
    }
    memory.pointee.sessionCount += 1
    ref.initialize(
      to: HTTP2Session(
        ref: ref, library: library, memory: memory, isServer: isServer, options: options))
    ref.pointee.builder.arena = ref.headerArena
    guard ref.begin(options) else {
      free(ref)
      return nil
    }
    return ref
  }

  init(
    ref: HTTP2SessionRef, library: OpaquePointer, memory: UnsafeMutablePointer<MemoryCore>,
    isServer: Bool, options: HTTP2Options
  ) {
    self.ref = ref
    self.library = library
    self.memory = memory
    self.isServer = isServer
    gate = FrameGate(options, isServer: isServer)
    headerArena = memory.pointee.arenas._withUnsafeGuaranteedRef { Arena(pool: $0) }
    builder = HeaderListBuilder(options, isServer: isServer, arena: ref.headerArena)
    inputBase = ByteView.empty.base
    peerMaxStreams = isServer ? 0 : options.maxConcurrentStreams
  }

  private static func configure(_ option: OpaquePointer, _ options: HTTP2Options, isServer: Bool) {
    nghttp2_option_set_no_auto_window_update(option, 1)
    nghttp2_option_set_no_closed_streams(option, 1)
    nghttp2_option_set_max_deflate_dynamic_table_size(option, Int(options.headerTableSize))
    nghttp2_option_set_peer_max_concurrent_streams(option, options.maxConcurrentStreams)
    nghttp2_option_set_max_outbound_ack(option, 100_000)
    nghttp2_option_set_max_settings(option, 32)
    // The gate counts these: the library's own limits depend on how the input is cut, and on a
    // clock that is not ours.
    nghttp2_option_set_stream_reset_rate_limit(option, .max, .max)
    nghttp2_option_set_max_continuations(option, 1 << 30)
  }

  /// Frees the session and every stream in it; no owner may use one afterwards.
  public static func free(_ session: HTTP2SessionRef) {
    let memory = session.pointee.memory
    if memory.pointee.active == session { memory.pointee.active = nil }
    nghttp2_session_del(session.pointee.library)
    while let stream = session.pointee.firstStream {
      session.pointee.firstStream = stream.pointee.next
      memory.pointee.freeStream(stream)
    }
    session.pointee.headerArena.reset()
    memory.pointee.sessionCount -= 1
    session.deallocate()
  }
}

extension HTTP2SessionRef {
  /// The address of the arena within the session.
  var headerArena: UnsafeMutablePointer<Arena> {
    let offset = MemoryLayout<HTTP2Session>.offset(of: \.headerArena).unsafelyUnwrapped
    return (UnsafeMutableRawPointer(self) + offset).assumingMemoryBound(to: Arena.self)
  }

  /// Queues SETTINGS and the connection's window.
  fileprivate func begin(_ options: HTTP2Options) -> Bool {
    let library = pointee.library
    if pointee.isServer {
      // The gate compares the preface, so that the library never sees a part of one.
      let preface = HTTP2Preface.bytes
      guard nghttp2_session_mem_recv(library, preface.base, preface.count) == preface.count else {
        return false
      }
    } else {
      // The preface lies in the shared buffer: out of it before another session comes.
      var start: UnsafePointer<UInt8>?
      guard nghttp2_session_mem_send(library, &start) == 24, let start else { return false }
      for i in 0..<24 { pointee.preface[i] = start[i] }
      pointee.owesPreface = true
      // The next frame is only packed when the end of this one was seen.
    }
    var settings = SettingsList()
    settings.add(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options.headerTableSize, unless: 4096)
    if pointee.isServer {
      settings.add(
        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.maxConcurrentStreams, unless: .max)
    } else {
      settings.add(NGHTTP2_SETTINGS_ENABLE_PUSH, 0, unless: 1)
    }
    settings.add(
      NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, min(options.initialStreamWindow, 1 << 31 - 1),
      unless: 65_535)
    // The protocol counts 32 bytes a field (RFC 9113 section 6.5.2).
    let listBytes = UInt64(options.headBytesMax) + 32 * UInt64(options.fieldCountMax)
    settings.add(
      NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, UInt32(clamping: listBytes), unless: .max)
    if pointee.isServer {
      settings.add(
        NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, options.allowsConnect ? 1 : 0, unless: 0)
      settings.add(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1, unless: 0)
    }
    for i in 0..<max(0, min(options.extraSettingsCount, 8)) {
      settings.add(
        nghttp2_settings_id(rawValue: UInt32(options.extraSettings[i].0)),
        options.extraSettings[i].1, unless: nil)
    }
    guard settings.submit(to: library) else { return false }
    let window = Int32(clamping: max(options.initialConnectionWindow, 65_535))
    return nghttp2_session_set_local_window_size(library, 0, 0, window) == 0
  }
}

/// Settings of the first frame; what the protocol begins with is left out.
private struct SettingsList {
  private var entries = InlineArray<16, nghttp2_settings_entry>(repeating: nghttp2_settings_entry())
  private var count = 0

  mutating func add(_ id: nghttp2_settings_id, _ value: UInt32, unless initial: UInt32?) {
    if value == initial { return }
    entries[count] = nghttp2_settings_entry(
      settings_id: Int32(truncatingIfNeeded: id.rawValue), value: value)
    count += 1
  }

  func submit(to library: OpaquePointer) -> Bool {
    var entries = entries
    return withUnsafePointer(to: &entries) { pointer in
      let first = UnsafeRawPointer(pointer).assumingMemoryBound(to: nghttp2_settings_entry.self)
      return nghttp2_submit_settings(library, 0, first, count) == 0
    }
  }
}
