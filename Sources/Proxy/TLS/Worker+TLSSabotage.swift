#if DEBUG
  import Primitives
  import Reactor
  import TLS

  /// Planted bugs of TLS and tunnels.
  extension Worker {
    /// Does the damage to the first connection that it can be done to; false when there was none.
    func sufferTLS(_ sabotage: Sabotage) -> Bool {
      var isDone = false
      connections.forEach { connection in
        guard !isDone, !connection.pointee.has(.closed), let tls = connection.pointee.tls else { return }
        if sabotage == .handshakeNotFreed {
          isDone = forgetHandshake(tls)
        } else if tls.pointee.stage == .detached, !tls.pointee.closeNotifySent, tls.pointee.records != nil {
          isDone = damageRecords(sabotage, connection, tls)
        }
      }
      return isDone
    }

    private func forgetHandshake(_ tls: TLSRef) -> Bool {
      guard tls.pointee.stage == .handshake, tls.pointee.handshake != nil else { return false }
      tls.pointee.handshake = nil
      tls.pointee.context = nil
      return true
    }

    private func damageRecords(_ sabotage: Sabotage, _ connection: ConnectionRef, _ tls: TLSRef) -> Bool {
      let room = RecordProtection.controlRecordBytesMax
      return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * room) { memory in
        guard let first = memory.baseAddress else { return false }
        switch sabotage {
        case .nonceReused: return tls.pointee.records!.repeatNonce()
        case .lostKeyUpdate:
          guard tls.pointee.records!.isTLS13 else { return false }
          _ = tls.pointee.records!.sealKeyUpdate(asksForAnswer: false, to: first)
        case .recordOrderSwapped:
          // Records without content: in order nobody would notice them.
          let second = first + room
          let firstCount = tls.pointee.records!.seal(.empty, type: RecordHeader.applicationData, to: first)
          let secondCount = tls.pointee.records!.seal(.empty, type: RecordHeader.applicationData, to: second)
          segments.copy(ByteView(second, secondCount), to: &tls.pointee.sending)
          segments.copy(ByteView(first, firstCount), to: &tls.pointee.sending)
          markDirty(connection)
        default: return false
        }
        return true
      }
    }

    /// Has the ends of all tunnels' directions taken for told already.
    ///
    /// - Returns: False, for it is done again and again.
    func loseTunnelEnds() -> Bool {
      connections.forEach { connection in
        guard connection.pointee.role == .http1 || connection.pointee.role == .upstreamHTTP1,
          let stream = httpStream(connection), stream.pointee.has(.isTunnel)
        else { return }
        connection.pointee.flags.insert(.writeEnded)
      }
      return false
    }
  }
#endif
