import ConfigSchema
import HTTP2
import HTTPCore
import Proxy
import SwiftProtobuf

/// `http2_protocol_options`, checked.
struct HTTP2Settings: Equatable {
  struct Keepalive: Equatable {
    var interval: UInt64 = 0
    var timeout: UInt64 = 0
    var jitterPercent: UInt32 = 15
    var idleInterval: UInt64 = 0
  }

  var headerTableSize: UInt32?
  var maxConcurrentStreams: UInt32?
  var initialStreamWindow: UInt32?
  var initialConnectionWindow: UInt32?
  var allowsConnect = false
  var budgets = FrameBudgets()
  var outboundFramesMax: UInt32?
  var outboundControlFramesMax: UInt32?
  /// Nil = what the manager says.
  var closesOnMalformed: Bool?
  var keepalive: Keepalive?

  /// - Parameters:
  ///   - headBytesMax: Of a request downstream, of a response upstream.
  func config(
    stats: HTTP2Stats, headBytesMax: UInt32, fieldCountMax: UInt32, underscores: UnderscorePolicy = .allow,
    closesOnMalformed: Bool = true
  ) -> HTTP2Config {
    var options = HTTP2Options()
    if let headerTableSize { options.headerTableSize = headerTableSize }
    if let maxConcurrentStreams { options.maxConcurrentStreams = maxConcurrentStreams }
    if let initialStreamWindow { options.initialStreamWindow = initialStreamWindow }
    if let initialConnectionWindow { options.initialConnectionWindow = initialConnectionWindow }
    options.allowsConnect = allowsConnect
    options.headBytesMax = headBytesMax
    options.fieldCountMax = fieldCountMax
    options.underscores = underscores
    options.closesOnMalformed = self.closesOnMalformed ?? closesOnMalformed
    options.budgets = budgets
    var config = HTTP2Config(options: options, stats: stats)
    if let outboundFramesMax { config.outboundFramesMax = outboundFramesMax }
    if let outboundControlFramesMax { config.outboundControlFramesMax = outboundControlFramesMax }
    if let keepalive {
      var settings = HTTP2Config.Keepalive(interval: keepalive.interval, timeout: keepalive.timeout)
      settings.jitterPercent = keepalive.jitterPercent
      settings.idleInterval = keepalive.idleInterval
      config.keepalive = settings
    }
    return config
  }
}

extension CompilerPass {
  func http2Settings(
    _ proto: Envoy_Config_Core_V3_Http2ProtocolOptions, _ path: String
  ) -> HTTP2Settings {
    var settings = HTTP2Settings()
    if proto.hasHpackTableSize { settings.headerTableSize = proto.hpackTableSize.value }
    if proto.hasMaxConcurrentStreams {
      settings.maxConcurrentStreams = proto.maxConcurrentStreams.value
    }
    if proto.hasInitialStreamWindowSize {
      settings.initialStreamWindow = proto.initialStreamWindowSize.value
    }
    if proto.hasInitialConnectionWindowSize {
      settings.initialConnectionWindow = proto.initialConnectionWindowSize.value
    }
    let connection = settings.initialConnectionWindow ?? HTTP2Options().initialConnectionWindow
    if let stream = settings.initialStreamWindow, stream > connection {
      warn(
        "\(path).initial_stream_window_size",
        "is larger than initial_connection_window_size (\(connection)), which is what counts")
    }
    settings.allowsConnect = proto.allowConnect
    if proto.hasMaxOutboundFrames { settings.outboundFramesMax = proto.maxOutboundFrames.value }
    if proto.hasMaxOutboundControlFrames {
      settings.outboundControlFramesMax = proto.maxOutboundControlFrames.value
    }
    if proto.hasMaxConsecutiveInboundFramesWithEmptyPayload {
      settings.budgets.emptyFramesMax = proto.maxConsecutiveInboundFramesWithEmptyPayload.value
    }
    if proto.hasMaxInboundPriorityFramesPerStream {
      settings.budgets.priorityFramesPerStream = proto.maxInboundPriorityFramesPerStream.value
    }
    if proto.hasMaxInboundWindowUpdateFramesPerDataFrameSent {
      settings.budgets.windowUpdatesPerData =
        proto.maxInboundWindowUpdateFramesPerDataFrameSent.value
    }
    if proto.hasOverrideStreamErrorOnInvalidHTTPMessage {
      settings.closesOnMalformed = !proto.overrideStreamErrorOnInvalidHTTPMessage.value
    }
    if proto.hasConnectionKeepalive {
      settings.keepalive = keepalive(
        proto.connectionKeepalive, "\(path).connection_keepalive")
    }
    return settings
  }

  private func keepalive(
    _ proto: Envoy_Config_Core_V3_KeepaliveSettings, _ path: String
  ) -> HTTP2Settings.Keepalive {
    var keepalive = HTTP2Settings.Keepalive()
    if proto.hasInterval { keepalive.interval = nanoseconds(proto.interval, "\(path).interval") }
    keepalive.timeout = nanoseconds(proto.timeout, "\(path).timeout")
    if proto.hasIntervalJitter {
      keepalive.jitterPercent = UInt32(min(100, max(0, proto.intervalJitter.value)))
    }
    if proto.hasConnectionIdleInterval {
      keepalive.idleInterval = nanoseconds(
        proto.connectionIdleInterval, "\(path).connection_idle_interval")
    }
    return keepalive
  }
}
